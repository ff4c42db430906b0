import ConclaveCore

/// A zxid is proposed once: whoever logs it logs the same transaction behind the same history.
///
/// Source: "Integrity" and "local primary order" of the ZAB specifications; broken by ZOOKEEPER-335, 1081 (an epoch
/// used twice) and 4925 (a hole handed on).
struct UniqueProposals: Invariant {
    static let name = "a zxid stands for one transaction behind one history"

    mutating func check(_ step: ClusterView.Step, _ view: ClusterView) -> String? {
        guard case .logged(let entry) = step.observation, let place = step.place else { return nil }
        let known = view.tree[place]
        if known != entry {
            return "\(entry.zxid) is \(entry.fingerprint) here (session \(entry.session), request \(entry.cxid)), and "
                + "\(known.fingerprint) elsewhere (session \(known.session), request \(known.cxid))"
        }
        let follows = view.tree.parent(of: place)
        guard follows != step.before.tip else { return nil }
        return "\(entry.zxid) was logged behind \(view.tree[step.before.tip].zxid), elsewhere behind "
            + "\(view.tree[follows].zxid)"
    }
}
