import ConclaveClient
import ConclaveCore
import TestLanes
import Testing

@testable import Recipes

@Suite("One attempt at several locks, as conversations")
struct MultiLockMachineTests {
    typealias Machine = MultiLockMachine
    typealias Action = StepAction<Machine.Output>

    static let id = AttemptID(high: 1, low: 2)
    static let session = SessionID(rawValue: 7)
    static let members = [
        Machine.Member(path: "/a", word: "lock-", isShared: false),
        Machine.Member(path: "/b", word: "__READ__", isShared: true),
    ]
    static let own = ["/a/" + ContenderMachineTests.name(5), "/b/" + ContenderMachineTests.name(9, "__READ__")]
    static let names = [ContenderMachineTests.name(5), ContenderMachineTests.name(9, "__READ__")]
    static let look: [Action] = [.request(.read([.children("/a"), .children("/b"), .data(own[0])]))]

    static func machine(patience: AttemptPatience = .wait, ownHolds: Set<String> = []) -> Machine {
        Machine(members, attempt: id, session: session, patience: patience, ownHolds: ownHolds)
    }

    static let created = StepEvent.answered(
        .written(own.map { .created(path: $0, stat: nil) }), isWindowOpen: true)

    static func picture(_ first: [String], _ second: [String], owner: SessionID = session) -> StepEvent {
        let node = NodeData(data: [], stat: SemaphoreMachineTests.stat(300, owner: owner))
        return .answered(.read([.children(first), .children(second), .data(node)]), isWindowOpen: true)
    }

    static let granted: [Action] = [.finish(.granted(own, czxid: Zxid(rawValue: 300)))]

    @Test("Nobody in the way: one transaction, one look, held")
    func uncontended() {
        var machine = Self.machine()
        guard case .request(.write(let operations))? = machine.handle(.start).first else {
            return #expect(Bool(false), "no transaction")
        }
        #expect(operations.map(\.path) == ["/a/_c_\(Self.id.text)-lock-", "/b/_c_\(Self.id.text)-__READ__"])
        #expect(machine.handle(Self.created) == Self.look)
        #expect(machine.handle(Self.picture([Self.names[0]], [Self.names[1]])) == Self.granted)
    }

    @Test("One obstacle after the other is watched, with the own node in the same queue; readers do not hinder readers")
    func obstacles() {
        var machine = Self.machine()
        _ = machine.handle(.start)
        _ = machine.handle(Self.created)
        let reader = ContenderMachineTests.other(3, "__READ__")
        let writer = ContenderMachineTests.other(4, "__WRIT__")
        let before = ContenderMachineTests.other(2)
        let second = [reader, writer, Self.names[1]]
        let there = StepEvent.answered(.exists(SemaphoreMachineTests.stat()), isWindowOpen: true)
        #expect(
            machine.handle(Self.picture([before, Self.names[0]], second))
                == [.request(.exists("/a/" + before, watch: true))])
        #expect(machine.handle(there) == [.request(.exists(Self.own[0], watch: true))])
        #expect(machine.handle(there) == [.wait(upTo: nil)])
        #expect(machine.handle(.changed("/a/" + before)) == Self.look)
        #expect(
            machine.handle(Self.picture([Self.names[0]], second))
                == [.request(.exists("/b/" + writer, watch: true))])
        #expect(machine.handle(.answered(.exists(nil), isWindowOpen: true)) == Self.look)
        #expect(machine.handle(Self.picture([Self.names[0]], [reader, Self.names[1]])) == Self.granted)
    }

    @Test("After a lost answer all nodes are found, or none; where some are missing the rest goes and it begins anew")
    func lostAnswer() {
        func lost() -> Machine {
            var machine = Self.machine()
            _ = machine.handle(.start)
            #expect(machine.handle(.failed(.connectionLoss, at: nil)) == [.awaitConnection])
            #expect(machine.handle(.connected) == [.request(.sync("/a"))])
            _ = machine.handle(.answered(.done, isWindowOpen: true))
            return machine
        }
        func found(_ first: [String], _ second: [String]) -> StepEvent {
            .answered(.read([.children(first), .children(second)]), isWindowOpen: true)
        }
        var all = lost()
        #expect(all.handle(found([Self.names[0]], [Self.names[1]])) == Self.look)
        var none = lost()
        #expect(none.handle(found([], [])) == Self.create(Self.id))
        var some = lost()
        #expect(
            some.handle(found([], [Self.names[1]])) == [.clean([.delete(Self.own[1])])] + Self.create(Self.id.next))
    }

    static func create(_ id: AttemptID) -> [Action] {
        [
            .request(
                .write([
                    .create("/a/_c_\(id.text)-lock-", [], mode: .ephemeralSequential),
                    .create("/b/_c_\(id.text)-__READ__", [], mode: .ephemeralSequential),
                ]))
        ]
    }

    @Test("Who is removed from one queue leaves the others and queues again; so does who finds a stranger's node")
    func removed() {
        for event in [
            Self.picture([], [Self.names[1]]),
            Self.picture([Self.names[0]], [Self.names[1]], owner: SessionID(rawValue: 8)),
        ] {
            var machine = Self.machine()
            _ = machine.handle(.start)
            _ = machine.handle(Self.created)
            #expect(
                machine.handle(event) == [.clean(Self.own.map { .delete($0) })] + Self.create(Self.id.next))
        }
    }

    @Test("A try looks at all of them first, and takes all back when it is overtaken")
    func tries() {
        var busy = Self.machine(patience: .once)
        #expect(busy.handle(.start) == [.request(.read([.children("/a"), .children("/b")]))])
        let blocked = StepAnswer.read([.failed(.noNode), .children([ContenderMachineTests.other(1)])])
        #expect(busy.handle(.answered(blocked, isWindowOpen: true)) == [.finish(.busy)])
        var overtaken = Self.machine(patience: .once)
        _ = overtaken.handle(.start)
        let free = StepAnswer.read([.failed(.noNode), .children([ContenderMachineTests.other(1, "__READ__")])])
        #expect(overtaken.handle(.answered(free, isWindowOpen: true)) == Self.create(Self.id))
        _ = overtaken.handle(Self.created)
        #expect(
            overtaken.handle(Self.picture([ContenderMachineTests.other(2), Self.names[0]], [Self.names[1]]))
                == [.request(.write(Self.own.map { .delete($0) }))])
        #expect(overtaken.handle(.answered(.written([.deleted, .deleted]), isWindowOpen: true)) == [.finish(.busy)])
    }

    @Test("Cancelled: every queue is cleaned")
    func cancelled() {
        var unknown = Self.machine()
        _ = unknown.handle(.start)
        #expect(
            Array(unknown.handle(.cancelled).dropLast()) == [
                .sweep(below: "/a", mark: Self.id.text), .sweep(below: "/b", mark: Self.id.text),
            ])
        var known = Self.machine()
        _ = known.handle(.start)
        _ = known.handle(Self.created)
        #expect(known.handle(.deadlinePassed).first == .clean(Self.own.map { .delete($0) }))
    }
}

@Suite("Several locks together", .onServer, .live)
struct LiveMultiLockTests {
    @Test("Pairs of locks named in every order by many tasks: nobody waits for ever, nobody meets another")
    func noDeadlock() async throws {
        try await Live.run { live in
            let paths = ["/a", "/b", "/c"].map { live.path + $0 }
            let counters = [UnprotectedCounter(), UnprotectedCounter(), UnprotectedCounter()]
            let clients = [try await live.connect(), try await live.connect()]
            let pairs = [(0, 1), (1, 0), (1, 2), (2, 1), (2, 0), (0, 2)]
            try await withThrowingTaskGroup { group in
                for (number, pair) in pairs.enumerated() {
                    let lock = MultiLock(clients[number % 2], at: [paths[pair.0], paths[pair.1]])
                    group.addTask {
                        for _ in 0..<4 {
                            try await lock.withLock { _ in
                                await counters[pair.0].increment()
                                await counters[pair.1].increment()
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(counters.map(\.count) == [16, 16, 16])
        }
    }

    @Test("Single locks and readers contend with it, the token is one, and losing one lock loses all")
    func together() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let (first, second) = (live.path + "/a", live.path + "/b")
            let multi = MultiLock(client, [.write(second), .lock(first)], identity: "both")
            let grant = try await multi.acquire()
            #expect(grant.mode == .exclusive)
            #expect(grant.paths.map { String($0.prefix(first.count)) } == [first, second])
            let listed = try await Contenders(client, at: second).list()
            #expect(listed.map(\.token) == [grant.token] && listed[0].identity == "both")
            let other = try await live.connect()
            #expect(try await DistributedLock(other, at: first).tryAcquire() == nil)
            #expect(try await ReadWriteLock(other, at: second).tryAcquireRead() == nil)
            #expect(try await multi.tryAcquire() == nil)
            #expect(try await grant.guarded([]).isEmpty)
            try await other.delete(grant.paths[1])
            #expect(try await grant.lost() == .nodeRemoved)
            await #expect(throws: ZooKeeperError(.holdLost, path: grant.path)) { try await grant.guarded([]) }
            await multi.waitUntilClean()
            let readers = MultiLock(client, [.read(first), .read(second)])
            let reading = try await readers.acquire()
            let again = try #require(try await readers.tryAcquire())
            #expect(reading.mode == .shared)
            await reading.release()
            await again.release()
        }
    }

    @Test("None, too many, or the same one twice are refused; a lock of the own task is told")
    func refused() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let tooMany = (0...MultiLock.memberLimit).map { live.path + "/\($0)" }
            for paths in [[], tooMany, [live.path, live.path]] {
                _ = await #expect(throws: ZooKeeperError.self) { try await MultiLock(client, at: paths).acquire() }
            }
            let most = MultiLock(client, at: Array(tooMany.dropLast()))
            #expect(try await most.withLock { $0.paths.count } == MultiLock.memberLimit)
            try await DistributedLock(client, at: live.path + "/x").withLock { _ in
                _ = await #expect(throws: ZooKeeperError(.selfDeadlock, path: live.path + "/x")) {
                    try await MultiLock(client, at: [live.path + "/y", live.path + "/x"]).acquire()
                }
            }
            #expect(try await Contenders(client, at: live.path + "/y").list().isEmpty)
        }
    }
}
