import ConclaveClient
import ConclaveCore
import TestLanes
import Testing

@testable import Recipes

@Suite("Books of a progress board")
struct ProgressLedgerTests {
    static func worker(
        _ name: String, _ report: ProgressReport, at milliseconds: Int64 = 0, czxid: Int64 = 1
    ) throws -> GroupMember {
        let text = String(decoding: try report.configurationBytes(), as: UTF8.self)
        return GroupMember(name: name, node: Say.node(text, czxid: czxid, mtime: milliseconds))
    }

    static func change(
        joined: [GroupMember] = [], left: [GroupMember] = [], changed: [GroupMember] = []
    ) -> GroupChange {
        GroupChange(members: [], joined: joined, left: left, changed: changed)
    }

    @Test("Totals add up; a total that one does not know, nobody knows")
    func totals() throws {
        var ledger = ProgressLedger()
        let a = try Self.worker("a", ProgressReport(done: 3, total: 10))
        let b = try Self.worker("b", ProgressReport(done: 4, total: 20))
        let both = ledger.take(Self.change(joined: [a, b]))
        #expect(both.done == 7 && both.total == 30 && both.count(.running) == 2 && both.remaining == nil)
        let unknown = ledger.take(Self.change(joined: [try Self.worker("c", ProgressReport(done: 1))]))
        #expect(unknown.done == 8 && unknown.total == nil)
    }

    @Test("Rates are units over the leader's time, over the last eight reports")
    func rates() throws {
        var ledger = ProgressLedger()
        var summary = ledger.take(Self.change(joined: [try Self.worker("a", ProgressReport(total: 1_000), at: 0)]))
        #expect(summary.workers[0].rate == nil && summary.rate == 0)
        for step in Int64(1)...20 {
            // Ten a second at first, then twenty.
            let done = step <= 10 ? step * 10 : 100 + (step - 10) * 20
            let report = ProgressReport(done: done, total: 1_000)
            summary = ledger.take(Self.change(changed: [try Self.worker("a", report, at: step * 1_000)]))
            if step == 10 { #expect(summary.workers[0].rate == 10) }
        }
        #expect(summary.rate == 20 && summary.remaining == .seconds(35))
    }

    @Test("A worker that goes without having finished is lost, until it comes back")
    func lost() throws {
        var ledger = ProgressLedger()
        let a = try Self.worker("a", ProgressReport(done: 3, total: 10))
        _ = ledger.take(Self.change(joined: [a]))
        let lost = ledger.take(Self.change(left: [a]))
        #expect(lost.workers.map(\.state) == [.lost] && lost.done == 3 && lost.remaining == .zero)
        let again = try Self.worker("a", ProgressReport(done: 1, total: 10), at: 50, czxid: 2)
        let back = ledger.take(Self.change(joined: [again]))
        #expect(back.workers.map(\.state) == [.running] && back.done == 1 && back.workers[0].rate == nil)
    }

    @Test("A worker that finishes leaves a record in the place of its node, which is never lost")
    func finished() throws {
        var ledger = ProgressLedger()
        let running = try Self.worker("a", ProgressReport(done: 9, total: 10))
        _ = ledger.take(Self.change(joined: [running]))
        let record = try Self.worker("a", ProgressReport(done: 10, total: 10, state: .finished), at: 500, czxid: 2)
        let finished = ledger.take(Self.change(joined: [record], left: [running]))
        #expect(finished.workers.map(\.state) == [.finished] && finished.workers[0].rate == 2)
        #expect(ledger.take(Self.change(left: [record])).workers.isEmpty)
    }

    @Test("What is no report is counted and shown nowhere; sums do not overflow")
    func strange() throws {
        var ledger = ProgressLedger()
        let junk = GroupMember(name: "junk", node: Say.node("?"))
        let huge = ProgressReport(done: .max, total: .max)
        let summary = ledger.take(
            Self.change(joined: [junk, try Self.worker("a", huge), try Self.worker("b", huge)]))
        #expect(summary.invalid == 1 && summary.workers.count == 2)
        #expect(summary.done == .max && summary.total == .max)
        #expect(ledger.take(Self.change(left: [junk])).invalid == 0)
    }

    @Test("No more than a thousand lost workers are remembered")
    func memory() throws {
        var ledger = ProgressLedger()
        let workers = try (0...ProgressLedger.lostLimit).map { try Self.worker("w\($0)", ProgressReport()) }
        #expect(ledger.take(Self.change(joined: workers)).workers.count == ProgressLedger.lostLimit + 1)
        _ = ledger.take(Self.change(left: workers))
        let names = Set(ledger.summary.workers.map(\.name))
        #expect(names.count == ProgressLedger.lostLimit && !names.contains("w0"))
    }
}

@Suite("Progress boards, live", .onServer, .live)
struct LiveProgressTests {
    static func follow(
        _ summaries: inout ProgressBoard.Summaries.AsyncIterator, until isRight: (ProgressSummary) -> Bool
    ) async throws -> ProgressSummary {
        while true {
            let summary = try #require(try await summaries.next())
            if isRight(summary) { return summary }
        }
    }

    @Test("A console sees workers begin, report, finish, fail and get lost")
    func life() async throws {
        try await Live.run { live in
            let board = ProgressBoard(try await live.connect(), at: live.path, interval: .milliseconds(1))
            let console = ProgressBoard(try await live.connect(), at: live.path)
            var summaries = console.summaries.makeAsyncIterator()
            #expect(try #require(try await summaries.next()).workers.isEmpty)
            let worker = try await board.start("a", total: 10, text: "warming up")
            let first = try await Self.follow(&summaries) { $0.count(.running) == 1 }
            #expect(first.workers[0].report == ProgressReport(total: 10, text: "warming up"))
            worker.report(done: 5, text: "half")
            worker.advance()
            _ = try await Self.follow(&summaries) { $0.done == 6 }
            await worker.end(text: "ready")
            let finished = try await Self.follow(&summaries) { $0.count(.finished) == 1 }
            #expect(finished.workers[0].report.text == "ready")
            struct Problem: Error {}
            await #expect(throws: Problem.self) {
                try await board.withWorker("b") { _ in throw Problem() }
            }
            _ = try await Self.follow(&summaries) { $0.count(.failed) == 1 }
            let client = try await live.connect()
            let doomed = try await ProgressBoard(client, at: live.path).start("c", total: 3)
            _ = try await Self.follow(&summaries) { $0.count(.running) == 1 }
            try await Live.expire(client)
            let lost = try await Self.follow(&summaries) { $0.count(.lost) == 1 }
            #expect(lost.workers.map(\.name) == ["a", "b", "c"])
            // A report after the loss does nothing and breaks nothing.
            doomed.report(done: 2)
            await doomed.end()
            #expect(try await console.summary().workers.map(\.state) == [.finished, .failed])
            #expect(try await console.clear() == 2)
            #expect(try await console.summary().workers.isEmpty)
        }
    }

    @Test("However often a worker reports, it writes once in the interval; the last report is always written")
    func rateLimited() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let board = ProgressBoard(client, at: live.path, interval: .seconds(3_600))
            let worker = try await board.start("a", total: 1_000)
            for _ in 0..<999 { worker.advance() }
            while try await client.exists(live.path + "/a")?.version != 1 { await Task.yield() }
            for _ in 0..<999 { worker.advance() }
            try await client.sync()
            #expect(try await client.exists(live.path + "/a")?.version == 1)
            await worker.end()
            let record = try await client.data(at: live.path + "/a")
            #expect(try ProgressReport(configurationBytes: record.bytes).done == 1_998)
            #expect(record.stat.ephemeralOwner == .none && record.stat.version == 0)
        }
    }

    @Test("A worker of the same name replaces what a finished one left, and the oldest records go")
    func records() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let board = ProgressBoard(client, at: live.path, keepingFinished: 2)
            for name in ["a", "b", "a", "c", "d"] {
                try await board.withWorker(name) { worker in
                    let owner = try await client.exists(live.path + "/" + name)?.ephemeralOwner
                    #expect(owner == client.sessionID)
                    worker.report(done: 1)
                }
            }
            #expect(try await board.summary().workers.map(\.name) == ["c", "d"])
        }
    }

    @Test("The connection fails at any step of a worker's life: its record is there all the same")
    func lostConnection() async throws {
        try await Live.run { live in
            let (client, relay) = try await LostConnectionTests.relayed(live)
            defer { relay.stop() }
            let console = ProgressBoard(try await live.connect(), at: live.path)
            for step in 1... {
                let board = ProgressBoard(client, at: live.path, interval: .seconds(3_600))
                let trigger = StepTrigger(at: step) { relay.loseNextAnswer() }
                try await trigger.observe {
                    let worker = try await board.start("w\(step)")
                    if step % 2 == 0 { relay.drop() }
                    await worker.end()
                }
                await board.group.waitUntilClean()
                let worker = try await console.summary().workers.first { $0.name == "w\(step)" }
                #expect(worker?.state == .finished, "step \(step)")
                guard trigger.hasFired else { break }
            }
        }
    }
}
