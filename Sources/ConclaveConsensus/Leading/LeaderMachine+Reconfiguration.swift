import ConclaveCore
import ConclaveWire

/// Changing who belongs to the ensemble while it runs: quorum-protocol 11.
extension LeaderMachine {
    /// Announces that the next proposal changes the configuration. Until it is committed, it and everything behind it needs
    /// a quorum of both.
    ///
    /// The caller has checked the change, and that there is none under way; see ``hasQuorum(of:)``.
    package mutating func reconfigure(to configuration: EnsembleConfiguration, at zxid: Zxid) {
        guard phase == .leading else { return }
        precondition(pending == nil && zxid == nextZxid, "a change at \(zxid) behind \(lastProposed)")
        pending = PendingConfiguration(configuration: configuration, zxid: zxid)
    }

    /// Whether followers that have caught up, and this server, are a quorum of a configuration.
    package func hasQuorum(of configuration: EnsembleConfiguration) -> Bool {
        configuration.isQuorum { server in
            server == options.myID
                || learners.contains { $0.serverID == server && !$0.isObserver && $0.stage == .serving }
        }
    }

    /// Who leads under the configuration that a quorum has now acknowledged together with NEWLEADER.
    var leaderUnderPending: ServerID {
        guard let pending else { return options.myID }
        return designatedLeader(under: pending.configuration, acknowledged: newLeaderAcks)
    }

    /// Brings that configuration into force.
    mutating func adoptPending(leader: ServerID) {
        guard let pending else { return }
        install(pending.configuration, leader: leader)
    }

    /// Brings a configuration into force whose proposal is committed.
    mutating func activate(_ coming: EnsembleConfiguration, proposal: Proposal, now: Instant) {
        let acknowledged = acknowledgements.filter { $0.through >= proposal.zxid }.map(\.server)
        let leader = designatedLeader(under: coming, acknowledged: acknowledged)
        let commit = QuorumPacket(
            .commitAndActivate, zxid: proposal.zxid, data: Activation(leader: leader, body: nil).data)
        let inform = QuorumPacket(
            .informAndActivate, zxid: proposal.zxid, data: Activation(leader: leader, body: proposal.body).data)
        for slot in learners.indices where learners[slot].takesTraffic {
            send(learners[slot].isObserver ? inform.bytes : commit.bytes, to: slot)
        }
        actions.append(.commit(through: proposal.zxid))
        answerSyncs()
        install(coming, leader: leader)
        if leader != options.myID { retire(now: now) }
    }

    private mutating func install(_ coming: EnsembleConfiguration, leader: ServerID) {
        configuration = coming
        pending = nil
        acknowledgements.removeAll { !coming.isVoter($0.server) }
        actions.append(.adopt(coming, leader: leader))
    }

    /// Who leads under a coming configuration: this server, if it stays a voter under the same address; else the voter that
    /// has logged the most, so that the fewest proposals are lost.
    private func designatedLeader(
        under coming: EnsembleConfiguration, acknowledged: [ServerID]
    ) -> ServerID {
        if coming.isVoter(options.myID), quorumAddresses(coming) == quorumAddresses(configuration) {
            return options.myID
        }
        var best: ServerID?
        var bestThrough = Zxid(rawValue: .min)
        for server in acknowledged.sorted() where coming.isVoter(server) && server != options.myID {
            let through = acknowledgements.first { $0.server == server }?.through ?? .zero
            if through > bestThrough {
                best = server
                bestThrough = through
            }
        }
        return best ?? options.myID
    }

    private func quorumAddresses(_ configuration: EnsembleConfiguration) -> [String] {
        (configuration.member(options.myID)?.addresses ?? []).map { "\($0.host):\($0.quorumPort)" }
    }

    /// Commits nothing more, and waits until the learners have heard of it and left.
    mutating func retire(now: Instant) {
        phase = .retiring
        retiredAt = now
    }
}
