import ConclaveCore
import ConclaveSimulator
import Testing

/// Histories written by hand, judged as those of a run are.
@Suite struct HistoryTests {
    private typealias Record = ClientRecord<ToyModel.Request, ToyAnswer, Int32>
    private let session = SessionID(rawValue: 7)

    private func zxid(_ counter: UInt32) -> Zxid { Zxid(epoch: 1, counter: counter) }

    private func committed(_ counter: UInt32, cxid: Int32, session: Int64 = 7) -> LogEntry {
        LogEntry(
            zxid: zxid(counter), kind: .request, session: SessionID(rawValue: session), cxid: cxid, fingerprint: 0)
    }

    /// A client that asks and is answered at given moments.
    private struct Script {
        var record = Record()
        var session = SessionID(rawValue: 7)
        var cxid: Int32 = 0

        mutating func write(
            _ value: Int64, key: Int32 = 0, from asked: UInt64, to answered: UInt64?, zxid: Zxid, version: Int32
        ) {
            cxid += 1
            let request = ToyModel.Request(command: ToyCommand(kind: .set, key: key, value: value))
            let operation = record.ask(request, isWrite: true, session: session, cxid: cxid, moment: asked)
            guard let answered else { return }
            record.answer(
                operation, ToyAnswer(isDone: true, value: value, version: version), zxid: zxid, moment: answered)
        }

        mutating func read(
            _ value: Int64, key: Int32 = 0, version: Int32, from asked: UInt64, to answered: UInt64, zxid: Zxid
        ) {
            cxid += 1
            let request = ToyModel.Request(command: ToyCommand(kind: .read, key: key))
            let operation = record.ask(request, isWrite: false, session: session, cxid: cxid, moment: asked)
            record.answer(
                operation, ToyAnswer(isDone: true, value: value, version: version), zxid: zxid, moment: answered)
        }
    }

    private func judge(_ committed: [LogEntry], _ scripts: Script...) -> String? {
        HistoryJudge<ToyModel>(committed: committed, records: scripts.map(\.record)).judge()?.rule
    }

    @Test("A history as it should be is accepted, with a lost answer either way")
    func right() {
        var script = Script()
        script.write(10, from: 1, to: 2, zxid: zxid(1), version: 1)
        script.write(11, from: 3, to: nil, zxid: .zero, version: 0)
        script.write(12, from: 4, to: nil, zxid: .zero, version: 0)
        script.read(11, version: 2, from: 5, to: 6, zxid: zxid(2))
        #expect(judge([committed(1, cxid: 1), committed(2, cxid: 2)], script) == nil)
    }

    @Test("A write that was answered and is not there is found")
    func lostWrite() {
        var script = Script()
        script.write(10, from: 1, to: 2, zxid: zxid(1), version: 1)
        #expect(judge([], script) == "an answered write is committed")
    }

    @Test("A write that nobody asked for is found")
    func inventedWrite() {
        #expect(judge([committed(1, cxid: 5)], Script()) == "nothing happens that nobody asked for")
    }

    @Test("A later write with a lower place is found, concurrent ones may go either way")
    func realTime() {
        for (asked, rule) in [
            (UInt64(3), "writes take effect between question and answer"), (1, nil as String?),
        ] {
            var first = Script()
            first.write(10, from: 1, to: 2, zxid: zxid(2), version: 2)
            var second = Script()
            second.session = SessionID(rawValue: 8)
            second.write(11, from: asked, to: 4, zxid: zxid(1), version: 1)
            #expect(judge([committed(1, cxid: 1, session: 8), committed(2, cxid: 1)], first, second) == rule)
        }
    }

    @Test("A wrong answer and a stale read are found")
    func wrongAnswers() {
        var script = Script()
        script.write(10, from: 1, to: 2, zxid: zxid(1), version: 5)
        #expect(judge([committed(1, cxid: 1)], script) == "answers are those of one server without faults")
        script = Script()
        script.write(10, from: 1, to: 2, zxid: zxid(1), version: 1)
        script.read(0, version: 0, from: 3, to: 4, zxid: zxid(1))
        #expect(judge([committed(1, cxid: 1)], script) == "a read shows the state at its zxid")
    }

    @Test("A session that goes back, and answers out of order, are found")
    func sessions() {
        var script = Script()
        script.write(10, from: 1, to: 2, zxid: zxid(1), version: 1)
        script.read(0, version: 0, from: 3, to: 4, zxid: .zero)
        #expect(judge([committed(1, cxid: 1)], script) == "a session never goes back")
        script = Script()
        script.write(10, from: 1, to: 6, zxid: zxid(1), version: 1)
        script.read(10, version: 1, from: 2, to: 4, zxid: zxid(1))
        #expect(judge([committed(1, cxid: 1)], script) == "a session's answers come in the order of its requests")
    }

    /// A read sets a watch on key 0 at 0, somebody else's write is 1.1, and the client reads again.
    private func watched(firedAt: UInt64?, readAt: UInt64?, change: Bool = true) -> String? {
        var script = Script()
        script.read(0, version: 0, from: 1, to: 2, zxid: .zero)
        let watch = script.record.watch(0, session: session, setAt: .zero, moment: 3)
        if let firedAt { script.record.fire(watch, moment: firedAt) }
        if let readAt { script.read(10, version: 1, from: readAt - 1, to: readAt, zxid: zxid(1)) }
        var other = Script()
        other.session = SessionID(rawValue: 8)
        if change { other.write(10, from: 4, to: nil, zxid: .zero, version: 0) }
        return judge(change ? [committed(1, cxid: 1, session: 8)] : [], script, other)
    }

    @Test("A watch fires before the change is seen, once, and for a change only")
    func watches() {
        #expect(watched(firedAt: 10, readAt: 20) == nil)
        #expect(watched(firedAt: nil, readAt: nil) == nil)
        #expect(watched(firedAt: 30, readAt: 20) == "an event comes before the state it tells of")
        #expect(watched(firedAt: nil, readAt: 20) == "no event is lost")
        #expect(watched(firedAt: 10, readAt: nil, change: false) == "no event without a change")
    }

    @Test("A watch that was given up, or that may miss a change, need not fire")
    func excusedWatches() {
        for isExcused in [true, false] {
            var script = Script()
            script.read(0, version: 0, from: 1, to: 2, zxid: .zero)
            let watch = script.record.watch(0, session: session, setAt: .zero, moment: 3)
            if isExcused { script.record.excuse(watch: watch) } else { script.record.end(watch: watch, moment: 4) }
            script.read(10, version: 1, from: 5, to: 6, zxid: zxid(1))
            var other = Script()
            other.session = SessionID(rawValue: 8)
            other.write(10, from: 4, to: nil, zxid: .zero, version: 0)
            #expect(judge([committed(1, cxid: 1, session: 8)], script, other) == nil)
        }
    }
}
