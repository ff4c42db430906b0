import ConclaveClient
import ConclaveCore
import TestLanes
import Testing

@testable import Recipes

/// What goes wrong at any suspension point of a barrier.
@Suite("Barriers, interrupted", .onServer, .live)
struct LiveBarrierFaultTests {
    enum Form: CaseIterable, Sendable { case double, doubleBreaking, count, countBreaking, latch, gate }

    /// Does what each of two members does.
    private static func pass(_ form: Form, _ client: ZooKeeperClient, _ path: String) async throws {
        switch form {
        case .double, .doubleBreaking:
            try await DoubleBarrier(client, at: path, count: 2, breaks: form == .doubleBreaking).enter().leave()
        case .count, .countBreaking:
            try await CountBarrier(client, at: path, count: 2, breaks: form == .countBreaking).pass()
        case .latch:
            let latch = CountDownLatch(client, at: path, count: 2)
            try await latch.countDown()
            try await latch.wait()
        case .gate:
            let gate = Gate(client, at: path)
            try await gate.close()
            try await gate.open()
            try await gate.pass()
        }
    }

    @Test(
        "The connection fails at any step: both members pass", arguments: Form.allCases,
        LostConnectionTests.Fault.allCases)
    func lostConnection(_ form: Form, _ fault: LostConnectionTests.Fault) async throws {
        try await Live.run { live in
            let relay = try LostConnectionTests.relay()
            defer { relay.stop() }
            let other = try await live.connect()
            for step in 1... {
                let client = try await live.connect(to: relay.connectString)
                let path = live.path + "/b/\(step)"
                let trigger = StepTrigger(at: step) {
                    fault == .droppedConnection ? relay.drop() : relay.loseNextAnswer()
                }
                async let second: Void = Self.pass(form, other, path)
                try await trigger.observe { try await Self.pass(form, client, path) }
                try await second
                if form != .latch { try await other.waitForMembers(0, of: path) }
                guard trigger.hasFired else { break }
            }
        }
    }

    @Test("A gate that opens while the connection of those who wait is lost lets them through")
    func lostAtGate() async throws {
        try await Live.run { live in
            let (client, relay) = try await LostConnectionTests.relayed(live)
            defer { relay.stop() }
            let gate = Gate(try await live.connect(), at: live.path)
            for lose in [relay.drop, relay.loseNextAnswer] {
                try await gate.close()
                let armed = Signal<Void>()
                let passing = Task {
                    try await ClientStep.$observer.withValue({ step in
                        if step.hasPrefix("answer exists") { armed.fire(()) }
                    }) { try await Gate(client, at: live.path).pass() }
                }
                try await armed.wait()
                lose()
                try await gate.open()
                try await passing.value
            }
        }
    }

    @Test(
        "Cancelled at any step, a member is gone from the barrier",
        arguments: [Form.double, .doubleBreaking, .count, .countBreaking])
    func cancelled(_ form: Form) async throws {
        try await Live.run { live in
            let client = try await live.connect()
            for step in 1...16 {
                let path = live.path + "/b/\(step)"
                let task = Signal<Task<Void, any Error>>()
                let reached = Signal<Void>()
                let trigger = StepTrigger(at: step) {
                    try? await task.wait().cancel()
                    reached.fire(())
                }
                let attempt = Task { try await trigger.observe { try await Self.pass(form, client, path) } }
                task.fire(attempt)
                // Nobody else comes, so it can only be cancelled; one that waits before this step is told from outside.
                try await client.waitForMembers(1, of: path, unless: reached)
                attempt.cancel()
                await #expect(throws: ZooKeeperError.self) { try await attempt.value }
                try await client.waitForMembers(0, of: path)
            }
        }
    }

    @Test("Cancelled at any step of leaving, a member has left, and the other is not held up")
    func leavingCancelled() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let other = try await live.connect()
            for step in 1... {
                let path = live.path + "/b/\(step)"
                async let second = DoubleBarrier(other, at: path, count: 2).enter()
                let member = try await DoubleBarrier(client, at: path, count: 2).enter()
                let staying = try await second
                let task = Signal<Task<Void, any Error>>()
                let trigger = StepTrigger(at: step) { try? await task.wait().cancel() }
                let leaving = Task {
                    do {
                        try await trigger.observe { try await member.leave() }
                    } catch let error as ZooKeeperError where error.code == .cancelled {
                        // It has left all the same.
                    }
                }
                task.fire(leaving)
                try await staying.leave()
                try await leaving.value
                try await client.waitForMembers(0, of: path)
                guard trigger.hasFired else { break }
            }
        }
    }

    @Test("A session that ends at any step ends the call, and nobody else is stuck", arguments: Form.allCases)
    func expired(_ form: Form) async throws {
        try await Live.run { live in
            let (other, third) = (try await live.connect(), try await live.connect())
            for step in 1... {
                let path = live.path + "/b/\(step)"
                let client = try await live.connect()
                let trigger = StepTrigger(at: step) {
                    do { try await Live.expire(client) } catch { Issue.record(error) }
                }
                let staying = Task { try await Self.pass(form, other, path) }
                do {
                    try await trigger.observe { try await Self.pass(form, client, path) }
                } catch let error as ZooKeeperError {
                    #expect(error.isSessionOver || error.code == .barrierBroken, "step \(step): \(error)")
                    #expect(trigger.hasFired)
                }
                // Where the other still waits, somebody comes in the place of the dead.
                let coming = Task { try await Self.pass(form, third, path) }
                do {
                    try await staying.value
                } catch let error as ZooKeeperError where form == .doubleBreaking || form == .countBreaking {
                    #expect(error.code == .barrierBroken, "step \(step): \(error)")
                }
                coming.cancel()
                _ = await coming.result
                if form != .latch { try await other.waitForMembers(0, of: path) }
                guard trigger.hasFired else { break }
            }
        }
    }
}
