import ConclaveCore
import Recipes

/// Whoever passes a gate does so after a moment at which it was open, and whoever has waited for a latch after so many had counted
/// it down, each name once.
///
/// A client knows the state that it has seen last when it begins to wait and when it has been let through: in between the gate must
/// have been open.
/// Source: DESIGN section 8, barriers; documentation of `Gate` and `CountDownLatch`.
struct Openings: RecipeJudge {
    static let name = "gates and latches: nobody passes while they are closed"

    static func check(_ run: RecipeCase) -> String? {
        for place in run.scenario.places {
            let waits = run.journals.flatMap(\.journal.waits).filter { $0.path == place.path }
            let finding: String? =
                switch place.family {
                case .gate: gate(run, place, waits)
                case .latch: latch(run, place, waits)
                default: nil
                }
            if let finding { return finding }
        }
        return nil
    }

    private static func gate(_ run: RecipeCase, _ place: Scenario.Place, _ waits: [RecipeJournal.Wait]) -> String? {
        let closures = run.history.lives(below: RecipeHistory.parent(of: place.path)).filter { $0.path == place.path }
        for wait in waits {
            guard let until = wait.until else { continue }
            let closure = closures.first { $0.created <= wait.from && $0.isThere(at: until) }
            if let closure {
                return "\(place.path) was passed between \(wait.from) and \(until), and closed from \(closure.created) "
                    + "to \(closure.deleted.map(String.init(describing:)) ?? "the end")"
            }
        }
        return nil
    }

    private static func latch(_ run: RecipeCase, _ place: Scenario.Place, _ waits: [RecipeJournal.Wait]) -> String? {
        let counted = run.history.lives(below: place.path)
        func count(at zxid: Zxid) -> Int { counted.count { $0.created <= zxid } }
        for wait in waits {
            guard let until = wait.until, case let seen = count(at: until), seen < place.meeting else { continue }
            return "\(place.path) opened for somebody at \(until) when \(seen) of \(place.meeting) had counted"
        }
        for call in run.journals.flatMap(\.journal.counts) where call.path == place.path {
            guard let left = call.left, let until = call.until else { continue }
            let own = counted.filter { RecipeHistory.name(of: $0.path) == call.name }
            guard own.count == 1, own[0].created <= until else { return "\(call.name) was answered and did not count" }
            // So many had counted when the answer was made, some time in between.
            let then = place.meeting - left
            guard then <= count(at: until), left <= max(0, place.meeting - count(at: call.from)) else {
                return "\(call.name) was told that \(left) are left at \(until), and \(count(at: until)) had counted"
            }
        }
        return nil
    }
}
