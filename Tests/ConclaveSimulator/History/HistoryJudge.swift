import ConclaveCore

/// Judges everything that clients saw against what the servers committed.
///
/// The committed history gives the order, so that nothing has to be searched: a write that was answered stands at the
/// zxid of its answer, one whose answer was lost stands where the history has it, or nowhere. What remains is to replay
/// the history in a model and to compare.
///
/// Source: anchors of this project: linearizability by search (Wing and Gong 1993, Lowe 2017) is only needed where the
/// order is unknown; see ``LinearizabilitySearch`` for that.
package struct HistoryJudge<Model: ReferenceModel> {
    package typealias Record = ClientRecord<Model.Request, Model.Response, Model.WatchKey>

    /// A broken promise, without time: that of the whole history.
    package struct Finding: Equatable, Sendable {
        package let rule: String
        package let detail: String
    }

    /// Something at a zxid.
    struct Event {
        enum What {
            case write(record: Int, operation: Int)
            case sessionEnd(SessionID)
            case removal(String)
            case read(record: Int, operation: Int)
        }

        var zxid: Zxid
        /// Writes come before reads of the same zxid.
        var isRead: Bool
        var moment: UInt64
        var what: What
    }

    struct RequestKey: Hashable {
        var session: SessionID
        var cxid: Int32
    }

    let committed: [LogEntry]
    let records: [Record]

    package init(committed: [LogEntry], records: [Record]) {
        self.committed = committed
        self.records = records
    }

    /// The first finding.
    package func judge() -> Finding? {
        var timeline: [Event] = []
        if let finding = arrange(&timeline) { return finding }
        return checkRealTime(timeline) ?? checkSessions() ?? replay(timeline)
    }

    /// Puts everything into the order of zxids.
    private func arrange(_ timeline: inout [Event]) -> Finding? {
        // Only asked for single keys, never iterated.
        var writes: [RequestKey: (record: Int, operation: Int)] = [:]
        for (number, record) in records.enumerated() {
            for (index, operation) in record.operations.enumerated() {
                if operation.isWrite {
                    let key = RequestKey(session: operation.session, cxid: operation.cxid)
                    guard writes.updateValue((number, index), forKey: key) == nil else {
                        preconditionFailure("the workload used request \(key) twice")
                    }
                } else if let answer = operation.answer {
                    timeline.append(
                        Event(
                            zxid: answer.zxid, isRead: true, moment: answer.moment,
                            what: .read(record: number, operation: index)))
                }
            }
        }
        var answered = 0
        for entry in committed {
            switch entry.kind {
            case .other:
                guard let path = entry.removed else { continue }
                timeline.append(Event(zxid: entry.zxid, isRead: false, moment: 0, what: .removal(path)))
            case .request:
                let key = RequestKey(session: entry.session, cxid: entry.cxid)
                guard let write = writes[key] else {
                    return Finding(
                        rule: "nothing happens that nobody asked for",
                        detail: "\(entry.zxid): request \(entry.cxid) of session \(entry.session)")
                }
                let operation = records[write.record].operations[write.operation]
                if let answer = operation.answer {
                    answered += 1
                    guard answer.zxid == entry.zxid else {
                        return Finding(
                            rule: "an answered write is committed",
                            detail: "request \(entry.cxid) of session \(entry.session) was answered as \(answer.zxid), "
                                + "but stands at \(entry.zxid)")
                    }
                }
                timeline.append(
                    Event(
                        zxid: entry.zxid, isRead: false, moment: operation.askedAt,
                        what: .write(record: write.record, operation: write.operation)))
            case .closeSession:
                timeline.append(
                    Event(zxid: entry.zxid, isRead: false, moment: 0, what: .sessionEnd(entry.session)))
            }
        }
        let expected = records.reduce(0) { sum, record in
            sum + record.operations.count { $0.isWrite && $0.answer != nil }
        }
        guard answered == expected else {
            return Finding(
                rule: "an answered write is committed",
                detail: "\(expected) writes were answered, \(answered) of them are in the history")
        }
        timeline.sort { ($0.zxid, $0.isRead ? 1 : 0, $0.moment) < ($1.zxid, $1.isRead ? 1 : 0, $1.moment) }
        return nil
    }

    /// A write that began after another one was answered has a later place in the history.
    private func checkRealTime(_ timeline: [Event]) -> Finding? {
        var latest: (askedAt: UInt64, zxid: Zxid) = (0, .zero)
        for event in timeline {
            guard case .write(let record, let index) = event.what else { continue }
            let operation = records[record].operations[index]
            if let answer = operation.answer, answer.moment < latest.askedAt {
                return Finding(
                    rule: "writes take effect between question and answer",
                    detail: "\(event.zxid) was answered before \(latest.zxid) was asked for, which has the lower number"
                )
            }
            if operation.askedAt > latest.askedAt { latest = (operation.askedAt, event.zxid) }
        }
        return nil
    }

    // MARK: Sessions

    /// Answers come in the order of the questions, and no session ever sees an older state than before.
    private func checkSessions() -> Finding? {
        for record in records {
            var session = SessionID.none
            var last: (moment: UInt64, zxid: Zxid, isWrite: Bool) = (0, .zero, false)
            for operation in record.operations {
                if operation.session != session {
                    session = operation.session
                    last = (0, .zero, false)
                }
                guard let answer = operation.answer else { continue }
                if answer.moment < last.moment {
                    return Finding(
                        rule: "a session's answers come in the order of its requests",
                        detail: "request \(operation.cxid) of session \(session) was answered before an earlier one")
                }
                if answer.zxid < last.zxid || (operation.isWrite && answer.zxid == last.zxid) {
                    return Finding(
                        rule: "a session never goes back",
                        detail: "request \(operation.cxid) of session \(session) was answered at \(answer.zxid) after "
                            + "\(last.zxid)")
                }
                last = (answer.moment, answer.zxid, operation.isWrite)
            }
        }
        return nil
    }

    // MARK: Replay

    private func replay(_ timeline: [Event]) -> Finding? {
        var model = Model()
        var watches = WatchJudge<Model>(records)
        for event in timeline {
            switch event.what {
            case .write(let record, let index):
                let operation = records[record].operations[index]
                let response = model.perform(operation.request, session: operation.session, zxid: event.zxid)
                if let answer = operation.answer, answer.response != response {
                    return Finding(
                        rule: "answers are those of one server without faults",
                        detail: "\(event.zxid): \(operation.request) of session \(operation.session) was answered with "
                            + "\(answer.response), not \(response)")
                }
                watches.changed(model.takeChanges(), at: event.zxid)
            case .sessionEnd(let session):
                model.close(session, zxid: event.zxid)
                watches.changed(model.takeChanges(), at: event.zxid)
            case .removal(let path):
                model.remove(path, zxid: event.zxid)
                watches.changed(model.takeChanges(), at: event.zxid)
            case .read(let record, let index):
                let operation = records[record].operations[index]
                let response = model.read(operation.request, session: operation.session)
                if let answer = operation.answer, answer.response != response {
                    return Finding(
                        rule: "a read shows the state at its zxid",
                        detail: "\(event.zxid): \(operation.request) of session \(operation.session) was answered with "
                            + "\(answer.response), not \(response)")
                }
            }
        }
        return watches.judge()
    }
}
