/// A write that is answered is committed, under the zxid that the answer names.
///
/// Together with ``LeaderIsComplete`` this says that no acknowledged write is lost. Source: etcd #11456 and Jepsen's
/// reports show what happens without.
struct AnswersAreCommitted: Invariant {
    static let name = "an answered write is committed"

    mutating func check(_ step: ClusterView.Step, _ view: ClusterView) -> String? {
        guard case .answered(let session, let cxid, let zxid) = step.observation else { return nil }
        guard let place = step.place else { return "\(zxid) was answered, but nobody logged it" }
        guard view.isCommitted(place) else { return "\(zxid) was answered, but is not committed" }
        let entry = view.tree[place]
        guard entry.session != session || entry.cxid != cxid || entry.zxid != zxid else { return nil }
        return
            "request \(cxid) of session \(session) was answered as \(zxid), which is request \(entry.cxid) of session "
            + "\(entry.session)"
    }
}
