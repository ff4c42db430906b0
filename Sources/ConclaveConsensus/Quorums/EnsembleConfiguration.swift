import ConclaveCore

/// Who belongs to an ensemble, and which sets of its voters are a quorum.
///
/// Majority: more than half of the voters. Hierarchical, as soon as there are groups: groups of total weight 0 do not
/// count, a group is won with more than half of its weight (integer division), and more than half of the groups are
/// needed.
package struct EnsembleConfiguration: Equatable, Sendable {
    /// `group.ID=…`: servers that are counted together.
    package struct Group: Equatable, Sendable {
        package var id: Int64
        /// Sorted.
        package var members: [ServerID]

        package init(id: Int64, members: [ServerID]) {
            self.id = id
            self.members = members.sorted()
        }
    }

    /// `weight.SERVER=…`.
    package struct Weight: Equatable, Sendable {
        package var server: ServerID
        package var weight: Int64

        package init(server: ServerID, weight: Int64) {
            self.server = server
            self.weight = weight
        }
    }

    /// How many servers an ensemble may have.
    package static let maximumMembers = 1_024

    /// Sorted by id.
    package let members: [EnsembleMember]
    /// Sorted by id; empty with majority quorums.
    package let groups: [Group]
    /// Sorted by server, one for every participant and every other server that was given one; empty with majority
    /// quorums.
    package let weights: [Weight]
    /// The zxid of the change that made it; 0 for a configuration that was never changed.
    package var version: Int64
    /// Servers that vote, sorted.
    package let voters: [ServerID]
    /// Servers that only learn, sorted.
    package let observers: [ServerID]
    /// Total weight of each of ``groups``, in their order.
    private let groupWeights: [Int64]

    /// Checks and sorts.
    ///
    /// With groups or weights every participant must be in exactly one group; a participant without a weight gets 1.
    package init(
        members: [EnsembleMember], groups: [Group] = [], weights: [Weight] = [], version: Int64 = 0
    ) throws(EnsembleConfigurationError) {
        let members = members.sorted { $0.id < $1.id }
        guard members.count <= Self.maximumMembers else {
            throw .malformed("an ensemble has at most \(Self.maximumMembers) servers, not \(members.count)")
        }
        if let index = members.indices.dropFirst().first(where: { members[$0 - 1].id == members[$0].id }) {
            throw .malformed("server.\(members[index].id) is named twice")
        }
        if let member = members.first(where: { $0.addresses.isEmpty }) {
            throw .malformed("server.\(member.id) has no address")
        }
        self.members = members
        self.version = version
        voters = members.filter { $0.role == .participant }.map(\.id)
        observers = members.filter { $0.role == .observer }.map(\.id)
        (self.groups, self.weights, groupWeights) = try Self.hierarchy(groups, weights, voters)
    }

    /// The same ensemble under another version.
    package func with(version: Int64) -> EnsembleConfiguration {
        var copy = self
        copy.version = version
        return copy
    }

    package func member(_ id: ServerID) -> EnsembleMember? {
        var low = 0
        var high = members.count
        while low < high {
            let middle = (low + high) / 2
            if members[middle].id < id { low = middle + 1 } else { high = middle }
        }
        return low < members.count && members[low].id == id ? members[low] : nil
    }

    package func isVoter(_ id: ServerID) -> Bool { voters.contains(id) }

    /// 1 with majority quorums; 0 for a server that no group names.
    package func weight(of id: ServerID) -> Int64 {
        isHierarchical ? weights.first { $0.server == id }?.weight ?? 0 : 1
    }

    /// Whether groups decide instead of the majority.
    package var isHierarchical: Bool { !groups.isEmpty }

    /// Whether the voters for which `has` says yes are a quorum; asks for every voter.
    package func isQuorum(_ has: (ServerID) -> Bool) -> Bool {
        guard isHierarchical else {
            var count = 0
            for voter in voters where has(voter) { count += 1 }
            return count > voters.count / 2
        }
        var counted = 0
        var won = 0
        for (group, total) in zip(groups, groupWeights) where total > 0 {
            counted += 1
            var weight: Int64 = 0
            // Cannot overflow: a part of a sum that did not.
            for server in group.members where isVoter(server) && has(server) { weight += self.weight(of: server) }
            if weight > total / 2 { won += 1 }
        }
        return won > counted / 2
    }

    /// Sorts groups and weights, fills in the weights that were not given and sums them up.
    private static func hierarchy(
        _ groups: [Group], _ weights: [Weight], _ voters: [ServerID]
    ) throws(EnsembleConfigurationError) -> ([Group], [Weight], [Int64]) {
        guard !groups.isEmpty || !weights.isEmpty else { return ([], [], []) }
        let groups = groups.sorted { $0.id < $1.id }
        if let index = groups.indices.dropFirst().first(where: { groups[$0 - 1].id == groups[$0].id }) {
            throw .malformed("group.\(groups[index].id) is named twice")
        }
        let grouped = groups.flatMap(\.members).sorted()
        guard grouped.count <= maximumMembers else { throw .malformed("the groups have too many members") }
        if let index = grouped.indices.dropFirst().first(where: { grouped[$0 - 1] == grouped[$0] }) {
            throw .malformed("server \(grouped[index]) is in more than one group")
        }
        if let voter = voters.first(where: { !grouped.contains($0) }) {
            throw .malformed("server \(voter) is in no group")
        }
        var all = weights.sorted { $0.server < $1.server }
        if let index = all.indices.dropFirst().first(where: { all[$0 - 1].server == all[$0].server }) {
            throw .malformed("weight.\(all[index].server) is named twice")
        }
        if let negative = all.first(where: { $0.weight < 0 }) {
            throw .malformed("weight.\(negative.server) is below 0")
        }
        for voter in voters where !all.contains(where: { $0.server == voter }) {
            all.append(Weight(server: voter, weight: 1))
        }
        all.sort { $0.server < $1.server }
        var sums: [Int64] = []
        for group in groups {
            var sum: Int64 = 0
            for weight in all where group.members.contains(weight.server) {
                let (next, overflow) = sum.addingReportingOverflow(weight.weight)
                guard !overflow else { throw .malformed("the weights of group.\(group.id) are too large") }
                sum = next
            }
            sums.append(sum)
        }
        return (groups, all, sums)
    }
}
