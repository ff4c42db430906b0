import ConclaveCore
import Recipes

/// Nobody passes a barrier before so many have come, and who leaves a double barrier leaves nobody behind who was there when it
/// opened.
///
/// Source: DESIGN section 8, barriers; ZooKeeper's recipe for double barriers; documentation of `DoubleBarrier` and
/// `CountBarrier`.
struct Gatherings: RecipeJudge {
    static let name = "barriers: nobody passes before all have come, or leaves before all have left"

    typealias Passage = RecipeJournal.Passage

    static func check(_ run: RecipeCase) -> String? {
        for place in run.scenario.places {
            let passages = run.journals.flatMap(\.journal.passages).filter { $0.path == place.path }
            switch place.family {
            case .doubleBarrier: if let finding = double(run, place, passages) { return finding }
            case .countBarrier: if let finding = counted(run, place, passages) { return finding }
            default: continue
            }
        }
        return nil
    }

    /// The most that were there at one state up to a certain one.
    private static func gathered(_ lives: [RecipeHistory.Life], upTo zxid: Zxid) -> Int {
        lives.filter { $0.created <= zxid }.map { life in lives.count { $0.isThere(at: life.created) } }.max() ?? 0
    }

    // MARK: Double

    private static func double(_ run: RecipeCase, _ place: Scenario.Place, _ passages: [Passage]) -> String? {
        let all = run.history.lives(below: place.path)
        let ready = all.filter { RecipeHistory.name(of: $0.path) == DoubleBarrierNodes.readyName }
        let members = all.filter { RecipeHistory.name(of: $0.path) != DoubleBarrierNodes.readyName }
        var before = Zxid.zero
        for opening in ready {
            let round = members.filter { $0.deleted.map { $0 > before } ?? true }
            let count = gathered(round, upTo: opening.created)
            if count < place.meeting { return "it opened at \(opening.created) for \(count) of \(place.meeting)" }
            before = opening.deleted ?? Zxid(rawValue: .max)
        }
        for passage in passages {
            guard let entered = passage.enteredAt, let own = members.first(where: { $0.path == passage.node }) else {
                continue
            }
            let opening = ready.first { $0.created <= entered && $0.deleted.map { $0 > own.created } ?? true }
            guard let opening else { return "\(passage.node) entered at \(entered) and it was not open" }
            guard let left = passage.leftAt else { continue }
            // Whoever comes when it is open already may do so behind the list by which this member leaves.
            let behind = members.first { $0.created <= opening.created && $0.isThere(at: left) }
            if let behind { return "\(passage.node) left at \(left) before \(behind.path) did" }
        }
        return nil
    }

    // MARK: Counted

    private static func counted(_ run: RecipeCase, _ place: Scenario.Place, _ passages: [Passage]) -> String? {
        let openings = run.history.writes.filter { $0.path == place.path }.map(\.zxid)
        let members = run.history.lives(below: place.path)
        for passage in passages {
            guard let passed = passage.enteredAt, let round = passage.round else { continue }
            // The first write makes the node, the next one opens round 0.
            guard openings.indices.contains(Int(round) + 1), case let opened = openings[Int(round) + 1],
                opened <= passed
            else { return "\(passage.node) passed round \(round) at \(passed) before it opened" }
            let prefix = "\(round)-"
            let own = members.filter { RecipeHistory.name(of: $0.path).hasPrefix(prefix) }
            guard own.contains(where: { RecipeHistory.name(of: $0.path) == prefix + passage.node }) else {
                return "\(passage.node) passed round \(round) and was not in it"
            }
            let count = gathered(own, upTo: opened)
            if count < place.meeting { return "round \(round) opened at \(opened) for \(count) of \(place.meeting)" }
        }
        return nil
    }
}
