import ConclaveCore
import Recipes

/// When all have come to an end, no node of theirs is left but those that the server will take away by itself.
///
/// Every attempt has ended by a hold that was given up, by cancellation, by its deadline or by an error; sessions of
/// killed clients are still to expire. Source: DESIGN section 8, S7.
struct NoLitter: RecipeJudge {
    static let name = "S7: nothing is left behind"

    static func check(_ run: RecipeCase) -> String? {
        for place in run.scenario.places {
            let lives = place.parents.flatMap { run.history.lives(below: $0) }
            for life in lives where life.deleted == nil {
                // The members of a barrier may all die before the last one takes its sign away.
                if place.family == .doubleBarrier, RecipeHistory.name(of: life.path) == DoubleBarrierNodes.readyName {
                    continue
                }
                // The note of terms out of turn is needed until a younger term begins.
                if place.family == .election, RecipeHistory.name(of: life.path) == HandOver.dateName { continue }
                if let marker = HoldMarker(RecipeHistory.name(of: life.path)) {
                    guard isLitter(marker, lives, run) else { continue }
                }
                if life.owner == .none { return "\(life.path) stays for ever" }
                if run.livingSessions.contains(life.owner) {
                    return "\(life.path) stays for as long as session \(life.owner) lives"
                }
            }
        }
        return nil
    }

    /// Whether a marker should have gone: its hold was given up, or never came to be, in a session that lives.
    private static func isLitter(_ marker: HoldMarker, _ lives: [RecipeHistory.Life], _ run: RecipeCase) -> Bool {
        guard let node = lives.first(where: { $0.owner != .none && $0.path.contains(marker.id) }),
            run.livingSessions.contains(node.owner)
        else { return false }
        return run.holds.first { $0.holding.node == node.path }.map { !$0.isLost } ?? true
    }
}
