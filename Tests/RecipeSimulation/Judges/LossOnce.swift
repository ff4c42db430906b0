/// The end of a hold is told once, and before a later grant that the hold excludes.
///
/// Source: DESIGN section 8, S9.
struct LossOnce: RecipeJudge {
    static let name = "S9: the end of a hold is told once, before any later grant"

    static func check(_ run: RecipeCase) -> String? {
        for (journal, isAlive) in run.journals {
            for (place, hold) in journal.holds.enumerated() {
                let node = hold.holding.node
                guard let end = hold.endings.first else {
                    // A killed process tells nobody anything.
                    if isAlive { return "the end of \(node) was never told" }
                    continue
                }
                guard hold.endings.count == 1 else { return "the end of \(node) was told \(hold.endings.count) times" }
                let later = journal.holds[(place + 1)...].first { $0.excludes(hold) }
                if let later, later.moment < end.moment {
                    return "\(later.holding.node) was granted before the end of \(node) was told"
                }
            }
        }
        return nil
    }
}
