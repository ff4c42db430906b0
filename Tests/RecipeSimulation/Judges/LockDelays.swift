import ConclaveCore
import ConclaveSimulator
import Recipes

/// After a hold that ended without a release nobody holds for as long as was agreed.
///
/// Counted in true time from the last moment at which the lost holder acted, to the next grant. Leaders' times of day that
/// jump forward may cut a delay short; runs in which they do are not judged. Source: DESIGN section 8, lock-delay;
/// documentation of `DistributedLock`.
struct LockDelays: RecipeJudge {
    static let name = "lock-delay: after a loss nobody holds too early"

    /// Clocks go wrong by up to 2 percent.
    private static let tolerance = 95

    static func check(_ run: RecipeCase) -> String? {
        guard run.faults[.wallForward] == 0 else { return nil }
        for place in run.scenario.places {
            guard let delay = place.delay else { continue }
            let holds = run.holds(at: place)
            for (earlier, later) in zip(holds, holds.dropFirst()) where earlier.isLost {
                guard let end = earlier.beliefs.last?.until else { continue }
                let passed = (later.grantedAt - end) / 1_000_000
                if passed < delay.wholeMilliseconds * Int64(tolerance) / 100 {
                    return "\(later.holding.node) was granted \(passed) ms after the loss of \(earlier.holding.node), "
                        + "instead of \(delay)"
                }
            }
        }
        return nil
    }
}

extension RecipeJournal.Hold {
    /// It ended otherwise than by a release, or its client did.
    var isLost: Bool { if case .released? = endings.first?.ending { false } else { true } }
}
