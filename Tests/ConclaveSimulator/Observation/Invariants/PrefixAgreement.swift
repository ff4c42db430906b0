/// What any two servers have shown to clients is the same history, of one perhaps more of it; nothing is left out.
///
/// Source: "PrefixConsistency", "Agreement" and "TotalOrder" of the ZAB specifications; broken by ZOOKEEPER-2845, 4712,
/// 1551.
struct PrefixAgreement: Invariant {
    static let name = "applied histories agree"

    mutating func check(_ step: ClusterView.Step, _ view: ClusterView) -> String? {
        switch step.observation {
        case .serving(let zxid, _):
            guard let place = step.place else { return "serves a state at \(zxid), which nobody logged" }
            if view.isCommitted(place) { return nil }
            return "serves a state at \(view.tree[place].zxid), which is not committed; \(view.lastCommitted) is"
        case .applied(let zxid, _):
            guard let place = step.place else { return "applied \(zxid), which nobody logged" }
            guard let before = step.before.applied else { return "applied \(zxid) without serving" }
            guard view.tree.parent(of: place) == before else {
                return "applied \(zxid) behind \(view.tree[before].zxid), but it belongs behind "
                    + "\(view.tree[view.tree.parent(of: place)].zxid)"
            }
            return view.isCommitted(place)
                ? nil : "applied \(zxid), but \(view.lastCommitted) was committed in its stead"
        default: return nil
        }
    }
}
