import ConclaveCore

/// Who should have which share: pure, the same answer everywhere for the same question.
///
/// Balanced: no two members differ by more than one share. Sticky: as few shares as possible move, which means that a
/// member gives up only what is above its quota, the larger quotas go to those who have most, and only what has no
/// owner is handed out.
package enum SharePlan {
    /// - Parameters:
    ///   - shares: the names, without duplicates.
    ///   - members: the names, without duplicates; without any the plan is empty.
    ///   - previous: who had what; shares and members that are not there any more are ignored.
    /// - Cost: O(n log n) in shares and members.
    package static func assign(
        _ shares: [String], to members: [String], keeping previous: [String: String]
    ) -> [String: String] {
        guard !members.isEmpty else { return [:] }
        var kept: [String: [String]] = Dictionary(uniqueKeysWithValues: members.map { ($0, []) })
        var free: [String] = []
        for share in shares.sorted() {
            if let owner = previous[share], kept[owner] != nil {
                kept[owner]?.append(share)
            } else {
                free.append(share)
            }
        }
        let counts = kept.mapValues(\.count)
        let order = members.sorted { (counts[$1] ?? 0, $0) < (counts[$0] ?? 0, $1) }
        let base = shares.count / members.count
        let larger = shares.count % members.count
        var plan: [String: String] = [:]
        var wanting: [(member: String, count: Int)] = []
        for (place, member) in order.enumerated() {
            let quota = place < larger ? base + 1 : base
            let own = kept[member] ?? []
            for share in own.prefix(quota) { plan[share] = member }
            free += own.dropFirst(quota)
            if own.count < quota { wanting.append((member, quota - own.count)) }
        }
        var rest = free.sorted()[...]
        for (member, count) in wanting {
            for share in rest.prefix(count) { plan[share] = member }
            rest = rest.dropFirst(count)
        }
        return plan
    }
}

/// Who should have which share, as the elected member wrote it last.
public struct ShareAssignment: Codable, Hashable, Sendable, ConfigurationValue {
    /// Grows by one with each assignment.
    public var generation: Int64
    /// The member of each share.
    public var owners: [String: String]

    /// An assignment.
    public init(generation: Int64, owners: [String: String]) {
        self.generation = generation
        self.owners = owners
    }

    /// The shares of a member, sorted.
    public func shares(of member: String) -> [String] { owners.filter { $0.value == member }.map(\.key).sorted() }
}
