/// A server applies only what is in its own history.
///
/// Source: "ProcessConsistency" of the ZAB specifications; broken by ZOOKEEPER-4882 (memory ahead of the log).
struct OwnHistory: Invariant {
    static let name = "what is applied is in the server's own history"

    mutating func check(_ step: ClusterView.Step, _ view: ClusterView) -> String? {
        guard case .applied(let zxid, _) = step.observation, let place = step.place else { return nil }
        let tip = view.servers[step.server].tip
        return view.tree.contains(place, in: tip)
            ? nil : "applied \(zxid), but its own history ends at \(view.tree[tip].zxid)"
    }
}
