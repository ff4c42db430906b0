import ConclaveClient
import ConclaveCore
import Synchronization
import TestLanes
import Testing

@testable import Recipes

/// A number that is incremented in two steps with a suspension in between: wrong as soon as two do it at once.
final class UnprotectedCounter: Sendable {
    private let value = Atomic(0)

    var count: Int { value.load(ordering: .relaxed) }

    func increment() async {
        let read = value.load(ordering: .relaxed)
        await Task.yield()
        value.store(read + 1, ordering: .relaxed)
    }
}

@Suite("Safety statement, on a server", .onServer, .live)
struct LiveSafetyTests {
    @Test(
        "S1: many tasks of many sessions increment an unprotected counter",
        arguments: [DistributedLock.Order.fair, .firstCome])
    func exclusion(_ order: DistributedLock.Order) async throws {
        try await Live.run { live in
            let counter = UnprotectedCounter()
            let clients = [try await live.connect(), try await live.connect(), try await live.connect()]
            try await withThrowingTaskGroup { group in
                for number in 0..<12 {
                    let lock = DistributedLock(clients[number % 3], at: live.path, order: order)
                    group.addTask {
                        for _ in 0..<5 { try await lock.withLock { _ in await counter.increment() } }
                    }
                }
                try await group.waitForAll()
            }
            #expect(counter.count == 60)
        }
    }

    @Test("S2: tokens grow from grant to grant", arguments: [DistributedLock.Order.fair, .firstCome])
    func tokens(_ order: DistributedLock.Order) async throws {
        try await Live.run { live in
            let tokens = Shared<[FencingToken]>([])
            let locks = [
                DistributedLock(try await live.connect(), at: live.path, order: order),
                DistributedLock(try await live.connect(), at: live.path, order: order),
            ]
            try await withThrowingTaskGroup { group in
                for number in 0..<8 {
                    group.addTask {
                        for _ in 0..<3 {
                            try await locks[number % 2].withLock { grant in tokens.change { $0.append(grant.token) } }
                        }
                    }
                }
                try await group.waitForAll()
            }
            let seen = tokens.value
            #expect(seen.count == 24)
            #expect(zip(seen, seen.dropFirst()).allSatisfy { $0 < $1 })
        }
    }

    @Test(
        "S3: guarded writes happen while it is held and never after",
        arguments: [DistributedLock.Order.fair, .firstCome])
    func guarded(_ order: DistributedLock.Order) async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let other = try await live.connect()
            try await other.ensurePath(live.path)
            let register = live.path + "/register"
            try await other.create(register, [0])
            let lock = DistributedLock(client, at: live.path + "/lock", order: order)
            let grant = try await lock.acquire()
            let results = try await grant.guarded([.setData(register, [1], version: 0)])
            #expect(results.count == 1)
            // The node goes behind the holder's back, and somebody else gets the lock.
            try await other.delete(grant.path)
            let next = try await DistributedLock(other, at: live.path + "/lock", order: order).acquire()
            #expect(grant.token < next.token)
            await #expect(throws: ZooKeeperError(.holdLost, path: grant.path)) {
                try await grant.guarded([.setData(register, [2], version: nil)])
            }
            #expect(try await other.data(at: register).bytes == [1])
            await next.release()
            await #expect(throws: ZooKeeperError(.holdLost, path: next.path)) { try await next.guarded([]) }
        }
    }

    @Test("S3: an error of the guarded operations themselves is no loss")
    func guardedError() async throws {
        try await Live.run { live in
            let lock = DistributedLock(try await live.connect(), at: live.path)
            let grant = try await lock.acquire()
            let missing = live.path + "/missing"
            await #expect(throws: ZooKeeperError(.noNode, path: missing)) {
                try await grant.guarded([.setData(missing, [], version: nil)])
            }
            #expect(grant.isHeld)
            await grant.release()
        }
    }

    @Test("S4: a guard at the resource refuses the holder that has been overtaken")
    func fenced() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let old = try await DistributedLock(client, at: live.path).acquire()
            try await client.delete(old.path)
            let new = try await DistributedLock(try await live.connect(), at: live.path).acquire()
            var fence = FenceGuard()
            #expect(throws: Never.self) { try fence.admit(new.token) }
            #expect(throws: StaleToken.self) { try fence.admit(old.token) }
        }
    }

    @Test("S5: a hold is within the client's window, and is not reported after its end")
    func window() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let grant = try await DistributedLock(client, at: live.path).acquire()
            #expect(grant.isHeld)
            #expect(grant.validUntil > .now)
            #expect(grant.validUntil <= .now + client.sessionTimeout)
            try await Live.expire(client)
            async let poked: Void = Live.poke(client)
            #expect(try await grant.lost() != nil)
            #expect(!grant.isHeld)
            await poked
        }
    }

    @Test("S6: the node of a grant belongs to the session, and its token is the transaction that made it")
    func ownNode() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let grant = try await DistributedLock(client, at: live.path, identity: "me").acquire()
            let stat = try #require(try await client.exists(grant.path))
            #expect(stat.ephemeralOwner == client.sessionID)
            #expect(grant.session == client.sessionID)
            #expect(FencingToken(stat.czxid) == grant.token)
            await grant.release()
            #expect(try await client.exists(grant.path) == nil)
        }
    }

    @Test(
        "S7: an acquire that times out or only tries leaves nothing",
        arguments: [DistributedLock.Order.fair, .firstCome])
    func noLitter(_ order: DistributedLock.Order) async throws {
        try await Live.run { live in
            let held = try await DistributedLock(try await live.connect(), at: live.path, order: order).acquire()
            let client = try await live.connect()
            let lock = DistributedLock(client, at: live.path, order: order)
            #expect(try await lock.tryAcquire() == nil)
            #expect(try await lock.contenders().map(\.path) == [held.path])
            await #expect(throws: ZooKeeperError(.deadlineExceeded, path: live.path)) {
                try await lock.acquire(timeout: .milliseconds(30))
            }
            await #expect(throws: ZooKeeperError(.deadlineExceeded, path: live.path)) {
                try await lock.acquire(until: .now - .seconds(1))
            }
            await #expect(throws: ZooKeeperError(.deadlineExceeded, path: live.path)) {
                try await lock.withLock(timeout: .zero) { _ in }
            }
            #expect(try await lock.tryWithLock { _ in 1 } == nil)
            await lock.waitUntilClean()
            #expect(try await lock.contenders().map(\.path) == [held.path])
            await held.release()
            #expect(try await lock.tryWithLock { _ in 1 } == 1)
        }
    }

    @Test("S8: a release wakes the next one only, in the order of arrival")
    func wakeUps() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let order = Shared<[Int]>([])
            let first = try await DistributedLock(client, at: live.path).acquire()
            try await withThrowingTaskGroup { group in
                for number in 0..<5 {
                    let waiter = try await live.connect()
                    group.addTask {
                        try await DistributedLock(waiter, at: live.path).withLock { _ in
                            order.change { $0.append(number) }
                        }
                    }
                    try await Live.waitUntil(number + 2, contendAt: live.path, with: client)
                }
                await first.release()
                try await group.waitForAll()
            }
            #expect(order.value == [0, 1, 2, 3, 4])
        }
    }

    @Test("S8: removing a waiter from the middle of the queue makes nobody wait for ever")
    func middleRemoved() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let first = try await DistributedLock(client, at: live.path).acquire()
            let middle = Task { [second = try await live.connect()] in
                try await DistributedLock(second, at: live.path).withLock { _ in }
            }
            try await Live.waitUntil(2, contendAt: live.path, with: client)
            let last = Task { [third = try await live.connect()] in
                try await DistributedLock(third, at: live.path).withLock { _ in }
            }
            try await Live.waitUntil(3, contendAt: live.path, with: client)
            let waiter = try #require(try await Contenders(client, at: live.path).list().dropFirst().first)
            try await client.delete(waiter.path)
            await first.release()
            try await last.value
            // The one that was removed queues again and gets its turn.
            try await middle.value
        }
    }

    @Test("S9: loss is told before the same client gets the next grant, and the body is cancelled")
    func lossBeforeGrant() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let old = try await DistributedLock(client, at: live.path).acquire()
            let next = Task { try await DistributedLock(client, at: live.path).acquire() }
            let other = try await live.connect()
            try await Live.waitUntil(2, contendAt: live.path, with: other)
            try await other.delete(old.path)
            let new = try await next.value
            #expect(old.loss == .nodeRemoved)
            #expect(!old.isHeld)
            #expect(new.isHeld)
            await old.release()
            #expect(new.isHeld, "releasing what is lost touches nobody else")
            await new.release()
        }
    }

    @Test("S9: the body is cancelled when the hold ends, and withLock says why")
    func bodyCancelled() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let path = Signal<String>()
            let work = Task {
                try await DistributedLock(client, at: live.path).withLock { grant in
                    path.fire(grant.path)
                    // Only cancellation ends this body.
                    try await Signal<Void>().wait()
                }
            }
            try await client.delete(try await path.wait())
            do {
                try await work.value
                Issue.record("a lost hold must throw")
            } catch let error as ZooKeeperError {
                #expect(error.code == .holdLost)
                #expect(error.underlying == nil)
            }
        }
    }

    @Test("S10: terms of an election grow, and a killed leader's body is cancelled before it ends")
    func election() async throws {
        try await Live.run { live in
            let leader = try await live.connect()
            let elected = Signal<FencingToken>()
            let first = Task {
                try await MasterElection(leader, at: live.path).whileLeader { term in
                    elected.fire(term.token)
                    try await Signal<Void>().wait()
                }
            }
            let token = try await elected.wait()
            let second = Task { [other = try await live.connect()] in
                try await MasterElection(other, at: live.path).whileLeader { $0.token }
            }
            try await Live.expire(leader)
            #expect(try await second.value > token)
            await Live.poke(leader)
            await #expect(throws: ZooKeeperError.self) { try await first.value }
        }
    }
}
