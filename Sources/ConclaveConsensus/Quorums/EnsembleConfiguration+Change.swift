import ConclaveCore

/// What a committed change of the configuration means for those who live through it.
///
/// Source: spec quorum-protocol 11; Leader.getDesignatedLeader, QuorumPeer.processReconfig.
extension EnsembleConfiguration {
    /// Whether two configurations are the same ensemble, whatever their versions.
    package func hasSameMembers(as other: EnsembleConfiguration) -> Bool { with(version: other.version) == other }

    /// What a server is in this ensemble: one that is not listed goes on as a participant without a vote.
    package func role(of id: ServerID) -> EnsembleMember.Role { member(id)?.role ?? .participant }

    /// Whether a leader may stay after a change: it votes in both, and other servers still reach it where they did.
    package func keepsLeader(_ leader: ServerID, after old: EnsembleConfiguration) -> Bool {
        guard isVoter(leader), old.isVoter(leader), let now = member(leader), let before = old.member(leader) else {
            return false
        }
        return now.hasSameQuorumAddresses(as: before)
    }

    /// Whether a server must look for a leader again when a change takes effect.
    ///
    /// - Parameters:
    ///   - leader: whom it has followed so far, itself if it led.
    ///   - designated: who leads from now on by the leader's own word; `nil` if nobody said.
    package func forcesElection(
        of id: ServerID, leader: ServerID, designated: ServerID?, after old: EnsembleConfiguration
    ) -> Bool {
        guard version > old.version, !hasSameMembers(as: old) else { return false }
        if role(of: id) != old.role(of: id) { return true }
        if let designated { return designated != leader }
        return !keepsLeader(leader, after: old)
    }

    /// Who leads after a change.
    ///
    /// - Parameters:
    ///   - leader: who leads now, and stays if it can.
    ///   - acknowledged: who has acknowledged the change itself, then each later proposal in order. The more of these a
    ///     new leader has, the fewer of them are lost.
    /// - Returns: the present leader when nobody else could be chosen.
    package func designatedLeader(
        after old: EnsembleConfiguration, leader: ServerID, acknowledged: [[ServerID]]
    ) -> ServerID {
        if keepsLeader(leader, after: old) { return leader }
        var candidates = voters.filter { $0 != leader }
        for servers in acknowledged {
            let rest = candidates.filter(servers.contains)
            if rest.isEmpty { break }
            candidates = rest
        }
        // Sorted, so that every run chooses the same one.
        return acknowledged.first.flatMap { first in candidates.first(where: first.contains) } ?? leader
    }
}

extension EnsembleMember {
    /// Whether leaders of both are reached by their learners in the same places.
    fileprivate func hasSameQuorumAddresses(as other: EnsembleMember) -> Bool {
        addresses.map(\.host) == other.addresses.map(\.host)
            && addresses.map(\.quorumPort) == other.addresses.map(\.quorumPort)
    }
}
