import ConclaveClient
import ConclaveCore

/// Waits until a queue has a free item, or room for one. Run by the head of a line, so one client is woken per item.
///
/// ```
/// start ──▶ list items ──▶ list claims ──▶ finish
///             │ none due        │ all claimed
///             └──▶ wait for a change of either, or until the next is due ──▶ list items …
/// ```
package struct QueueWaitMachine: StepMachine {
    package enum Goal: Hashable, Sendable {
        /// An item that is due and not claimed, other than those of no use to this client.
        case item(ignoring: Set<String>, now: Int64)
        /// Fewer items than so many.
        case room(limit: Int)
    }

    private enum State: Hashable, Sendable {
        case idle
        case listing
        case listingClaims([QueueItemName])
        case makingParents
        case waiting
        case disconnected
        case ended
    }

    private let nodes: QueueNodes
    private let ordering: QueueOrdering
    private let goal: Goal
    private var state = State.idle
    /// How long until the next item is due; `nil` if there is none.
    private var untilNext: Duration?

    package init(nodes: QueueNodes, ordering: QueueOrdering, goal: Goal) {
        self.nodes = nodes
        self.ordering = ordering
        self.goal = goal
    }

    /// Finishes with the number of free items that were seen, or places; zero if something has changed and it is worth
    /// looking.
    package mutating func handle(_ event: StepEvent) -> [StepAction<Int>] {
        if state == .ended { return [] }
        if let ending = event.ending { return end(.fail(ending)) }
        switch (state, event) {
        case (.idle, .start), (.makingParents, .answered(.done, _)), (.disconnected, .connected): return list()
        case (.listing, .answered(.children(let children), _)): return listed(children.names)
        case (.listingClaims(let names), .answered(.children(let children), _)):
            let claimed = Set(children.names)
            let free = names.count { !claimed.contains($0.text) }
            return free > 0 ? end(.finish(free)) : wait()
        case (.listing, .failed(.noNode, _)):
            if case .room = goal { return end(.finish(1)) }
            return ask(.makeParents(nodes.items, .persistent), .makingParents)
        case (.listingClaims, .failed(.noNode, _)):
            return ask(.makeParents(nodes.claims, .container), .makingParents)
        case (.waiting, .elapsed): return end(.finish(0))
        case (.waiting, .changed):
            // What is due is judged by the time at the start, so whoever waits by the clock begins anew.
            return ordering == .due ? end(.finish(0)) : list()
        case (_, .failed(let code, let path)):
            guard code.isWorthReconnecting else { return end(.fail(StepFailure(code, at: path))) }
            state = .disconnected
            return [.awaitConnection]
        default: return []
        }
    }

    // MARK: - Steps

    private mutating func ask(_ request: StepRequest, _ next: State) -> [StepAction<Int>] {
        state = next
        return [.request(request)]
    }

    private mutating func list() -> [StepAction<Int>] { ask(.children(nodes.items, watch: true), .listing) }

    private mutating func listed(_ children: [String]) -> [StepAction<Int>] {
        switch goal {
        case .room(let limit):
            return children.count < limit ? end(.finish(limit - children.count)) : wait()
        case .item(let ignored, let now):
            var names = children.filter { !ignored.contains($0) }
                .compactMap { QueueItemName($0, ordering: ordering) }
            if ordering == .due {
                let next = names.lazy.map(\.rank).filter { $0 > now }.min()
                untilNext = next.map { .milliseconds(min($0 - now, Self.longestWaitMilliseconds)) }
                names.removeAll { $0.rank > now }
            }
            return names.isEmpty ? wait() : ask(.children(nodes.claims, watch: true), .listingClaims(names))
        }
    }

    /// The longest wait by the clock: wall clocks are set now and then.
    private static let longestWaitMilliseconds: Int64 = 60_000

    private mutating func wait() -> [StepAction<Int>] {
        state = .waiting
        return [.wait(upTo: untilNext)]
    }

    private mutating func end(_ action: StepAction<Int>) -> [StepAction<Int>] {
        state = .ended
        return [action]
    }
}
