import ConclaveCore

/// No session ends while its client may still believe in it, and no client begins to believe in one that has ended.
///
/// Source: DESIGN section 7, hold window; S5 of section 8. A session ends when its end is committed: what a leader
/// decides that is none any more ends nothing. A client that has given up its session believes in nothing.
struct SessionHold: Invariant {
    static let name = "no session ends while its client may believe in it"

    // Asked for single sessions only.
    private var ended: Set<SessionID> = []

    mutating func check(_ step: ClusterView.Step, _ view: ClusterView) -> String? {
        if case .held(let session, _) = step.observation {
            guard ended.contains(session), let hold = view.holds[session], step.time < hold.until else { return nil }
            return "its client believes in session \(session), which has ended, for another "
                + "\((hold.until - step.time) / 1_000) µs"
        }
        for depth in step.newlyCommitted {
            let entry = view.tree[view.committed[depth]]
            guard entry.kind == .closeSession else { continue }
            ended.insert(entry.session)
            guard let hold = view.holds[entry.session], step.time < hold.until else { continue }
            let early = (hold.until - step.time) / 1_000
            return
                "session \(entry.session) was ended by \(entry.zxid), \(early) µs before the end of its client's window"
        }
        return nil
    }
}
