import ConclaveClient
import ConclaveCore
import TestLanes
import Testing

@testable import Recipes

/// Gates, barriers and latches against a server.
@Suite("Barriers", .onServer, .live)
struct LiveBarrierTests {
    @Test("A gate holds up everybody as long as it is closed")
    func gate() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let gate = Gate(client, at: live.path + "/gates/a")
            try await gate.pass()
            try await gate.close(identity: "migration")
            try await gate.close()
            #expect(try await !gate.isOpen())
            await #expect(throws: ZooKeeperError(.deadlineExceeded, path: live.path + "/gates/a")) {
                try await gate.pass(timeout: .milliseconds(20))
            }
            let passing = (0..<5).map { _ in Task { try await gate.pass() } }
            try await gate.open()
            for task in passing { try await task.value }
            try await gate.open()
            let other = try await live.connect()
            try await Gate(other, at: live.path + "/gates/a").close(whileSessionLasts: true)
            #expect(try await !gate.isOpen())
            await other.close()
            try await gate.pass()
        }
    }

    @Test("Members enter together and leave together, round after round on the same path", arguments: [false, true])
    func doubleBarrier(_ breaks: Bool) async throws {
        try await Live.run { live in
            let clients = [try await live.connect(), try await live.connect()]
            let count = 8
            let inside = Shared(0)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for member in 0..<count {
                    group.addTask {
                        let barrier = DoubleBarrier(
                            clients[member % 2], at: live.path + "/b", count: count, breaks: breaks,
                            identity: "\(member)")
                        for round in 1...5 {
                            let place = try await barrier.enter()
                            inside.change { $0 += 1 }
                            try await place.leave()
                            #expect(inside.value >= round * count)
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await clients[0].childrenIfPresent(of: live.path + "/b") == [])
        }
    }

    @Test("A member that gives up or dies breaks the barrier, where that was asked for; else another takes its place")
    func brokenDoubleBarrier() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            for (number, breaks) in [true, false].enumerated() {
                let path = live.path + "/\(number)"
                let barrier = DoubleBarrier(client, at: path, count: 4, breaks: breaks)
                let waiting = (0..<2).map { _ in Task { try await barrier.enter() } }
                let dying = try await live.connect()
                let dead = Task { try await DoubleBarrier(dying, at: path, count: 4, breaks: breaks).enter() }
                try await client.waitForMembers(3, of: path)
                await dying.close()
                await #expect(throws: ZooKeeperError.self) { try await dead.value }
                if breaks {
                    for task in waiting {
                        await #expect(throws: ZooKeeperError(.barrierBroken, path: path)) { try await task.value }
                    }
                    await #expect(throws: ZooKeeperError(.barrierBroken, path: path)) { try await barrier.enter() }
                    try await barrier.reset()
                    await barrier.waitUntilClean()
                } else {
                    let more = (0..<2).map { _ in Task { try await barrier.enter() } }
                    for task in waiting + more { try await task.value.withdraw() }
                }
                await barrier.waitUntilClean()
            }
        }
    }

    @Test("Scoped: the body runs when all are there; a body that throws does not hold up the others")
    func together() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let barrier = DoubleBarrier(client, at: live.path, count: 3)
            let running = Shared(0)
            let tasks = (0..<3).map { number in
                Task {
                    try await barrier.together {
                        running.change { $0 += 1 }
                        if number == 1 { throw InvalidQueueItem("of no use") }
                    }
                }
            }
            for (number, task) in tasks.enumerated() {
                if number == 1 {
                    await #expect(throws: InvalidQueueItem.self) { try await task.value }
                } else {
                    try await task.value
                }
            }
            #expect(running.value == 3)
        }
    }

    @Test("A count barrier opens for as many as its node says, round after round", arguments: [false, true])
    func countBarrier(_ breaks: Bool) async throws {
        try await Live.run { live in
            let clients = [try await live.connect(), try await live.connect()]
            let path = live.path + "/c/start"
            let came = Shared(0)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for member in 0..<6 {
                    group.addTask {
                        let barrier = CountBarrier(clients[member % 2], at: path, count: 6, breaks: breaks)
                        for round in 1...5 {
                            came.change { $0 += 1 }
                            let passed = try await barrier.pass()
                            #expect(passed == Int32(round - 1))
                            #expect(came.value >= round * 6)
                        }
                        await barrier.waitUntilClean()
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await clients[0].data(at: path).bytes == Array("6".utf8))
            #expect(try await clients[0].children(of: path).names == [])
            await #expect(throws: ZooKeeperError(.badArguments, path: path)) {
                try await CountBarrier(clients[0], at: path, count: 7).pass()
            }
            await #expect(throws: ZooKeeperError(.noNode, path: live.path + "/none")) {
                try await CountBarrier(clients[0], at: live.path + "/none").pass()
            }
        }
    }

    @Test("A member that gives up breaks its round, and only that")
    func brokenCountBarrier() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let barrier = CountBarrier(client, at: live.path, count: 3, breaks: true)
            let waiting = Task { try await barrier.pass() }
            try await client.waitForMembers(1, of: live.path)
            let leaving = Task { try await barrier.pass() }
            try await client.waitForMembers(2, of: live.path)
            #expect(try await barrier.waiting() ?? (0, 0) == (2, 3))
            leaving.cancel()
            await #expect(throws: ZooKeeperError(.cancelled, path: live.path)) { try await leaving.value }
            await #expect(throws: ZooKeeperError(.barrierBroken, path: live.path)) { try await waiting.value }
            await barrier.waitUntilClean()
            let next = (0..<3).map { _ in Task { try await barrier.pass() } }
            for task in next { #expect(try await task.value == 1) }
            #expect(try await client.data(at: live.path).bytes == Array("3\nbroken 0".utf8))
        }
    }

    @Test("A latch opens once all have counted, a name counts once, and it stays open")
    func latch() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let latch = CountDownLatch(client, at: live.path + "/l/loaded", count: 3)
            #expect(try await latch.remaining() == 3)
            let waiting = (0..<4).map { _ in Task { try await latch.wait() } }
            #expect(try await latch.countDown(as: "one") == 2)
            #expect(try await latch.countDown(as: "one") == 2)
            #expect(try await latch.countDown() == 1)
            await #expect(throws: ZooKeeperError(.deadlineExceeded, path: live.path + "/l/loaded")) {
                try await latch.wait(timeout: .milliseconds(20))
            }
            #expect(try await latch.countDown(as: "two") == 0)
            for task in waiting { try await task.value }
            try await latch.wait()
            #expect(try await latch.remaining() == 0)
            await #expect(throws: ZooKeeperError(.badArguments, path: live.path + "/l/loaded")) {
                try await CountDownLatch(client, at: live.path + "/l/loaded", count: 4).wait()
            }
        }
    }
}

extension ZooKeeperClient {
    /// Waits until a barrier has so many members, or somebody says that it is not worth waiting any more.
    func waitForMembers(_ count: Int, of path: String, unless reached: Signal<Void>? = nil) async throws {
        while reached?.value == nil {
            do {
                guard let change = try await changeUnless(count, membersOf: path) else { return }
                if reached == nil { _ = try await change.fired() } else { await Task.yield() }
            } catch let error where error.code == .noNode {
                // Removed since it was there.
            }
        }
    }

    private func changeUnless(_ count: Int, membersOf path: String) async throws(ZooKeeperError) -> Watch? {
        let parent = try await watchExists(path)
        guard parent.stat != nil else { return count == 0 ? nil : parent.change }
        let look = try await watchChildren(of: path)
        let members = look.children.names.filter { $0 != DoubleBarrierNodes.readyName }
        return members.count == count ? nil : look.change
    }
}
