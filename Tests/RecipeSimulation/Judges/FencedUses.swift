import ConclaveCore
import Recipes

/// A resource outside of the ensemble that asks a `FenceGuard` sees no older holder after a newer one.
///
/// Uses reach it late and in another order than they were sent. Source: DESIGN section 8, S4; Kleppmann, How to do
/// distributed locking (2016).
struct FencedUses: RecipeJudge {
    static let name = "S4: behind a fence guard no older holder comes after a newer one"

    static func check(_ run: RecipeCase) -> String? {
        for place in run.scenario.places {
            var highest = Zxid.zero
            for token in admitted(run, place).admitted {
                guard token >= highest else { return "token \(token) was admitted after \(highest)" }
                highest = token
            }
        }
        return nil
    }

    static func refused(_ run: RecipeCase) -> Int {
        run.scenario.places.reduce(0) { $0 + admitted(run, $1).refused }
    }

    private static func admitted(_ run: RecipeCase, _ place: Scenario.Place) -> (admitted: [Zxid], refused: Int) {
        var fence = FenceGuard()
        var tokens: [Zxid] = []
        let uses = run.journals.flatMap(\.journal.uses).filter { $0.path == place.path }
        let arrivals = uses.sorted { ($0.arrival, $0.token) < ($1.arrival, $1.token) }
        for use in arrivals where (try? fence.admit(FencingToken(use.token))) != nil { tokens.append(use.token) }
        return (tokens, uses.count - tokens.count)
    }
}
