/// Which of several instances is next: pure arithmetic over their ids.
package struct PickOrder: Sendable {
    package private(set) var uses: [String: Int] = [:]
    private var avoided: [String: ContinuousClock.Instant] = [:]
    private var last: String?
    private let strategy: PickStrategy

    package init(_ strategy: PickStrategy) { self.strategy = strategy }

    /// Picks one.
    ///
    /// - Parameter ids: sorted. Those that are avoided are taken only if there is no other.
    /// - Returns: the index of the pick; `nil` if there are none.
    package mutating func pick(
        from ids: [String], now: ContinuousClock.Instant, using random: inout some RandomNumberGenerator
    ) -> Int? {
        if !avoided.isEmpty { avoided = avoided.filter { $0.value > now } }
        let welcome = ids.indices.filter { avoided[ids[$0]] == nil }
        let candidates = welcome.isEmpty ? Array(ids.indices) : welcome
        guard !candidates.isEmpty else { return nil }
        let pick: Int
        switch strategy {
        case .roundRobin:
            pick = following(candidates, ids)
        case .random:
            pick = candidates[Int.random(in: candidates.indices, using: &random)]
        case .sticky:
            let same = candidates.first { ids[$0] == last }
            pick = same ?? candidates[Int.random(in: candidates.indices, using: &random)]
        case .leastUsed:
            let fewest = candidates.map { uses[ids[$0], default: 0] }.min()
            pick = following(candidates.filter { uses[ids[$0], default: 0] == fewest }, ids)
        }
        last = ids[pick]
        return pick
    }

    /// Counts a use that begins.
    package mutating func begin(_ id: String) { uses[id, default: 0] += 1 }

    /// Counts a use that has ended.
    package mutating func end(_ id: String) {
        guard let count = uses[id] else { return }
        uses[id] = count > 1 ? count - 1 : nil
    }

    /// Passes over an instance until a moment.
    package mutating func avoid(_ id: String, until end: ContinuousClock.Instant) { avoided[id] = end }

    /// The first behind the last pick, so that nobody is left out or taken twice when others come and go.
    private func following(_ candidates: [Int], _ ids: [String]) -> Int {
        guard let last else { return candidates[0] }
        return candidates.first { last < ids[$0] } ?? candidates[0]
    }
}

/// How a ``ServicePicker`` chooses.
public enum PickStrategy: String, Hashable, Sendable, CaseIterable {
    /// One after the other, in the order of their ids.
    case roundRobin
    /// Any.
    case random
    /// The same one for as long as it is there.
    case sticky
    /// The one with the fewest uses under way through this picker; among equals one after the other.
    case leastUsed
}
