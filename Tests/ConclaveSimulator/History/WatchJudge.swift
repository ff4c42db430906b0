import ConclaveCore

/// Judges watches: each fires once for the first change behind the state in which it was set, and its client hears of
/// the change before it sees any state in which the change has happened.
///
/// The second rule covers lost events too: a client that has seen a later state must have heard.
struct WatchJudge<Model: ReferenceModel> {
    private typealias Record = HistoryJudge<Model>.Record

    private struct Pending {
        var record: Int
        var watch: Int
        var setAt: Zxid
    }

    private let records: [HistoryJudge<Model>.Record]
    /// Watches that wait for a change of a key, by the zxid at which they were set. Asked for single keys only.
    private var waiting: [Model.WatchKey: [Pending]] = [:]
    /// For each watch the change it must tell of.
    private var due: [[Zxid?]]

    init(_ records: [HistoryJudge<Model>.Record]) {
        self.records = records
        due = records.map { [Zxid?](repeating: nil, count: $0.watches.count) }
        for (number, record) in records.enumerated() {
            for (index, watch) in record.watches.enumerated() {
                waiting[watch.key, default: []].append(Pending(record: number, watch: index, setAt: watch.setAt))
            }
        }
    }

    /// Called in the order of zxids.
    mutating func changed(_ keys: [Model.WatchKey], at zxid: Zxid) {
        for key in keys {
            guard let pending = waiting[key] else { continue }
            var left: [Pending] = []
            for one in pending {
                if one.setAt < zxid { due[one.record][one.watch] = zxid } else { left.append(one) }
            }
            waiting[key] = left
        }
    }

    func judge() -> HistoryJudge<Model>.Finding? {
        for (number, record) in records.enumerated() {
            for (index, watch) in record.watches.enumerated() {
                guard let change = due[number][index] else {
                    guard watch.firedMoment != nil else { continue }
                    return .init(
                        rule: "no event without a change",
                        detail: "session \(watch.session) heard of a change of \(watch.key) behind \(watch.setAt)")
                }
                let seen = firstSight(of: change, by: watch, in: record)
                if let fired = watch.firedMoment {
                    // One that may have missed a change hears of a later one.
                    guard let seen, seen < fired, !watch.mayMiss else { continue }
                    return .init(
                        rule: "an event comes before the state it tells of",
                        detail:
                            "session \(watch.session) saw a state behind \(change) before it heard of the change of "
                            + "\(watch.key)")
                }
                guard let seen, !watch.mayMiss, watch.endedMoment.map({ seen < $0 }) ?? true else { continue }
                return .init(
                    rule: "no event is lost",
                    detail:
                        "session \(watch.session) never heard of the change of \(watch.key) at \(change), but saw a "
                        + "later state")
            }
        }
        return nil
    }

    /// When a session first saw a state in which a change had happened, after it had set a watch for it.
    private func firstSight(
        of change: Zxid, by watch: RecordedWatch<Model.WatchKey>, in record: HistoryJudge<Model>.Record
    ) -> UInt64? {
        // Answers of one session never go back, which was checked before; several sessions follow one another.
        let operations = record.operations
        var low = 0
        var high = operations.count
        while low < high {
            let middle = (low + high) / 2
            if operations[middle].askedAt < watch.setMoment { low = middle + 1 } else { high = middle }
        }
        // A request that was on its way when the watch was set is answered after it.
        var index = low
        while index > 0, let answer = operations[index - 1].answer, answer.moment > watch.setMoment { index -= 1 }
        while index < operations.count, operations[index].session == watch.session {
            if let answer = operations[index].answer, answer.zxid >= change, answer.moment > watch.setMoment {
                return answer.moment
            }
            index += 1
        }
        return nil
    }
}
