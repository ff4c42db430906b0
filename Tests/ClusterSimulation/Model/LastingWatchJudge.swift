import ConclaveCore
import ConclaveSimulator

/// Judges lasting watches: in each spell the client hears of every change, once, in the order in which they happened,
/// each before it sees a state in which the change has happened.
///
/// Only within one transaction the order is left open: the end of a session removes several nodes.
struct LastingWatchJudge {
    typealias Record = ClientRecord<TreeRequest<Int64>, TreeResponse<Int64>, TreeWatchKey>

    private struct Change {
        var zxid: Zxid
        var event: WatchEvent
    }

    private struct RequestKey: Hashable {
        var session: SessionID
        var cxid: Int32
    }

    private let committed: [LogEntry]
    private let witnesses: [(record: Record, watches: [LastingWatch])]
    private(set) var heard = 0

    init(_ committed: [LogEntry], _ witnesses: [(record: Record, watches: [LastingWatch])]) {
        self.committed = committed
        self.witnesses = witnesses
    }

    mutating func judge() -> (rule: String, detail: String)? {
        guard witnesses.contains(where: { !$0.watches.isEmpty }) else { return nil }
        let changes = replay()
        for (record, watches) in witnesses {
            for watch in watches {
                for spell in watch.spells {
                    heard += spell.heard.count
                    let expected = changes.filter { $0.zxid > spell.armedAt && watch.wants($0.event) }
                    if let broken = compare(spell, expected, watch) ?? findLost(spell, expected, watch, record) {
                        return broken
                    }
                }
            }
        }
        return nil
    }

    /// Everything that has happened to nodes, in order.
    private func replay() -> [Change] {
        // Asked for single keys only.
        var writes: [RequestKey: TreeRequest<Int64>] = [:]
        for (record, _) in witnesses {
            for operation in record.operations where operation.isWrite {
                writes[RequestKey(session: operation.session, cxid: operation.cxid)] = operation.request
            }
        }
        var model = TreeModel<Int64>()
        model.keepsEvents = true
        var changes: [Change] = []
        for entry in committed {
            switch entry.kind {
            case .request:
                // That there is one was checked before.
                guard let request = writes[RequestKey(session: entry.session, cxid: entry.cxid)] else { continue }
                _ = model.perform(request, session: entry.session, zxid: entry.zxid)
            case .closeSession: model.close(entry.session, zxid: entry.zxid)
            case .other: if let path = entry.removed { model.remove(path, zxid: entry.zxid) }
            }
            changes += model.takeEvents().map { Change(zxid: entry.zxid, event: $0) }
        }
        return changes
    }

    /// What was heard is the beginning of what has happened.
    private func compare(
        _ spell: LastingWatch.Spell, _ expected: [Change], _ watch: LastingWatch
    ) -> (rule: String, detail: String)? {
        var start = 0
        while start < spell.heard.count {
            guard start < expected.count else {
                return finding("no event without a change", "\(spell.heard[start].event)", watch)
            }
            let zxid = expected[start].zxid
            var open = expected[start...].prefix { $0.zxid == zxid }.map(\.event)
            for heard in spell.heard[start...].prefix(open.count) {
                guard let place = open.firstIndex(of: heard.event) else {
                    let text = "\(heard.event), and what happened is \(open.map { "\($0)" }.joined(separator: ", "))"
                    return finding("lasting watches hear of every change, in order", "at \(zxid): \(text)", watch)
                }
                open.remove(at: place)
                start += 1
            }
        }
        return nil
    }

    /// Whoever has seen a state has heard of everything that led there.
    private func findLost(
        _ spell: LastingWatch.Spell, _ expected: [Change], _ watch: LastingWatch, _ record: Record
    ) -> (rule: String, detail: String)? {
        var due = 0
        var told = 0
        for operation in record.operations where operation.session == watch.session {
            guard let answer = operation.answer, answer.moment > spell.armedMoment else { continue }
            if let end = spell.endedMoment, answer.moment > end { break }
            while due < expected.count, expected[due].zxid <= answer.zxid { due += 1 }
            while told < spell.heard.count, spell.heard[told].moment < answer.moment { told += 1 }
            guard told < due else { continue }
            let change = expected[told]
            return finding(
                "an event comes before the state it tells of",
                "\(change.event) at \(change.zxid) was not heard before the answer to request \(operation.cxid)", watch)
        }
        return nil
    }

    private func finding(
        _ rule: String, _ detail: String, _ watch: LastingWatch
    ) -> (rule: String, detail: String) {
        let kind = watch.isRecursive ? "recursive" : "persistent"
        return (rule, "\(kind) watch of session \(watch.session) at \(watch.path): \(detail)")
    }
}
