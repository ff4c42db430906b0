import ConclaveCore
import Recipes

/// A queue with a limit has no more items than that and those of whoever put at the same time.
///
/// Each producer looks whether there is room before it puts, so that each of them can be one item late. Source: DESIGN
/// section 8, FIFO queue; documentation of `DistributedQueue`.
struct QueueBounds: RecipeJudge {
    static let name = "queue: a limit is kept to the number of producers"

    static func check(_ run: RecipeCase) -> String? {
        let actors = run.journals.count * run.scenario.actors
        for place in run.scenario.places {
            guard let capacity = place.capacity else { continue }
            // At the end some items are put for each of those who wait, all at once.
            let producers = actors * (1 + place.limit)
            let items = run.history.lives(below: place.path)
            for item in items {
                let there = items.count { $0.isThere(at: item.created) }
                guard there <= capacity + producers else {
                    return "\(there) items were there at \(item.created), where \(capacity) are allowed"
                }
            }
        }
        return nil
    }
}
