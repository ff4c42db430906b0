import ConclaveCore
import Recipes

/// An item whose put was answered is in the queue once, any other at most once; it goes once, to whoever was told so.
///
/// Puts and takes note their ids in a mark, in the same transaction, which tells whose work a change in the queue was.
/// What consumers take out they had claimed. Source: DESIGN section 8, FIFO queue; documentation of `DistributedQueue`.
struct QueueOnce: RecipeJudge {
    static let name = "queue: an item is put once and taken once"

    private struct Item {
        let life: RecipeHistory.Life
        let payload: [UInt8]
    }

    static func check(_ run: RecipeCase) -> String? {
        for place in run.scenario.places where place.isQueueOfItems {
            if let finding = check(run, QueueNodes(items: place.path)) { return finding }
        }
        return nil
    }

    private static func check(_ run: RecipeCase, _ nodes: QueueNodes) -> String? {
        // Asked for single items, transactions and ids only.
        var payloads: [String: [UInt8]] = [:]
        var marked: [Zxid: String] = [:]
        for write in run.history.writes {
            let parent = RecipeHistory.parent(of: write.path)
            if parent == nodes.marks { marked[write.zxid] = String(decoding: write.value.prefix(18), as: UTF8.self) }
            if parent == nodes.items, payloads[write.path] == nil { payloads[write.path] = write.value }
        }
        let items = run.history.lives(below: nodes.items).map { Item(life: $0, payload: payloads[$0.path] ?? []) }
        var put: [String: [Item]] = [:]
        var gone: [String: [Item]] = [:]
        for item in items {
            guard let putter = marked[item.life.created] else { return "\(item.life.path) was put by nobody" }
            put[putter, default: []].append(item)
            guard let end = item.life.deleted else { continue }
            if let taker = marked[end] {
                gone[taker, default: []].append(item)
            } else if let finding = finished(run, nodes, item, at: end) {
                return finding
            }
        }
        for entry in run.journals.flatMap(\.journal.puts) where entry.path == nodes.items {
            let made = put[entry.attempt] ?? []
            guard made.count <= 1 else { return "an item was put \(made.count) times, at last as \(made[1].life.path)" }
            guard made.allSatisfy({ $0.payload == entry.payload }) else {
                return "\(made[0].life.path) is another item"
            }
            if made.isEmpty, entry.isPut { return "attempt \(entry.attempt) was said to have put an item and has not" }
        }
        for entry in run.journals.flatMap(\.journal.takes) where entry.path == nodes.items {
            let taken = gone[entry.attempt] ?? []
            if let first = taken.first, let other = taken.first(where: { $0.life.deleted != first.life.deleted }) {
                return "attempt \(entry.attempt) took \(first.life.path) and again \(other.life.path)"
            }
            guard let told = entry.payloads else { continue }
            guard told == taken.map(\.payload) else {
                return "attempt \(entry.attempt) was told of \(told.count) items and took "
                    + "[\(taken.map(\.life.path).joined(separator: ", "))]"
            }
        }
        return nil
    }

    /// Whether a consumer that had the item took it out.
    private static func finished(_ run: RecipeCase, _ nodes: QueueNodes, _ item: Item, at end: Zxid) -> String? {
        let claim = nodes.claims + "/" + RecipeHistory.name(of: item.life.path)
        let claims = run.history.lives(below: nodes.claims).filter { $0.path == claim && $0.deleted == end }
        let isTheirs = claims.contains { life in
            run.holds.contains { $0.holding.node == claim && $0.holding.token == life.created }
        }
        return isTheirs ? nil : "\(item.life.path) went at \(end) without its claim"
    }
}
