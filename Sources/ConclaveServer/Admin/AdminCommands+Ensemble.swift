import ConclaveConsensus
import ConclaveCore
import ConclaveNode

/// What the words tell of a server's part in its ensemble.
extension AdminCommands {
    /// The end of `conf`.
    static func ensemble(_ report: NodeReport) -> String {
        let address = report.configuration.member(report.myID)?.addresses.first
        return """
            initLimit=\(report.options.initLimit)
            syncLimit=\(report.options.syncLimit)
            electionAlg=3
            electionPort=\(address?.electionPort ?? -1)
            quorumPort=\(address?.quorumPort ?? -1)
            peerType=\(report.role == .observer ? 1 : 0)
            membership:\u{20}
            \(report.configuration.text)
            """
    }

    /// What `mntr` adds.
    static func members(_ report: NodeReport, _ facts: AdminFacts) -> [(String, String)] {
        var lines = [
            ("peer_state", peerState(report)), ("quorum_size", "\(report.configuration.voters.count)"),
        ]
        guard let leading = report.leading else { return lines }
        lines += [
            ("learners", "\(leading.learners)"), ("synced_followers", "\(leading.syncedFollowers)"),
            ("synced_non_voting_followers", "\(leading.syncedNonVoters)"),
            ("synced_observers", "\(leading.syncedObservers)"), ("pending_syncs", "\(leading.pendingSyncs)"),
            ("leader_uptime", "\(facts.now.milliseconds(since: leading.started))"),
            ("last_proposal_size", "\(report.proposalSizes.last)"),
            ("max_proposal_size", "\(report.proposalSizes.maximum)"),
            ("min_proposal_size", "\(report.proposalSizes.minimum)"),
        ]
        return lines
    }

    private static func peerState(_ report: NodeReport) -> String {
        switch report.phase {
        case .settling, .looking, .stopped: "looking"
        case .leading: "leading - broadcast"
        case .learning: report.role == .observer ? "observing - broadcast" : "following - broadcast"
        }
    }
}

extension ServingRole {
    /// As `srvr` calls it.
    var modeName: String {
        switch self {
        case .standalone: "standalone"
        case .leader: "leader"
        case .follower: "follower"
        case .observer: "observer"
        case .readOnly: "read-only"
        case .none: "looking"
        }
    }
}
