import ConclaveClient
import ConclaveCore
import TestLanes
import Testing

@testable import Recipes

@Suite("Semaphore", .onServer, .live)
struct LiveSemaphoreTests {
    @Test("Many tasks of many sessions: never more leases than the limit, and all of them get one")
    func limit() async throws {
        try await Live.run { live in
            let clients = [try await live.connect(), try await live.connect(), try await live.connect()]
            let inside = Shared((now: 0, most: 0, runs: 0))
            try await withThrowingTaskGroup { group in
                for number in 0..<12 {
                    let semaphore = Semaphore(clients[number % 3], at: live.path, limit: 3)
                    group.addTask {
                        for _ in 0..<4 {
                            try await semaphore.withLease { _ in
                                inside.change {
                                    $0.now += 1
                                    $0.most = max($0.most, $0.now)
                                    $0.runs += 1
                                }
                                await Task.yield()
                                inside.change { $0.now -= 1 }
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(inside.value.runs == 48)
            #expect((1...3).contains(inside.value.most))
            #expect(try await Semaphore(clients[0], at: live.path, limit: 3).contenders().isEmpty)
        }
    }

    @Test("Three requests to get a lease and one to give it up, however many leases")
    func cost() async throws {
        try await Live.run { live in
            let semaphore = Semaphore(try await live.connect(), at: live.path, limit: 5)
            await (try await semaphore.acquire()).release()
            for permits in [1, 5] {
                let before = StepTrigger(at: .max) {}
                try await before.observe { await (try await semaphore.acquire(permits: permits)).release() }
                // Each request is a step before it is sent and one after its answer.
                #expect(before.steps <= 8)
            }
        }
    }

    @Test("A raised limit lets waiters in at once, a cut takes nothing away and keeps newcomers out")
    func changedLimit() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let limit = live.path + "/counts/limit"
            let semaphore = Semaphore(client, at: live.path + "/s", limitAt: limit, initially: 1)
            #expect(try await semaphore.currentLimit() == 1)
            let first = try await semaphore.acquire()
            let other = Semaphore(try await live.connect(), at: live.path + "/s", limitAt: limit, initially: 7)
            let waiting = Task { try await other.acquire() }
            try await Live.waitUntil(1, contendAt: live.path + "/s/locks", with: client)
            try await semaphore.setLimit(2)
            let second = try await waiting.value
            #expect(second.token > first.token)
            #expect(try await client.data(at: limit).bytes == [0, 0, 0, 2])
            try await other.setLimit(0)
            #expect(try await semaphore.currentLimit() == 0)
            #expect(first.isHeld && second.isHeld)
            await first.release()
            await second.release()
            #expect(try await semaphore.tryAcquire() == nil)
            await #expect(throws: ZooKeeperError.self) {
                try await Semaphore(client, at: live.path, limit: 1).setLimit(2)
            }
            await #expect(throws: ZooKeeperError(.deadlineExceeded, path: live.path + "/s")) {
                try await semaphore.acquire(timeout: .milliseconds(20))
            }
            await semaphore.waitUntilClean()
            #expect(try await semaphore.contenders().isEmpty)
        }
    }

    @Test("Several leases at once, all or none; more than the limit are refused; one that goes ends the hold")
    func permits() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let semaphore = Semaphore(client, at: live.path, limit: 3)
            let two = try await semaphore.acquire(permits: 2)
            #expect(two.paths.count == 2)
            #expect(try await semaphore.tryAcquire(permits: 2) == nil)
            let one = try #require(try await semaphore.tryAcquire())
            #expect(try await semaphore.contenders().count == 3)
            #expect(try await two.guarded([]).isEmpty)
            await one.release()
            try await client.delete(two.paths[1])
            #expect(try await two.lost() == .nodeRemoved)
            await #expect(throws: ZooKeeperError(.holdLost, path: two.path)) { try await two.guarded([]) }
            for permits in [0, -1, 4] {
                await #expect(throws: ZooKeeperError(.badArguments, path: live.path)) {
                    try await semaphore.acquire(permits: permits)
                }
            }
        }
    }

    @Test("A lease that is lost through another hand leaves its rest to nobody")
    func partlyRemoved() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let semaphore = Semaphore(client, at: live.path, limit: 3)
            let three = try await semaphore.acquire(permits: 3)
            try await client.delete(three.paths[0])
            #expect(try await three.lost() == .nodeRemoved)
            while try await !semaphore.contenders().isEmpty {}
        }
    }

    @Test("Those who have leases and those who wait are told apart")
    func contenders() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let semaphore = Semaphore(client, at: live.path, limit: 1, identity: "first")
            let lease = try await semaphore.acquire()
            let other = try await live.connect()
            let waiting = Task {
                try await Semaphore(other, at: live.path, limit: 1, identity: "second").acquire()
            }
            try await Live.waitUntil(1, contendAt: live.path + "/locks", with: client)
            let list = try await semaphore.contenders()
            #expect(list.map(\.identity) == ["first", "second"])
            #expect(list.map(\.isHolder) == [true, false])
            #expect(list.map(\.position) == [0, 1])
            #expect(list[0].token == lease.token)
            await lease.release()
            await (try await waiting.value).release()
        }
    }

    @Test("A task that waits for its own leases is told; with room left it is none of our business")
    func selfDeadlock() async throws {
        try await Live.run { live in
            let semaphore = Semaphore(try await live.connect(), at: live.path, limit: 2)
            try await semaphore.withLease { _ in
                try await semaphore.withLease { _ in
                    _ = await #expect(throws: ZooKeeperError(.selfDeadlock, path: live.path)) {
                        try await semaphore.withLease { _ in }
                    }
                }
            }
            #expect(try await semaphore.tryWithLease { _ in 5 } == 5)
        }
    }

    @Test("One lease given back wakes the first in the queue only")
    func order() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let order = Shared<[Int]>([])
            let first = try await Semaphore(client, at: live.path, limit: 1).acquire()
            try await withThrowingTaskGroup { group in
                for number in 0..<4 {
                    let waiter = try await live.connect()
                    group.addTask {
                        try await Semaphore(waiter, at: live.path, limit: 1).withLease { _ in
                            order.change { $0.append(number) }
                        }
                    }
                    try await Live.waitUntil(number + 1, contendAt: live.path + "/locks", with: client)
                }
                await first.release()
                try await group.waitForAll()
            }
            #expect(order.value == [0, 1, 2, 3])
        }
    }
}
