import ConclaveClient
import ConclaveCore
import Foundation
import TestLanes
import Testing

@testable import Recipes

@Suite("Holds: asked for, delayed, proven, shared", .onServer, .live)
struct LiveHoldTests {
    // MARK: Revocation

    @Test("A holder hears that it is asked to give up, before and after it listens; the request is Curator's")
    func revocation() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let other = Contenders(try await live.connect(), at: live.path)
            let lock = DistributedLock(client, at: live.path, identity: "me")
            let grant = try await lock.acquire()
            let asked = Task { try await grant.revocationRequested() }
            let holder = try #require(try await other.list().first)
            #expect(!holder.isAskedToGiveUp)
            #expect(try await other.requestRevocation(of: holder))
            #expect(try await asked.value)
            #expect(try await grant.revocationRequested())
            #expect(try await client.data(at: grant.path).bytes == Array("__REVOKE__".utf8))
            #expect(try await other.list().first?.isAskedToGiveUp == true)
            #expect(grant.isHeld, "a request is only that")
            await grant.release()
            #expect(try await !other.requestRevocation(of: holder), "it has gone")
        }
    }

    @Test("A holder that is not asked learns that its hold has ended; listening can be cancelled")
    func notRevoked() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            for recipe in [AnyRecipe.Kind.fair, .firstCome, .semaphore, .multiLock, .read] {
                let path = live.path + "/" + recipe.rawValue
                let grant = try #require(try await AnyRecipe(recipe, client, at: path).acquire() as? LockGrant)
                let asked = Task { try await grant.revocationRequested() }
                let cancelled = Task { try await grant.revocationRequested() }
                cancelled.cancel()
                await #expect(throws: CancellationError.self) { try await cancelled.value }
                await grant.release()
                #expect(try await asked.value == false)
                #expect(try await grant.revocationRequested() == false)
            }
        }
    }

    // MARK: Lock-delay

    @Test("After a lost session the next holder waits for the delay; after a release nobody does")
    func lockDelay() async throws {
        try await Live.run { live in
            let delay = Duration.milliseconds(300)
            let observer = try await live.connect()
            let first = try await live.connect()
            let lock = DistributedLock(first, at: live.path, lockDelay: delay)
            await (try await lock.acquire()).release()
            #expect(try await live.names(with: observer).isEmpty)
            let grant = try await lock.acquire()
            #expect(try await live.names(with: observer).count == 2)
            // Whoever waits need not know of the delay.
            let second = DistributedLock(observer, at: live.path)
            let waiting = Task { try await second.acquire() }
            try await Live.waitUntil(2, contendAt: live.path, with: observer)
            let start = ContinuousClock.now
            try await Live.expire(first)
            let next = try await waiting.value
            #expect(ContinuousClock.now - start >= delay)
            #expect(next.token > grant.token)
            #expect(next.isHeld)
            await next.release()
            #expect(try await live.names(with: observer).isEmpty)
            // What is over delays nobody any more.
            let last = try await second.tryAcquire()
            #expect(last != nil)
            await last?.release()
        }
    }

    @Test("Tries find a delay and leave nothing but its date")
    func tryLockDelay() async throws {
        try await Live.run { live in
            let first = try await live.connect()
            let lock = DistributedLock(first, at: live.path, lockDelay: .seconds(600))
            let lost = try await lock.acquire()
            try await Live.expire(first)
            let client = try await live.connect()
            let second = DistributedLock(client, at: live.path)
            #expect(try await second.tryAcquire() == nil)
            let names = try await live.names(with: client)
            #expect(names.count == 1 && names.allSatisfy { HoldMarker($0) != nil })
            await #expect(throws: ZooKeeperError(.deadlineExceeded, path: live.path)) {
                try await second.acquire(timeout: .milliseconds(20))
            }
            await second.waitUntilClean()
            #expect(try await second.contenders().isEmpty)
            await lost.release()
        }
    }

    @Test("Tries get through when the delay is over, not before")
    func tryAfterLockDelay() async throws {
        try await Live.run { live in
            let first = try await live.connect()
            let lost = try await DistributedLock(first, at: live.path, lockDelay: .milliseconds(200)).acquire()
            try await Live.expire(first)
            let client = try await live.connect()
            let second = DistributedLock(client, at: live.path)
            let start = ContinuousClock.now
            var grant = try await second.tryAcquire()
            while grant == nil { grant = try await second.tryAcquire() }
            // By the server's clock, which counts in milliseconds.
            #expect(ContinuousClock.now - start >= .milliseconds(150))
            await grant?.release()
            #expect(try await live.names(with: client).isEmpty)
            await lost.release()
        }
    }

    @Test(
        "A removed node and a scope that ends with a loss leave the marker; cancelling a delayed waiter leaves nothing")
    func delayedWaiterCancelled() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let lock = DistributedLock(client, at: live.path, lockDelay: .seconds(600))
            let grant = try await lock.acquire()
            try await client.delete(grant.path)
            #expect(try await grant.lost() == .nodeRemoved)
            let waiter = DistributedLock(client, at: live.path, lockDelay: .seconds(500))
            let waiting = Task { try await waiter.acquire() }
            try await Live.waitUntil(1, contendAt: live.path, with: client)
            waiting.cancel()
            await #expect(throws: ZooKeeperError(.cancelled, path: live.path)) { try await waiting.value }
            await waiter.waitUntilClean()
            let names = try await live.names(with: client)
            #expect(names.compactMap(HoldMarker.init).map(\.delayMilliseconds) == [600_000])
            #expect(names.count == 1)
        }
    }

    @Test("Delays that make no sense are refused")
    func badDelays() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            for lock in [
                DistributedLock(client, at: live.path, lockDelay: .seconds(-1)),
                DistributedLock(client, at: live.path, lockDelay: .seconds(3_601)),
                DistributedLock(client, at: live.path, order: .firstCome, lockDelay: .seconds(1)),
            ] {
                await #expect(throws: ZooKeeperError(.badArguments, path: live.path)) { try await lock.acquire() }
            }
        }
    }

    // MARK: Sequencers

    @Test(
        "A sequencer is valid exactly as long as the hold, for whoever gets it as text",
        arguments: AnyRecipe.Kind.allCases)
    func sequencer(_ kind: AnyRecipe.Kind) async throws {
        try await Live.run { live in
            let client = try await live.connect()
            guard let grant = try await AnyRecipe(kind, client, at: live.path).acquire() as? LockGrant else { return }
            let text = grant.sequencer.description
            let sequencer = try #require(Sequencer(text))
            #expect(sequencer == grant.sequencer)
            #expect(try JSONDecoder().decode(Sequencer.self, from: JSONEncoder().encode(sequencer)) == sequencer)
            #expect(sequencer.token == grant.token && sequencer.mode == grant.mode && sequencer.node == grant.path)
            let other = try await live.connect()
            #expect(try await sequencer.isValid(using: other))
            let register = live.path + "/register"
            try await other.create(register, [0])
            try await other.transaction(sequencer.checks(using: other) + [.setData(register, [1])])
            await grant.release()
            #expect(try await !sequencer.isValid(using: other))
            // The next hold has the same node where one name serves all; it does not bring the old one back to life.
            let next = try await AnyRecipe(kind, other, at: live.path).acquire()
            #expect(try await !sequencer.isValid(using: other))
            _ = await #expect(throws: ZooKeeperError.self) {
                try await other.transaction(sequencer.checks(using: other) + [.setData(register, [2])])
            }
            #expect(try await other.data(at: register).bytes == [1])
            await next.release()
        }
    }

    @Test("Sequencers count from the root, whatever the clients' chroots; bad texts are none")
    func sequencerText() async throws {
        try await Live.run { live in
            let root = try await live.connect()
            try await root.ensurePath(live.path + "/inner")
            let inner = try await live.connect(to: LiveServer.servers + live.path)
            let grant = try await DistributedLock(inner, at: "/lock").acquire()
            #expect(grant.sequencer.path == live.path + "/lock")
            #expect(try await grant.sequencer.isValid(using: inner))
            #expect(try await grant.sequencer.isValid(using: root))
            let outside = try await live.connect(to: LiveServer.servers + live.path + "/inner")
            _ = await #expect(throws: ZooKeeperError.self) { try await grant.sequencer.isValid(using: outside) }
            #expect(throws: ZooKeeperError.self) { try grant.sequencer.checks(using: outside) }
            await grant.release()
        }
        #expect(Sequencer("exclusive 7 - /a b/c")?.node == "/a b/c")
        #expect(Sequencer("shared 7 3 /a")?.description == "shared 7 3 /a")
        for text in ["", "exclusive 7 -", "mine 7 - /a", "shared x - /a", "shared 7 x /a", "shared 7 - a"] {
            #expect(Sequencer(text) == nil, "\(text)")
        }
    }

    // MARK: Reentrancy

    @Test("Scopes inside of each other share one hold, which ends with the last of them")
    func reentrant() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            for order in [DistributedLock.Order.fair, .firstCome] {
                let lock = DistributedLock(client, at: live.path + "/\(order)", order: order, isReentrant: true)
                try await lock.withLock { outer in
                    let token = try await lock.withLock { inner in
                        await inner.release()
                        return inner.token
                    }
                    #expect(token == outer.token)
                    #expect(outer.isHeld)
                    #expect(try await lock.tryWithLock { $0.isHeld } == true)
                    #expect(outer.isHeld)
                    _ = await #expect(throws: ZooKeeperError.self) { try await lock.acquire() }
                }
                #expect(try await lock.contenders().isEmpty)
                // Another task tree waits its turn.
                let held = try await lock.acquire()
                #expect(try await lock.tryWithLock { _ in 1 } == nil)
                await held.release()
            }
        }
    }

    @Test("A task that outlives the outer scope keeps the hold until its own scope has ended")
    func reentrantTask() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let lock = DistributedLock(client, at: live.path, isReentrant: true)
            let (inside, goOn) = (Signal<Void>(), Signal<Void>())
            let task = Shared<Task<Bool, any Error>?>(nil)
            try await lock.withLock { _ in
                let running = Task {
                    try await lock.withLock { grant in
                        inside.fire(())
                        try await goOn.wait()
                        return grant.isHeld
                    }
                }
                task.change { $0 = running }
                try await inside.wait()
            }
            #expect(try await lock.contenders().count == 1)
            goOn.fire(())
            #expect(try await task.value?.value == true)
            #expect(try await lock.contenders().isEmpty)
        }
    }

    // MARK: Position

    @Test("A waiter is told how many are before it, at first and when some have gone")
    func position() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let first = try await DistributedLock(client, at: live.path).acquire()
            let second = Task { [other = try await live.connect()] in
                try await DistributedLock(other, at: live.path).acquire()
            }
            try await Live.waitUntil(2, contendAt: live.path, with: client)
            let seen = Shared<[QueuePosition]>([])
            let (queued, moved) = (Signal<Void>(), Signal<Void>())
            let report = PositionReport(every: .milliseconds(5)) { position in
                seen.change { $0.append(position) }
                if position.ahead == 2 { queued.fire(()) }
                if position.ahead == 1 { moved.fire(()) }
            }
            let third = Task { [other = try await live.connect()] in
                try await DistributedLock(other, at: live.path).acquire(.never, report: report)
            }
            try await queued.wait()
            // Nothing wakes the third one when the first goes: it looks by itself.
            await first.release()
            try await moved.wait()
            await (try await second.value).release()
            await (try await third.value).release()
            #expect(seen.value.map(\.ahead) == [2, 1, 0])
            #expect(seen.value.map(\.total) == [3, 2, 1])
            let alone = Shared<[Int]>([])
            try await DistributedLock(client, at: live.path).withLock(
                onPosition: { position in alone.change { $0.append(position.ahead) } }
            ) { _ in }
            #expect(alone.value == [0])
        }
    }

    // MARK: Upgradable readers

    @Test("An upgradable reader reads with those before it, keeps others behind it, and writes when they have gone")
    func upgrade() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let lock = ReadWriteLock(client, at: live.path)
            let other = ReadWriteLock(try await live.connect(), at: live.path)
            let reading = try await other.acquireRead()
            let grant = try await lock.acquireUpgradableRead()
            #expect(grant.mode == .shared && grant.isHeld && reading.isHeld)
            #expect(try await other.tryAcquireRead() == nil)
            let rival = Task { try await other.acquireUpgradableRead() }
            try await Live.waitUntil(3, contendAt: live.path, with: client)
            await #expect(throws: ZooKeeperError(.deadlineExceeded, path: live.path)) {
                try await lock.upgrade(grant, timeout: .zero)
            }
            #expect(grant.isHeld && grant.mode == .shared)
            let upgrading = Task { try await lock.upgrade(grant) }
            await reading.release()
            try await upgrading.value
            #expect(grant.mode == .exclusive && grant.isHeld)
            #expect(try await grant.guarded([]).isEmpty)
            let token = grant.token
            await grant.release()
            let next = try await rival.value
            #expect(next.token > token)
            // It decides not to write, and lets others read.
            let plain = try await other.downgrade(next)
            await #expect(throws: ZooKeeperError(.badArguments, path: plain.path)) {
                try await other.upgrade(plain)
            }
            await plain.release()
        }
    }

    @Test("Deciding not to write lets the readers behind in; losing the node ends the wait to write")
    func upgradeAbandoned() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let other = try await live.connect()
            let lock = ReadWriteLock(client, at: live.path)
            let mine = try await lock.acquireUpgradableRead()
            let behind = Task { try await ReadWriteLock(other, at: live.path).acquireRead() }
            try await Live.waitUntil(2, contendAt: live.path, with: client)
            let plain = try await lock.downgrade(mine)
            let reader = try await behind.value
            #expect(plain.isHeld && reader.isHeld && plain.mode == .shared)
            await plain.release()
            // Behind the other one's reader.
            let again = try await lock.acquireUpgradableRead()
            let armed = Signal<Void>()
            let upgrading = Task {
                try await ClientStep.$observer.withValue({ step in
                    if step.hasPrefix("answer exists") { armed.fire(()) }
                }) { try await lock.upgrade(again) }
            }
            try await armed.wait()
            try await other.delete(again.path)
            await #expect(throws: ZooKeeperError(.holdLost, path: again.path)) { try await upgrading.value }
            await reader.release()
        }
    }

    @Test("Cancelled while it waits to write, it goes on to read")
    func upgradeCancelled() async throws {
        try await Live.run { live in
            let lock = ReadWriteLock(try await live.connect(), at: live.path)
            let other = ReadWriteLock(try await live.connect(), at: live.path)
            let reading = try await other.acquireRead()
            let grant = try await lock.acquireUpgradableRead()
            let upgrading = Task { try await lock.upgrade(grant) }
            upgrading.cancel()
            await #expect(throws: ZooKeeperError(.cancelled, path: live.path)) { try await upgrading.value }
            await #expect(throws: ZooKeeperError(.deadlineExceeded, path: live.path)) {
                try await lock.upgrade(grant, timeout: .milliseconds(10))
            }
            #expect(grant.isHeld && grant.mode == .shared)
            await reading.release()
            try await lock.upgrade(grant)
            #expect(grant.mode == .exclusive)
            await grant.release()
            try await lock.withUpgradableReadLock { grant in
                try await lock.upgrade(grant)
                #expect(grant.mode == .exclusive)
            }
        }
    }
}
