import ConclaveCore
import Recipes

/// Whoever holds has nobody before it whom it must wait for, by the numbers of the nodes.
///
/// Source: DESIGN section 8, S1: the lowest contender holds; the fair lock's promise of first come, first served.
struct ArrivalOrder: RecipeJudge {
    static let name = "S1: who holds is the first"

    static func check(_ run: RecipeCase) -> String? {
        for place in run.scenario.places {
            for queue in place.queues {
                if let finding = check(run, queue, run.holds(at: place)) { return finding }
            }
        }
        return nil
    }

    private static func check(_ run: RecipeCase, _ queue: String, _ holds: [RecipeCase.Hold]) -> String? {
        let contenders = run.history.lives(below: queue).compactMap { life in
            ContenderName(RecipeHistory.name(of: life.path)).map { (life: life, name: $0) }
        }
        for hold in holds {
            for node in hold.holding.nodes where RecipeHistory.parent(of: node) == queue {
                guard let own = ContenderName(RecipeHistory.name(of: node)) else { return "\(node) is no contender" }
                let earlier = contenders.first { other in
                    other.name < own && !(own.isShared && other.name.isShared) && other.life.isThere(at: hold.seenAt)
                }
                if let earlier { return "\(node) held at \(hold.seenAt) behind \(earlier.life.path)" }
            }
        }
        return nil
    }
}
