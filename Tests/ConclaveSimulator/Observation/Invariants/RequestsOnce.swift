import ConclaveCore

/// A client's request is carried out once at most.
///
/// Source: ZooKeeper's promise that a request is either carried out once or not at all; the number of a request is
/// unique within its session.
struct RequestsOnce: Invariant {
    static let name = "a request is carried out once"

    private struct Request: Hashable, Sendable {
        var session: SessionID
        var cxid: Int32
    }

    // Asked whether something is in it, never iterated.
    private var seen: Set<Request> = []

    mutating func check(_ step: ClusterView.Step, _ view: ClusterView) -> String? {
        for depth in step.newlyCommitted {
            let entry = view.tree[view.committed[depth]]
            guard entry.kind == .request else { continue }
            guard seen.insert(Request(session: entry.session, cxid: entry.cxid)).inserted else {
                return "request \(entry.cxid) of session \(entry.session) was carried out again as \(entry.zxid)"
            }
        }
        return nil
    }
}
