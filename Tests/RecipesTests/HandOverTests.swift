import ConclaveClient
import ConclaveCore
import TestLanes
import Testing

@testable import Recipes

@Suite("Handing over, as conversations")
struct HandOverMachineTests {
    static let leader = ContenderMachineTests.name(2, "latch-", id: AttemptID(high: 5, low: 5))
    static let between = ContenderMachineTests.name(4, "latch-", id: AttemptID(high: 6, low: 6))
    static let candidate = ContenderMachineTests.name(7, "latch-")
    static let offer =
        "_o_\(AttemptID(high: 5, low: 5).text)-\(ContenderMachineTests.id.text)-offer"

    typealias Action = StepAction<HandOverMachine.Output>

    static func machine() throws -> HandOverMachine {
        try #require(
            HandOverMachine(
                path: "/e", own: "/e/" + leader, candidate: "/e/" + candidate, patience: .seconds(5)))
    }

    static let data = StepEvent.answered(
        .data(NodeData(data: [4], stat: SemaphoreMachineTests.stat(version: 3))), isWindowOpen: true)
    static let there = StepEvent.answered(.exists(SemaphoreMachineTests.stat()), isWindowOpen: true)
    static let none = StepEvent.answered(.exists(nil), isWindowOpen: true)
    static let written = StepEvent.answered(.written([]), isWindowOpen: true)
    static let offering: [Action] = [
        .request(
            .write([
                .check("/e/" + leader), .create("/e/" + offer, [], mode: .ephemeral),
                .setData("/e/" + candidate, [4], version: 3),
            ]))
    ]
    static let watching: [Action] = [.request(.exists("/e/" + offer, watch: true))]

    static func offered() throws -> HandOverMachine {
        var machine = try machine()
        #expect(machine.handle(.start) == [.request(.write([.create("/e/handed-over", [], mode: .persistent)]))])
        #expect(machine.handle(.failed(.nodeExists, at: "/e/handed-over")) == [.request(.data("/e/" + candidate))])
        #expect(machine.handle(data) == offering)
        #expect(machine.handle(written) == watching)
        #expect(machine.handle(there) == [.wait(upTo: .seconds(5))])
        return machine
    }

    @Test("An offer is made, the candidate woken by its own node, the offer seen to go, and the own node with it")
    func taken() throws {
        var machine = try Self.offered()
        #expect(machine.handle(.changed("/e/" + Self.offer)) == Self.watching)
        #expect(machine.handle(Self.none) == [.request(.exists("/e/" + Self.leader))])
        #expect(machine.handle(Self.none) == [.finish(.taken)])
        // Somebody else has deleted the offer.
        var meddledWith = try Self.offered()
        _ = meddledWith.handle(.changed("/e/" + Self.offer))
        _ = meddledWith.handle(Self.none)
        #expect(meddledWith.handle(Self.there) == [.finish(.notTaken)])
    }

    @Test("An offer that nobody takes is withdrawn; one that was taken in the last moment counts")
    func notTaken() throws {
        var late = try Self.offered()
        #expect(late.handle(.elapsed) == [.request(.write([.delete("/e/" + Self.offer)]))])
        #expect(late.handle(Self.written) == [.finish(.notTaken)])
        var justTaken = try Self.offered()
        _ = justTaken.handle(.elapsed)
        #expect(justTaken.handle(.failed(.noNode, at: nil)) == [.request(.exists("/e/" + Self.leader))])
        #expect(justTaken.handle(Self.none) == [.finish(.taken)])
        var never = try Self.machine()
        _ = never.handle(.start)
        _ = never.handle(Self.written)
        #expect(never.handle(.failed(.noNode, at: nil)) == [.finish(.notTaken)], "the candidate has gone")
    }

    @Test("After a lost connection the offer is taken back, and what has become of it is looked up")
    func lost() throws {
        var machine = try Self.machine()
        _ = machine.handle(.start)
        _ = machine.handle(Self.written)
        _ = machine.handle(Self.data)
        #expect(machine.handle(.failed(.connectionLoss, at: nil)) == [.awaitConnection])
        #expect(machine.handle(.connected) == [.request(.sync("/e"))])
        #expect(
            machine.handle(.answered(.done, isWindowOpen: true)) == [.request(.write([.delete("/e/" + Self.offer)]))])
        _ = machine.handle(.failed(.noNode, at: nil))
        #expect(machine.handle(Self.there) == [.finish(.notTaken)])
    }

    @Test("A candidate that changes its data meanwhile is read again; a lost term and cancellation end it")
    func disturbed() throws {
        var machine = try Self.machine()
        _ = machine.handle(.start)
        _ = machine.handle(Self.written)
        _ = machine.handle(Self.data)
        #expect(machine.handle(.failed(.badVersion, at: nil)) == [.request(.data("/e/" + Self.candidate))])
        _ = machine.handle(Self.data)
        #expect(
            machine.handle(.failed(.noNode, at: "/e/" + Self.leader)).last
                == .fail(StepFailure(.holdLost, at: "/e/" + Self.leader)))
        var cancelled = try Self.offered()
        #expect(cancelled.handle(.cancelled).first == .clean([.delete("/e/" + Self.offer)]))
        #expect(HandOverMachine(path: "/e", own: "/e/x", candidate: "/e/y", patience: .zero) == nil)
    }

    // MARK: The candidate

    static func waiting() -> ContenderMachine {
        var machine = ContenderMachineTests.machine()
        _ = machine.handle(.start)
        let name = ContenderMachine.Event.created(
            name: candidate, czxid: Zxid(rawValue: 100), owner: ContenderMachineTests.session)
        _ = machine.handle(name)
        _ = machine.handle(.listed([leader, between, candidate], isWindowOpen: true))
        return machine
    }

    static let takeOver: [ContenderMachine.Action] = [
        .takeOver(own: candidate, from: leader, ContenderMachineTests.id.next)
    ]

    @Test(
        "A candidate takes the place that the first offers it, and then holds; others' offers are none of its business")
    func takesOver() throws {
        var machine = Self.waiting()
        #expect(machine.handle(.predecessorGone) == [.list])
        let toOther = "_o_\(AttemptID(high: 5, low: 5).text)-\(AttemptID(high: 6, low: 6).text)-offer"
        let byOther = "_o_\(AttemptID(high: 6, low: 6).text)-\(ContenderMachineTests.id.text)-offer"
        #expect(
            machine.handle(
                .listed([Self.leader, Self.between, Self.candidate, toOther, byOther], isWindowOpen: true))
                == [.wait(own: Self.candidate, behind: Self.between)])
        _ = machine.handle(.predecessorGone)
        #expect(
            machine.handle(.listed([Self.offer, Self.leader, Self.between, Self.candidate], isWindowOpen: true))
                == Self.takeOver)
        let new = ContenderMachineTests.name(2, "latch-", id: ContenderMachineTests.id.next)
        #expect(
            machine.handle(.created(name: new, czxid: Zxid(rawValue: 300), owner: ContenderMachineTests.session))
                == [.list])
        let name = try #require(ContenderName(new))
        #expect(
            machine.handle(.listed([new, Self.between], isWindowOpen: true))
                == [.grant(.init(name: name, czxid: Zxid(rawValue: 300)))])
    }

    @Test("A takeover whose answer was lost is found by its id, or was never made; cancelled, both ids are cleaned")
    func lostTakeOver() {
        func sent() -> ContenderMachine {
            var machine = Self.waiting()
            _ = machine.handle(.predecessorGone)
            _ = machine.handle(.listed([Self.offer, Self.leader, Self.candidate], isWindowOpen: true))
            return machine
        }
        let new = ContenderMachineTests.name(2, "latch-", id: ContenderMachineTests.id.next)
        var performed = sent()
        #expect(performed.handle(.failed(.connectionLoss)) == [.awaitConnection])
        #expect(performed.handle(.connected) == [.list])
        #expect(performed.handle(.listed([new, Self.between], isWindowOpen: true)) == [.find])
        #expect(performed.handle(.listed([new, Self.between], isWindowOpen: true)) == [.examine(new)])

        // A server that is behind shows the old picture first; trying again is refused, and then the new one shows.
        var behind = sent()
        _ = behind.handle(.failed(.connectionLoss))
        _ = behind.handle(.connected)
        #expect(
            behind.handle(.listed([Self.offer, Self.leader, Self.candidate], isWindowOpen: true)) == Self.takeOver)
        #expect(behind.handle(.failed(.noNode)) == [.list])
        #expect(behind.handle(.listed([new], isWindowOpen: true)) == [.find])

        var refused = sent()
        #expect(refused.handle(.failed(.noNode)) == [.list])
        #expect(
            refused.handle(.listed([Self.leader, Self.candidate], isWindowOpen: true))
                == [.wait(own: Self.candidate, behind: Self.leader)])

        var cancelled = sent()
        #expect(
            cancelled.handle(.cancelled) == [
                .remove(Self.candidate), .sweep(ContenderMachineTests.id.next), .end(.cancelled),
            ])
    }

    // MARK: Terms afterwards

    static func term(_ czxid: Int64) throws -> TermMachine {
        let name = try #require(ContenderName(Self.between))
        return TermMachine(
            path: "/e", own: .init(name: name, czxid: Zxid(rawValue: czxid)), successor: successor,
            session: ContenderMachineTests.session, identity: [1])
    }

    static let successor = ContenderMachineTests.name(4, "latch-", id: AttemptID(high: 6, low: 7))
    static let replacing: [StepAction<TermMachine.Output>] = [
        .request(
            .write([
                .delete("/e/" + between), .create("/e/" + successor, [1], mode: .ephemeral),
                .setData("/e/handed-over", []), .setData("/e/" + successor, [1]),
            ]))
    ]

    @Test("Who was created before the last term out of turn replaces its node; who came after clears the date away")
    func terms() throws {
        let dated = StepEvent.answered(.exists(SemaphoreMachineTests.stat(50, version: 2)), isWindowOpen: true)
        var older = try Self.term(49)
        #expect(older.handle(.start) == [.request(.exists("/e/handed-over"))])
        #expect(older.handle(dated) == Self.replacing)
        let result = StepAnswer.written([
            .deleted, .created(path: "", stat: nil), .dataSet(SemaphoreMachineTests.stat(60)),
            .dataSet(SemaphoreMachineTests.stat(60)),
        ])
        let name = try #require(ContenderName(Self.successor))
        #expect(
            older.handle(.answered(result, isWindowOpen: true))
                == [.finish(.init(name: name, czxid: Zxid(rawValue: 60)))])

        var itself = try Self.term(50)
        _ = itself.handle(.start)
        #expect(itself.handle(dated) == [.finish(itself.own)])
        var younger = try Self.term(51)
        _ = younger.handle(.start)
        #expect(
            younger.handle(dated) == [.clean([.delete("/e/handed-over", version: 2)]), .finish(younger.own)])
        var none = try Self.term(1)
        _ = none.handle(.start)
        #expect(none.handle(Self.none) == [.finish(none.own)])
    }

    @Test("A replacement whose answer was lost is found, or made again; a removed node is told")
    func lostReplacement() throws {
        let dated = StepEvent.answered(.exists(SemaphoreMachineTests.stat(50)), isWindowOpen: true)
        var machine = try Self.term(49)
        _ = machine.handle(.start)
        _ = machine.handle(dated)
        #expect(machine.handle(.failed(.connectionLoss, at: nil)) == [.awaitConnection])
        _ = machine.handle(.connected)
        #expect(
            machine.handle(.answered(.done, isWindowOpen: true)) == [.request(.exists("/e/" + Self.successor))])
        var performed = machine
        let name = try #require(ContenderName(Self.successor))
        let there = StepEvent.answered(.exists(SemaphoreMachineTests.stat(60)), isWindowOpen: true)
        #expect(performed.handle(there) == [.finish(.init(name: name, czxid: Zxid(rawValue: 60)))])
        #expect(machine.handle(Self.none) == [.request(.exists("/e/handed-over"))])
        #expect(machine.handle(dated) == Self.replacing)
        #expect(
            machine.handle(.failed(.noNode, at: "/e/" + Self.between))
                == [.fail(StepFailure(.noNode, at: "/e/" + Self.between))])
    }
}

@Suite("Handing over and single services", .onServer, .live)
struct LiveHandOverTests {
    /// A candidacy in a task of its own.
    static func candidate(_ live: Live, _ name: String) async throws -> Task<LeadershipTerm, any Error> {
        let election = MasterElection(try await live.connect(), at: live.path, identity: name)
        return Task { try await election.campaign() }
    }

    @Test("The named candidate leads next, past the others, and terms grow from one to the next")
    func handOver() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let election = MasterElection(client, at: live.path, identity: "a")
            let first = try await election.campaign()
            var waiting: [Task<LeadershipTerm, any Error>] = []
            for name in ["b", "c", "d"] {
                waiting.append(try await Self.candidate(live, name))
                try await Live.waitUntil(waiting.count + 1, contendAt: live.path, with: client)
            }
            let chosen = try #require(try await election.candidates().first { $0.identity == "d" })
            #expect(try await first.handOver(to: chosen))
            #expect(!first.isLeading && first.loss == nil)
            let second = try await waiting[2].value
            #expect(second.token > first.token)
            #expect(try await election.candidates().map(\.identity) == ["d", "b", "c"])
            // One that comes after the hand-over, and two that came before it.
            let late = try await Self.candidate(live, "e")
            try await Live.waitUntil(4, contendAt: live.path, with: client)
            var tokens = [first.token, second.token]
            await second.resign()
            for next in [waiting[0], waiting[1], late] {
                let term = try await next.value
                #expect(try await term.guarded([]).isEmpty)
                #expect(try await term.sequencer.isValid(using: client))
                tokens.append(term.token)
                await term.resign()
            }
            #expect(zip(tokens, tokens.dropFirst()).allSatisfy { $0 < $1 })
            // Whoever has not seen the hand-over clears its traces away.
            let last = try await election.campaign()
            #expect(last.token > tokens[4])
            await election.waitUntilClean()
            await last.resign()
            #expect(try await live.names(with: client).isEmpty)
        }
    }

    @Test("Who has gone or does not answer gets nothing, and the leader goes on")
    func notTaken() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let other = try await live.connect()
            let election = MasterElection(client, at: live.path)
            let term = try await election.campaign()
            // A node that looks like a candidate's and is nobody's, and one of another library.
            let deaf = try await other.createProtected(live.path + "/latch-", mode: .ephemeralSequential)
            let list = try await election.candidates()
            #expect(list.map(\.path) == [term.path, deaf.path])
            #expect(try await !term.handOver(to: list[1], within: .milliseconds(20)))
            #expect(term.isLeading)
            try await other.delete(deaf.path)
            #expect(try await !term.handOver(to: list[1]))
            #expect(term.isLeading)
            _ = await #expect(throws: ZooKeeperError.self) { try await term.handOver(to: list[0]) }
            await term.resign()
            _ = await #expect(throws: ZooKeeperError.self) { try await term.handOver(to: list[1]) }
        }
    }

    @Test("Two candidates of one client hand over to each other")
    func sameClient() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let election = MasterElection(client, at: live.path)
            let term = try await election.campaign()
            let other = Task { try await MasterElection(client, at: live.path).campaign() }
            try await Live.waitUntil(2, contendAt: live.path, with: client)
            let isTaken = try await term.handOver(to: try await election.candidates()[1])
            try #require(isTaken)
            let next = try await other.value
            #expect(next.isLeading && next.token > term.token && term.loss == nil)
            await next.resign()
        }
    }

    @Test("An offer that comes between a candidate's listing and its watches is taken all the same")
    func offerUnseen() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let other = try await live.connect()
            let election = MasterElection(client, at: live.path)
            let term = try await election.campaign()
            let handing = Shared<Task<Bool, any Error>?>(nil)
            let offering: @Sendable (String) async -> Void = { step in
                guard step.hasPrefix("answer getChildren"), handing.value == nil else { return }
                await ClientStep.$observer.withValue(nil) {
                    let task = Task {
                        try await term.handOver(to: try await election.candidates()[1], within: .seconds(60))
                    }
                    handing.change { $0 = task }
                    var names: [String]? = []
                    while let seen = names, !seen.contains(where: HandOver.isOffer) {
                        names = try? await client.children(of: live.path).names
                    }
                }
            }
            let next = try await ClientStep.$observer.withValue(offering) {
                try await MasterElection(other, at: live.path).campaign()
            }
            let task = try #require(handing.value)
            #expect(try await task.value)
            #expect(next.isLeading && next.token > term.token && term.loss == nil)
            await next.resign()
        }
    }

    @Test("First come: whoever makes the node leads, the others watch it go")
    func simple() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let election = MasterElection(client, at: live.path, order: .firstCome, identity: "one")
            var leaders = election.leaders.makeAsyncIterator()
            #expect(try await leaders.next() == .some(.none))
            let term = try await election.campaign()
            #expect(try await leaders.next()??.identity == "one")
            #expect(try await election.tryCampaign() == nil)
            #expect(try await election.candidates().map(\.token) == [term.token])
            try await term.announce("uno")
            #expect(try await leaders.next()??.identity == "uno")
            let other = MasterElection(try await live.connect(), at: live.path, order: .firstCome, identity: "two")
            let waiting = Task { try await other.campaign() }
            await term.resign()
            let next = try await waiting.value
            #expect(next.token > term.token)
            await next.resign()
            #expect(try await election.leader() == nil)
        }
    }

    @Test("A single service runs in one place, moves when that is lost, is started again, and ends when it returns")
    func singleton() async throws {
        try await Live.run { live in
            struct Failure: Error {}
            let observer = try await live.connect()
            let runs = Shared(0)
            let terms = Shared<[FencingToken]>([])
            let restarts = RestartPolicy(firstPause: .milliseconds(1), longestPause: .milliseconds(2))
            try await withThrowingTaskGroup { group in
                for number in 0..<3 {
                    let service = Singleton(
                        connectedTo: LiveServer.servers, at: live.path, identity: "\(number)", restarts: restarts)
                    group.addTask {
                        try await service.run { term in
                            let run = runs.change { count in
                                count += 1
                                return count
                            }
                            terms.change { $0.append(term.token) }
                            switch run {
                            case 1, 3:
                                try await observer.delete(term.path)
                                try await Signal<Void>().wait()
                            case 2: throw Failure()
                            default: return
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(runs.value == 6, "three that were lost or failed, and each process's last")
            #expect(terms.value == terms.value.sorted())
        }
    }

    @Test("A single service outlives its session, and cancelling it resigns")
    func singletonSession() async throws {
        try await Live.run { live in
            let sessions = Shared<[ZooKeeperClient]>([])
            let started = Shared<[Signal<Void>]>([Signal(), Signal()])
            let observer = try await live.connect()
            let runs = Shared(0)
            let running = Task {
                try await Singleton(connectedTo: LiveServer.servers, at: live.path).run { term in
                    let run = runs.change { count in
                        defer { count += 1 }
                        return count
                    }
                    sessions.change { $0.append(term.hold.client) }
                    if run < 2 { started.value[run].fire(()) }
                    try await Signal<Void>().wait()
                }
            }
            try await started.value[0].wait()
            try await Live.expire(sessions.value[0])
            await Live.poke(sessions.value[0])
            try await started.value[1].wait()
            #expect(sessions.value[0].sessionID != sessions.value[1].sessionID)
            running.cancel()
            _ = await #expect(throws: CancellationError.self) { try await running.value }
            #expect(try await live.names(with: observer).isEmpty)
        }
    }

    @Test("Too many failures in a row are told")
    func singletonGivesUp() async throws {
        struct Failure: Error {}
        try await Live.run { live in
            let runs = Shared(0)
            let restarts = RestartPolicy(attempts: 3, firstPause: .zero)
            await #expect(throws: Failure.self) {
                try await Singleton(connectedTo: LiveServer.servers, at: live.path, restarts: restarts).run { _ in
                    runs.change { $0 += 1 }
                    throw Failure()
                }
            }
            #expect(runs.value == 3)
        }
    }

    @Test("Pauses double up to the longest; attempts are counted")
    func pauses() {
        let policy = RestartPolicy(attempts: 5, firstPause: .seconds(1), longestPause: .seconds(5))
        #expect((1...5).map { policy.pause(after: $0) } == [.seconds(1), .seconds(2), .seconds(4), .seconds(5), nil])
        #expect(RestartPolicy().pause(after: .max) == .seconds(30))
        #expect(RestartPolicy(firstPause: .zero).pause(after: 1_000) == .zero)
    }
}
