import ConclaveClient
import ConclaveCore
import TestLanes
import Testing

@testable import Recipes

/// Cancellation, lost connections and lost sessions at every suspension point of a queue: no item is lost or doubled.
@Suite("Queues, interrupted", .onServer, .live)
struct LiveQueueFaultTests {
    enum Operation: CaseIterable, Sendable { case put, boundedPut, take, consume }

    /// Does one thing with a queue that has one item more, or less, afterwards.
    private static func perform(_ operation: Operation, _ queue: DistributedQueue<String>) async throws {
        switch operation {
        case .put, .boundedPut: try await queue.put("new")
        case .take: _ = try await queue.take()
        case .consume: try await queue.receive().finish()
        }
    }

    private static func queue(_ operation: Operation, _ client: ZooKeeperClient, _ path: String) -> DistributedQueue<
        String
    > {
        DistributedQueue(client, at: path, limit: operation == .boundedPut ? 100 : nil, deliveries: nil)
    }

    @Test(
        "The connection fails at any step: what was to be done is done once", arguments: Operation.allCases,
        LostConnectionTests.Fault.allCases)
    func lostConnection(_ operation: Operation, _ fault: LostConnectionTests.Fault) async throws {
        try await Live.run { live in
            let relay = try LostConnectionTests.relay()
            defer { relay.stop() }
            let observer = DistributedQueue<String>(try await live.connect(), at: live.path, deliveries: nil)
            let isPut = operation == .put || operation == .boundedPut
            for step in 1... {
                while try await observer.tryTake() != nil {}
                try await observer.put(contentsOf: ["a", "b"])
                // A new object each time, so that marks are made too.
                let client = try await live.connect(to: relay.connectString)
                let queue = Self.queue(operation, client, live.path)
                let trigger = StepTrigger(at: step) {
                    fault == .droppedConnection ? relay.drop() : relay.loseNextAnswer()
                }
                try await trigger.observe { try await Self.perform(operation, queue) }
                await queue.waitUntilClean()
                #expect(try await observer.count() == (isPut ? 3 : 1), "step \(step)")
                guard trigger.hasFired else { break }
            }
        }
    }

    @Test("Cancelled at any step, it is done or not, and says which", arguments: Operation.allCases)
    func cancelled(_ operation: Operation) async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let observer = DistributedQueue<String>(try await live.connect(), at: live.path, deliveries: nil)
            let isPut = operation == .put || operation == .boundedPut
            for step in 1... {
                while try await observer.tryTake() != nil {}
                try await observer.put(contentsOf: ["a", "b"])
                let queue = Self.queue(operation, client, live.path)
                let task = Signal<Task<Bool, any Error>>()
                let trigger = StepTrigger(at: step) { try? await task.wait().cancel() }
                let attempt = Task {
                    do {
                        try await trigger.observe { try await Self.perform(operation, queue) }
                        return true
                    } catch let error as ZooKeeperError where error.code == .cancelled {
                        return false
                    }
                }
                task.fire(attempt)
                let isDone = try await attempt.value
                await queue.waitUntilClean()
                #expect(try await observer.count() == (isDone ? (isPut ? 3 : 1) : 2), "step \(step)")
                // Whatever is left is free for others.
                var left = 0
                while try await observer.tryTake() != nil { left += 1 }
                #expect(left == (isDone ? (isPut ? 3 : 1) : 2), "step \(step)")
                guard trigger.hasFired else { break }
            }
        }
    }

    @Test(
        "Whoever waits for an item and is cancelled at any step leaves the line", arguments: [Operation.take, .consume])
    func waiterCancelled(_ operation: Operation) async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let other = DistributedQueue<String>(try await live.connect(), at: live.path)
            for step in 1...40 {
                let queue = Self.queue(operation, client, live.path)
                let task = Signal<Task<Bool, any Error>>()
                let trigger = StepTrigger(at: step) { try? await task.wait().cancel() }
                let attempt = Task {
                    do {
                        try await trigger.observe { try await Self.perform(operation, queue) }
                        return true
                    } catch let error as ZooKeeperError where error.code == .cancelled {
                        return false
                    }
                }
                task.fire(attempt)
                // The item comes while the other is somewhere between its first and its last step.
                try await other.put("it")
                if try await !attempt.value { #expect(try await other.take() == "it", "step \(step)") }
                await queue.waitUntilClean()
                #expect(try await other.count() == 0)
                #expect(try await client.childrenIfPresent(of: live.path + "-state/takers") == [], "step \(step)")
                guard trigger.hasFired else { break }
            }
        }
    }

    @Test("Whoever waits for room and is cancelled at any step leaves the line, and its item is there or not")
    func producerCancelled() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let other = DistributedQueue<String>(try await live.connect(), at: live.path)
            for step in 1... {
                try await other.put("first")
                let queue = DistributedQueue<String>(client, at: live.path, limit: 1)
                let task = Signal<Task<Bool, any Error>>()
                let trigger = StepTrigger(at: step) { try? await task.wait().cancel() }
                let attempt = Task {
                    do {
                        try await trigger.observe { try await queue.put("second") }
                        return true
                    } catch let error as ZooKeeperError where error.code == .cancelled {
                        return false
                    }
                }
                task.fire(attempt)
                #expect(try await other.take() == "first")
                let isPut = try await attempt.value
                let second = try await other.tryTake()
                #expect(isPut == (second != nil), "step \(step)")
                await queue.waitUntilClean()
                #expect(try await client.childrenIfPresent(of: live.path + "-state/putters") == [], "step \(step)")
                guard trigger.hasFired else { break }
            }
        }
    }

    @Test(
        "The connection of whoever waits for an item fails at any step: the item is got, once",
        arguments: [Operation.take, .consume], LostConnectionTests.Fault.allCases)
    func waiterDisconnected(_ operation: Operation, _ fault: LostConnectionTests.Fault) async throws {
        try await Live.run { live in
            let relay = try LostConnectionTests.relay()
            defer { relay.stop() }
            let judge = try await live.connect()
            let other = DistributedQueue<String>(judge, at: live.path)
            for step in 1... {
                let client = try await live.connect(to: relay.connectString)
                let queue = Self.queue(operation, client, live.path)
                let trigger = StepTrigger(at: step) {
                    fault == .droppedConnection ? relay.drop() : relay.loseNextAnswer()
                }
                async let got: Void = trigger.observe { try await Self.perform(operation, queue) }
                try await other.put("it")
                try await got
                await queue.waitUntilClean()
                #expect(try await other.count() == 0, "step \(step)")
                #expect(try await judge.childrenIfPresent(of: live.path + "-state/takers") == [], "step \(step)")
                guard trigger.hasFired else { break }
            }
        }
    }

    @Test(
        "The session of whoever waits for an item ends at any step: who is behind gets its turn",
        arguments: [Operation.take, .consume])
    func waiterExpired(_ operation: Operation) async throws {
        try await Live.run { live in
            let other = DistributedQueue<String>(try await live.connect(), at: live.path)
            let behind = Self.queue(operation, try await live.connect(), live.path)
            for step in 1... {
                let client = try await live.connect()
                let queue = Self.queue(operation, client, live.path)
                let trigger = StepTrigger(at: step) {
                    do { try await Live.expire(client) } catch { Issue.record(error) }
                }
                let dying = Task { try await trigger.observe { try await Self.perform(operation, queue) } }
                let waiting = Task { try await Self.perform(operation, behind) }
                try await other.put(contentsOf: ["a", "b"])
                do {
                    try await dying.value
                } catch let error as ZooKeeperError {
                    #expect(error.isSessionOver || error.code == .holdLost, "step \(step): \(error)")
                    #expect(trigger.hasFired)
                }
                try await waiting.value
                while try await other.tryTake() != nil {}
                #expect(try await other.count() == 0, "step \(step)")
                guard trigger.hasFired else { break }
            }
        }
    }

    @Test("A session that ends at any step ends the call, and claimed items return", arguments: Operation.allCases)
    func expired(_ operation: Operation) async throws {
        try await Live.run { live in
            let observer = DistributedQueue<String>(try await live.connect(), at: live.path, deliveries: nil)
            for step in 1... {
                while try await observer.tryTake() != nil {}
                try await observer.put(contentsOf: ["a", "b"])
                let client = try await live.connect()
                let queue = Self.queue(operation, client, live.path)
                let trigger = StepTrigger(at: step) {
                    do { try await Live.expire(client) } catch { Issue.record(error) }
                }
                do {
                    try await trigger.observe { try await Self.perform(operation, queue) }
                } catch let error as ZooKeeperError {
                    #expect(error.isSessionOver || error.code == .holdLost, "step \(step): \(error)")
                    #expect(trigger.hasFired)
                }
                await queue.waitUntilClean()
                let count = try await observer.count()
                #expect((1...3).contains(count), "step \(step)")
                // Nothing is stuck with the dead.
                for _ in 0..<count { _ = try await observer.take() }
                guard trigger.hasFired else { break }
            }
        }
    }
}
