import ConclaveCore
import Recipes

/// Of a worker's numbers each stands for one node at a time, and who comes takes the lowest that was free when it
/// looked.
///
/// Between its look and its transaction nobody else has taken a number, though somebody may have given one back.
///
/// Source: DESIGN section 8, worker slots; documentation of `WorkerSlots`.
struct LowestNumber: RecipeJudge {
    static let name = "worker slots: one holder for each number, the lowest free first"

    static func check(_ run: RecipeCase) -> String? {
        for place in run.scenario.places where place.family == .workerSlots {
            let lives = place.parents.flatMap { run.history.lives(below: $0) }.compactMap { life in
                WorkerSlotMachine.number(of: RecipeHistory.name(of: life.path)).map { (life: life, number: $0) }
            }
            for (place, own) in lives.enumerated() {
                let earlier = lives[..<place]
                if earlier.contains(where: { $0.number == own.number && $0.life.isThere(at: own.life.created) }) {
                    return "\(own.life.path) was made when number \(own.number) was taken"
                }
                let last = earlier.last?.life.created ?? .zero
                let taken = earlier.filter { $0.life.isThere(at: last) }.map(\.number)
                if let free = (0..<own.number).first(where: { !taken.contains($0) }) {
                    return "\(own.life.path) was made when number \(free) was free"
                }
            }
        }
        return nil
    }
}
