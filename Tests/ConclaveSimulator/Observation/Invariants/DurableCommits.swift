import ConclaveCore

/// What is committed is on the disks of a quorum at that moment.
///
/// Source: "CommittedLogDurability" of the ZAB specifications; broken by ZOOKEEPER-4646, 4785, 3023.
struct DurableCommits: Invariant {
    static let name = "a commit is durable on a quorum"

    mutating func check(_ step: ClusterView.Step, _ view: ClusterView) -> String? {
        guard !step.newlyCommitted.isEmpty else { return nil }
        let last = view.committed[step.newlyCommitted.upperBound - 1]
        guard !view.isDurableOnQuorum(last) else { return nil }
        let durable = view.servers.map { view.tree[$0.durable].zxid.description }.joined(separator: ", ")
        return "\(view.tree[last].zxid) was committed, but the servers' disks only hold \(durable)"
    }
}
