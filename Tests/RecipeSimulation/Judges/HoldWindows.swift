import ConclaveCore

/// In true time nobody may act as holder while another one may.
///
/// A client may from the grant to the end that it is told, but no longer than its window, which it reads from a clock of
/// its own; asleep it goes on. Source: DESIGN sections 7 and 8, S5.
struct HoldWindows: RecipeJudge {
    static let name = "S5: windows of holders do not overlap"

    private struct Stretch {
        let belief: RecipeJournal.Belief
        let hold: RecipeCase.Hold
    }

    static func check(_ run: RecipeCase) -> String? {
        for place in run.scenario.places {
            let stretches = run.holds(at: place).flatMap { hold in
                hold.beliefs.filter { $0.from < $0.until }.map { Stretch(belief: $0, hold: hold) }
            }
            var open: [Stretch] = []
            for stretch in stretches.sorted(by: { $0.belief.from < $1.belief.from }) {
                open.removeAll { $0.belief.until <= stretch.belief.from }
                if let other = open.first(where: {
                    $0.hold.moment != stretch.hold.moment && $0.hold.excludes(stretch.hold)
                }) {
                    let microseconds = (other.belief.until - stretch.belief.from) / 1_000
                    return "\(stretch.hold.holding.node) was held from \(stretch.belief.from / 1_000) µs on, while "
                        + "\(other.hold.holding.node) was for another \(microseconds) µs"
                }
                open.append(stretch)
            }
        }
        return nil
    }
}
