import ConclaveClient
import ConclaveCore
import TestLanes
import Testing

@testable import Recipes

@Suite("Locks", .onServer, .live)
struct LiveLockTests {
    @Test("An uncontended lock costs two requests to get and one to give up")
    func cost() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let lock = DistributedLock(client, at: live.path)
            await (try await lock.acquire()).release()
            let before = StepTrigger(at: .max) {}
            try await before.observe { await (try await lock.acquire()).release() }
            // Each request is a step before it is sent and one after its answer.
            #expect(before.steps <= 6)
        }
    }

    @Test("Contenders are listed in order with identity, session and role")
    func contenders() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let other = try await live.connect()
            let lock = DistributedLock(client, at: live.path, identity: "first")
            #expect(try await lock.contenders().isEmpty)
            let grant = try await lock.acquire()
            let waiting = Task { try await DistributedLock(other, at: live.path, identity: "zweite").acquire() }
            try await Live.waitUntil(2, contendAt: live.path, with: client)
            let list = try await lock.contenders()
            #expect(list.map(\.identity) == ["first", "zweite"])
            #expect(list.map(\.isHolder) == [true, false])
            #expect(list.map(\.position) == [0, 1])
            #expect(list.map(\.session) == [client.sessionID, other.sessionID])
            #expect(list[0].token == grant.token)
            #expect(list[0].sinceMilliseconds > 0)
            #expect(try await lock.contenders(limit: 1).count == 1)
            #expect(try await lock.contenders(limit: 0).isEmpty)
            await grant.release()
            await (try await waiting.value).release()
        }
    }

    @Test("Contenders of other libraries are respected, whatever their prefix")
    func strangers() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let stranger = try await live.connect()
            try await client.ensurePath(live.path)
            let node = try await stranger.create(live.path + "/7ac3__lock__", mode: .ephemeralSequential)
            let lock = DistributedLock(client, at: live.path)
            #expect(try await lock.tryAcquire() == nil)
            let waiting = Task { try await lock.acquire() }
            try await Live.waitUntil(2, contendAt: live.path, with: stranger)
            try await stranger.delete(node.path)
            await (try await waiting.value).release()
        }
    }

    @Test("A task that waits for what it holds is told, at any depth; another lock is no problem")
    func selfDeadlock() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let lock = DistributedLock(client, at: live.path + "/a")
            let other = DistributedLock(client, at: live.path + "/b")
            try await lock.withLock { _ in
                try await other.withLock { _ in
                    await #expect(throws: ZooKeeperError(.selfDeadlock, path: live.path + "/a")) {
                        try await lock.withLock { _ in }
                    }
                    let grant = try await lock.tryAcquire()
                    #expect(grant == nil)
                }
            }
            let simple = DistributedLock(client, at: live.path + "/c", order: .firstCome)
            try await simple.withLock { _ in
                _ = await #expect(throws: ZooKeeperError(.selfDeadlock, path: live.path + "/c")) {
                    try await simple.withLock { _ in }
                }
            }
            try await lock.withLock { _ in }
        }
    }

    @Test("The body's result and its error come through, and the lock is released in both cases")
    func bodyResult() async throws {
        struct Failure: Error, Equatable {}
        try await Live.run { live in
            let lock = DistributedLock(try await live.connect(), at: live.path)
            #expect(try await lock.withLock { _ in 42 } == 42)
            await #expect(throws: Failure.self) { try await lock.withLock { _ in throw Failure() } }
            #expect(try await lock.contenders().isEmpty)
        }
    }

    @Test("Cancelling the caller cancels the body, and the lock is released when the call returns")
    func callerCancelled() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let lock = DistributedLock(client, at: live.path)
            let running = Signal<Void>()
            let work = Task {
                try await lock.withLock { _ in
                    running.fire(())
                    try await Signal<Void>().wait()
                }
            }
            try await running.wait()
            work.cancel()
            await #expect(throws: CancellationError.self) { try await work.value }
            #expect(try await lock.contenders().isEmpty)
        }
    }

    @Test("A grant that is dropped is released")
    func dropped() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let lock = DistributedLock(client, at: live.path)
            do { _ = try await lock.acquire() }
            await lock.waitUntilClean()
            #expect(try await lock.contenders().isEmpty)
        }
    }

    @Test("Waiting for a loss returns nil after a release, and can be cancelled")
    func lostAfterRelease() async throws {
        try await Live.run { live in
            let grant = try await DistributedLock(try await live.connect(), at: live.path).acquire()
            let waiting = Task { try await grant.lost() }
            let cancelled = Task { try await grant.lost() }
            cancelled.cancel()
            await #expect(throws: CancellationError.self) { try await cancelled.value }
            await grant.release()
            #expect(try await waiting.value == nil)
            #expect(try await grant.lost() == nil)
        }
    }

    @Test("The parent of a fair lock is a container where the server knows them, that of the simple form is persistent")
    func parents() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            await (try await DistributedLock(client, at: live.path + "/x/y").acquire()).release()
            #expect(try await client.exists(live.path + "/x/y") != nil)
            await (try await DistributedLock(client, at: live.path + "/s", order: .firstCome).acquire()).release()
            #expect(try await client.exists(live.path + "/s")?.ephemeralOwner == SessionID.none)
        }
    }

    @Test("A bad path is an error, not a trap")
    func badPath() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            for path in ["", "locks", "/locks/", "/a//b", "/a/../b"] {
                await #expect(throws: ZooKeeperError.self) { try await DistributedLock(client, at: path).acquire() }
                await #expect(throws: ZooKeeperError.self) { try await DistributedLock(client, at: path).tryAcquire() }
            }
        }
    }
}

@Suite("Read/write lock", .onServer, .live)
struct LiveReadWriteLockTests {
    @Test("Readers share, writers exclude everybody")
    func sharing() async throws {
        try await Live.run { live in
            let lock = ReadWriteLock(try await live.connect(), at: live.path)
            let other = ReadWriteLock(try await live.connect(), at: live.path)
            let first = try await lock.acquireRead()
            let second = try await other.acquireRead()
            #expect(first.mode == .shared)
            #expect(try await other.tryAcquireWrite() == nil)
            #expect(try await lock.contenders().map(\.isHolder) == [true, true])
            await first.release()
            await second.release()
            let writer = try await lock.acquireWrite()
            #expect(writer.mode == .exclusive)
            #expect(try await other.tryAcquireRead() == nil)
            #expect(try await other.tryAcquireWrite() == nil)
            #expect(writer.token > second.token)
            await writer.release()
        }
    }

    @Test("Readers and writers at once: no writer ever meets anybody")
    func exclusion() async throws {
        try await Live.run { live in
            let counter = UnprotectedCounter()
            let readers = Shared(0)
            let writers = Shared(0)
            let clients = [try await live.connect(), try await live.connect()]
            try await withThrowingTaskGroup { group in
                for number in 0..<8 {
                    let lock = ReadWriteLock(clients[number % 2], at: live.path)
                    group.addTask {
                        for _ in 0..<3 {
                            try await lock.withReadLock { _ in
                                readers.change { $0 += 1 }
                                await Task.yield()
                                #expect(writers.value == 0)
                                readers.change { $0 -= 1 }
                            }
                            try await lock.withWriteLock { _ in
                                writers.change { $0 += 1 }
                                await counter.increment()
                                #expect(writers.value == 1)
                                #expect(readers.value == 0)
                                writers.change { $0 -= 1 }
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(counter.count == 24)
        }
    }

    @Test("A reader that comes after a waiting writer waits behind it")
    func fairness() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let reading = try await ReadWriteLock(client, at: live.path).acquireRead()
            let writer = Task { [other = try await live.connect()] in
                try await ReadWriteLock(other, at: live.path).acquireWrite()
            }
            try await Live.waitUntil(2, contendAt: live.path, with: client)
            #expect(try await ReadWriteLock(client, at: live.path).tryAcquireRead() == nil)
            await reading.release()
            await (try await writer.value).release()
        }
    }

    @Test("A downgrade lets readers in, no writer before them, and keeps the token")
    func downgrade() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let lock = ReadWriteLock(client, at: live.path)
            let writing = try await lock.acquireWrite()
            let others = ReadWriteLock(try await live.connect(), at: live.path)
            let reader = Task { try await others.acquireRead() }
            try await Live.waitUntil(2, contendAt: live.path, with: client)
            let writer = Task { try await others.acquireWrite() }
            try await Live.waitUntil(3, contendAt: live.path, with: client)
            let reading = try await lock.downgrade(writing)
            #expect(!writing.isHeld)
            #expect(writing.loss == nil)
            #expect(reading.mode == .shared)
            #expect(reading.token == writing.token)
            let second = try await reader.value
            #expect(try await lock.contenders().map(\.isHolder) == [true, true, false])
            #expect(try await reading.guarded([]).isEmpty)
            await second.release()
            await reading.release()
            await (try await writer.value).release()
            await #expect(throws: ZooKeeperError.self) { try await lock.downgrade(writing) }
        }
    }

    @Test("Reading inside of writing is a deadlock with oneself and is told")
    func selfDeadlock() async throws {
        try await Live.run { live in
            let lock = ReadWriteLock(try await live.connect(), at: live.path)
            try await lock.withWriteLock { _ in
                _ = await #expect(throws: ZooKeeperError(.selfDeadlock, path: live.path)) {
                    try await lock.acquireRead()
                }
            }
            try await lock.withReadLock { _ in
                try await lock.withReadLock { _ in }
                await #expect(throws: ZooKeeperError(.selfDeadlock, path: live.path)) { try await lock.acquireWrite() }
            }
        }
    }
}
