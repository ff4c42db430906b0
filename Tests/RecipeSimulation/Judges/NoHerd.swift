/// A release wakes one waiter, whatever their number.
///
/// Readers behind one writer are woken together, and an offer to a candidate wakes who waits behind that one, too. That
/// every waiter is woken at all shows in the healing phase, in which everybody must get a turn. Source: DESIGN section 8, S8; ZooKeeper's recipe for locks, "herd effect".
struct NoHerd: RecipeJudge {
    static let name = "S8: a release wakes one waiter"

    static func check(_ run: RecipeCase) -> String? {
        for (journal, _) in run.journals {
            for wakeUp in journal.wakeUps where !wakeUp.isShared {
                let others = run.journals.flatMap { other, _ in
                    other.wakeUps.filter { $0.path == wakeUp.path && !$0.isShared }
                        .map { (process: other.process, attempt: $0.attempt) }
                }
                if others.contains(where: { $0.process != journal.process || $0.attempt != wakeUp.attempt }),
                    run.scenario.isQueue(wakeUp.path), !run.scenario.handsOver(wakeUp.path)
                {
                    return "\(wakeUp.path) woke \(others.count) waiters"
                }
            }
        }
        return nil
    }
}
