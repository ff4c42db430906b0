import ConclaveClient
import ConclaveCore
import TestLanes
import Testing

@testable import Recipes

@Suite("Judging heartbeats")
struct HeartbeatJudgeTests {
    static func member(_ name: String, _ version: Int32, czxid: Int64 = 1) -> GroupMember {
        GroupMember(name: name, node: Say.node("", czxid: czxid, version: version, mtime: Int64(version) * 100))
    }

    static func words(_ changes: [MemberHealth]) -> [String] { changes.map { "\($0.name) \($0.condition)" } }

    static func judge() -> HeartbeatJudge {
        HeartbeatJudge(suspectAfter: .seconds(3), deadAfter: .seconds(10))
    }

    @Test("Silence makes suspect, then dead; a beat makes alive again")
    func silence() {
        var judge = Self.judge()
        #expect(Self.words(judge.look([Self.member("a", 0)], at: .zero)) == ["a alive"])
        #expect(judge.look([Self.member("a", 1)], at: .seconds(2)).isEmpty)
        #expect(judge.look([Self.member("a", 1)], at: .milliseconds(4_999)).isEmpty)
        let suspect = judge.look([Self.member("a", 1)], at: .seconds(5))
        #expect(Self.words(suspect) == ["a suspect"])
        #expect(suspect[0].silence == .seconds(3) && suspect[0].lastBeatMilliseconds == 100)
        #expect(judge.look([Self.member("a", 1)], at: .seconds(11)).isEmpty)
        #expect(judge.look([Self.member("a", 1)], at: .seconds(12)).map(\.condition) == [.dead(.silent)])
        #expect(judge.everybody(at: .seconds(12)).map(\.condition) == [.dead(.silent)])
        #expect(Self.words(judge.look([Self.member("a", 2)], at: .seconds(13))) == ["a alive"])
    }

    @Test("A node that goes is dead at once, is remembered, and is alive when it comes back")
    func gone() {
        var judge = Self.judge()
        _ = judge.look([Self.member("a", 0), Self.member("b", 0)], at: .zero)
        let changes = judge.look([Self.member("b", 1)], at: .seconds(1))
        #expect(changes.map(\.name) == ["a"] && changes.map(\.condition) == [.dead(.gone)])
        #expect(judge.look([Self.member("b", 2)], at: .seconds(2)).isEmpty)
        #expect(judge.everybody(at: .seconds(2)).map(\.condition) == [.dead(.gone), .alive])
        let back = judge.look([Self.member("a", 0, czxid: 9), Self.member("b", 3)], at: .seconds(3))
        #expect(back.map(\.condition) == [.alive] && back[0].member.incarnation == Zxid(rawValue: 9))
    }

    @Test("Time in which the monitor could not look counts for nobody")
    func gap() {
        var judge = Self.judge()
        _ = judge.look([Self.member("a", 0)], at: .zero)
        _ = judge.look([Self.member("a", 0)], at: .seconds(2))
        #expect(judge.look([Self.member("a", 0)], at: .seconds(100), afterGap: true).isEmpty)
        #expect(judge.look([Self.member("a", 0)], at: .milliseconds(100_999)).isEmpty)
        #expect(judge.look([Self.member("a", 0)], at: .seconds(101)).map(\.condition) == [.suspect])
    }

    @Test("Without time limits only a node that goes counts")
    func noBeats() {
        var judge = HeartbeatJudge(suspectAfter: nil, deadAfter: nil)
        _ = judge.look([Self.member("a", 0)], at: .zero)
        #expect(judge.look([Self.member("a", 0)], at: .seconds(1_000_000)).isEmpty)
        #expect(judge.look([], at: .seconds(1_000_001)).map(\.condition) == [.dead(.gone)])
    }

    @Test("No more than a thousand that have gone are remembered: the last ones")
    func memory() {
        var judge = Self.judge()
        let limit = HeartbeatJudge.memoryLimit
        _ = judge.look([Self.member("m0", 0)], at: .zero)
        _ = judge.look((1...limit).map { Self.member("m\($0)", 0) }, at: .zero)
        #expect(judge.everybody(at: .zero).count == limit + 1)
        _ = judge.look([], at: .zero)
        let names = Set(judge.everybody(at: .zero).map(\.name))
        #expect(names.count == limit && !names.contains("m0") && names.contains("m\(limit)"))
    }
}

@Suite("Looking at a group, as conversations")
struct LookMachineTests {
    typealias Action = StepAction<LookMachine.Look>

    static let list = Action.request(.children("/g", watch: true))

    @Test("Look, wait for the interval or for a change, look again; failures are told as a gap")
    func conversation() {
        var machine = LookMachine(path: "/g", interval: .seconds(1))
        #expect(machine.handle(.start) == [Self.list])
        #expect(machine.handle(Say.children("b", "a")) == [.request(.dataOfMany(["/g/a", "/g/b"]))])
        let a = GroupMember(name: "a", node: Say.node("1"))
        #expect(
            machine.handle(Say.many(Say.node("1"), nil)) == [.finish(.init(members: [a], isAfterGap: false))])
        #expect(machine.handle(.start) == [.wait(upTo: .seconds(1))])
        #expect(machine.handle(.elapsed) == [Self.list])
        #expect(machine.handle(Say.failed(.connectionLoss)) == [.awaitConnection])
        #expect(machine.handle(.connected) == [Self.list])
        #expect(machine.handle(Say.children()) == [.finish(.init(members: [], isAfterGap: true))])
        _ = machine.handle(.start)
        #expect(machine.handle(.changed("/g")) == [Self.list])
        #expect(machine.handle(Say.failed(.noNode)) == [.request(.exists("/g", watch: true))])
        #expect(machine.handle(Say.answer(.exists(nil))) == [.finish(.init(members: [], isAfterGap: false))])
        _ = machine.handle(.start)
        #expect(machine.handle(.cancelled) == [.fail(StepFailure(.cancelled, at: "/g"))])
        #expect(machine.handle(.elapsed) == [])
    }
}

@Suite("Heartbeats, live", .onServer, .live)
struct LiveHeartbeatTests {
    /// The next report in which this member's condition has changed.
    static func next(
        _ reports: inout HeartbeatMonitor.Reports.AsyncIterator, about name: String
    ) async throws -> MemberHealth {
        while true {
            let report = try #require(try await reports.next())
            if let health = report.changed.first(where: { $0.name == name }) { return health }
        }
    }

    @Test("A silent member is suspected, one that beats is not, one that goes is dead at once")
    func life() async throws {
        try await Live.run { live in
            let group = Group(try await live.connect(), at: live.path)
            let silent = try await group.join(as: "silent")
            let monitor = HeartbeatMonitor(
                try await live.connect(), at: live.path, suspectAfter: .milliseconds(300),
                lookingEvery: .milliseconds(5))
            var reports = monitor.reports.makeAsyncIterator()
            #expect(try await Self.next(&reports, about: "silent").condition == .alive)
            let suspect = try await Self.next(&reports, about: "silent")
            #expect(suspect.condition == .suspect && suspect.silence >= .milliseconds(300))
            try await silent.beat()
            let alive = try await Self.next(&reports, about: "silent")
            #expect(alive.condition == .alive && alive.member.version == 1)
            await silent.leave()
            while try await Self.next(&reports, about: "silent").condition != .dead(.gone) {}
        }
    }

    @Test("Without limits a death is told by the node alone, also when the session expires")
    func expired() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let member = try await Group(client, at: live.path).join(as: "a")
            var reports = HeartbeatMonitor(try await live.connect(), at: live.path).reports.makeAsyncIterator()
            #expect(try #require(try await reports.next()).alive.map(\.name) == ["a"])
            try await Live.expire(client)
            #expect(try await Self.next(&reports, about: "a").condition == .dead(.gone))
            await Live.poke(client)
            #expect(try await member.lost() == .sessionOver)
        }
    }
}
