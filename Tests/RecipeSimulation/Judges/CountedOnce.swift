import ConclaveCore
import Recipes

/// An addition to a counter is made once if it was answered, at most once if it was not, and tells what it has changed.
///
/// Each addition has an amount of its own, so the counter's history tells which one made a step. Source: DESIGN section
/// 8, counter; documentation of `SharedCounter`.
struct CountedOnce: RecipeJudge {
    static let name = "counter: an answered addition is made once, any other at most once"

    private struct Step {
        let zxid: Zxid
        let before: Int64
        let after: Int64
    }

    static func check(_ run: RecipeCase) -> String? {
        for place in run.scenario.places where place.family == .counter {
            // Asked for single amounts only.
            var steps: [Int64: [Step]] = [:]
            var before: Int64?
            for write in run.history.writes where write.path == place.path {
                guard let after = CounterBlock.decode(write.value) else { return "\(write.zxid) wrote no number" }
                if let before {
                    steps[after - before, default: []].append(.init(zxid: write.zxid, before: before, after: after))
                }
                before = after
            }
            let additions = run.journals.flatMap(\.journal.additions).filter { $0.path == place.path }
            for addition in additions {
                let made = steps.removeValue(forKey: addition.amount) ?? []
                guard made.count <= 1 else { return "\(addition.amount) was added \(made.count) times" }
                guard let output = addition.output else { continue }
                guard let step = made.first else { return "\(addition.amount) was said to be added and was not" }
                guard step.before == output.before, step.after == output.after, output.isWritten else {
                    return "\(step.zxid) made \(step.before) to \(step.after), the answer was \(output)"
                }
            }
            if let stray = steps.values.flatMap(\.self).min(by: { $0.zxid < $1.zxid }) {
                return "\(stray.zxid) made \(stray.before) to \(stray.after), which nobody has asked for"
            }
        }
        return nil
    }
}
