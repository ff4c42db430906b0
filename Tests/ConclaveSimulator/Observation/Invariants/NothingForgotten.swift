/// What was durable is there after a crash, and what was committed is never cut.
///
/// Except where a quorum has it without this server: a leader that commits with others while this one comes back cuts what it
/// sends again at once, and counts this one's acknowledgement only then.
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
        case .truncated(let zxid):
            guard let place = step.place, view.isCommitted(before), !view.tree.contains(before, in: place),
                !view.isDurableOnQuorum(before)
            else { return nil }
            return "cut its history to \(zxid), but \(view.tree[before].zxid) is committed"
        case .installed(let zxid):
            guard let place = step.place else { return "took a snapshot at \(zxid), which nobody ever logged" }
            guard view.isCommitted(before), !view.tree.contains(before, in: place), !view.isDurableOnQuorum(before)
            else {
                return nil
            }
            return "took a snapshot at \(zxid), but had \(view.tree[before].zxid), which is committed"
        case .durable(let zxid):
            guard let place = step.place, view.tree.contains(before, in: place) else {
                return "\(zxid) is durable, but before that \(view.tree[before].zxid) was"
            }
            return nil
        default: return nil
        }
    }
}
