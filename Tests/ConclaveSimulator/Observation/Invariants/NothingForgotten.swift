/// What was durable is there after a crash, and what was committed is never cut from the last disk of a quorum.
///
/// A server may cut what the others have without it: one that comes back while its leader commits with the others cuts what it
/// is sent again at once, and its acknowledgement counts only then. At every moment a quorum's disks have what is committed.
///
/// Source: "CommittedLogMonotonicity" of the ZAB specifications; broken by ZOOKEEPER-1156, 1489, 3642.
struct NothingForgotten: Invariant {
    static let name = "what is durable stays, what is committed is not cut"

    mutating func check(_ step: ClusterView.Step, _ view: ClusterView) -> String? {
        let before = step.before.durable
        switch step.observation {
        case .recovered(let zxid):
            guard let place = step.place else { return "a start found \(zxid), which nobody ever logged" }
            return view.tree.contains(before, in: place)
                ? nil : "a start found a history up to \(zxid), but \(view.tree[before].zxid) was durable"
        case .truncated(let zxid): return lost(before, step, view).map { "cut its history to \(zxid), but had \($0)" }
        case .installed(let zxid):
            guard step.place != nil else { return "took a snapshot at \(zxid), which nobody ever logged" }
            return lost(before, step, view).map { "took a snapshot at \(zxid), but had \($0)" }
        case .durable(let zxid):
            guard let place = step.place, view.tree.contains(before, in: place) else {
                return "\(zxid) is durable, but before that \(view.tree[before].zxid) was"
            }
            return nil
        default: return nil
        }
    }

    /// What was committed, durable here before the step, and is on too few disks after it.
    private func lost(_ before: HistoryTree.Place, _ step: ClusterView.Step, _ view: ClusterView) -> String? {
        var place = before
        // What stood behind it may never have been committed.
        while !view.isCommitted(place) { place = view.tree.parent(of: place) }
        guard !view.tree.contains(place, in: view.servers[step.server].durable), !view.isDurableOnQuorum(place) else {
            return nil
        }
        return "\(view.tree[place].zxid), which is committed and now on too few disks"
    }
}
