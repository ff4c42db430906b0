import ConclaveConsensus
import ConclaveCore

/// What operators are told about a server's part in its ensemble.
package struct NodeReport: Sendable {
    package var myID: ServerID
    package var role: EnsembleMember.Role
    package var phase: NodeMachine.Phase
    package var leader: ServerID?
    package var configuration: EnsembleConfiguration
    package var options: EnsembleOptions
    /// Of a leader.
    package var leading: LeaderReport?
    package var proposalSizes: ProposalSizes
}

/// The sizes of what a leader has proposed, in bytes; -1 before the first.
package struct ProposalSizes: Equatable, Sendable {
    package private(set) var last = -1
    package private(set) var minimum = -1
    package private(set) var maximum = -1

    mutating func record(_ bytes: Int) {
        last = bytes
        minimum = minimum < 0 ? bytes : min(minimum, bytes)
        maximum = max(maximum, bytes)
    }
}

extension NodeMachine {
    package var report: NodeReport {
        NodeReport(
            myID: options.myID, role: configuration.member(options.myID)?.role ?? listedRole, phase: phase,
            leader: leaderID, configuration: configuration, options: options, leading: leader?.report,
            proposalSizes: proposalSizes)
    }
}
