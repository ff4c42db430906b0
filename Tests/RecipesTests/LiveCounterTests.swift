import ConclaveClient
import ConclaveCore
import TestLanes
import Testing

@testable import Recipes

@Suite("Counters and shared values", .onServer, .live)
struct LiveCounterTests {
    @Test("Every addition of concurrent tasks and sessions counts once, and each sees its own step")
    func additions() async throws {
        try await Live.run { live in
            let path = live.path + "/a/counter"
            let counters = [
                SharedCounter(try await live.connect(), at: path), SharedCounter(try await live.connect(), at: path),
            ]
            let changes = try await withThrowingTaskGroup(of: [SharedCounter.Change].self) { group in
                for task in 0..<6 {
                    group.addTask {
                        var changes: [SharedCounter.Change] = []
                        for _ in 0..<10 { changes.append(try await counters[task % 2].add(3)) }
                        return changes
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(Set(changes.map(\.before)) == Set((0..<60).map { $0 * 3 }))
            #expect(changes.allSatisfy { $0.after == $0.before + 3 })
            #expect(try await counters[0].add(-181).after == -1)
            #expect(try await counters[1].get() == -1)
        }
    }

    @Test("Reading, setting and comparing")
    func comparing() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let counter = SharedCounter(client, at: live.path + "/c")
            #expect(try await counter.get() == 0)
            #expect(try await !counter.compareAndSet(1, to: 2))
            #expect(try await counter.compareAndSet(0, to: 2))
            try await counter.set(.max)
            await #expect(throws: ZooKeeperError(.sequenceExhausted, path: live.path + "/c")) {
                try await counter.add(1)
            }
            #expect(try await client.data(at: live.path + "/c").bytes == [127] + Array(repeating: 255, count: 7))
            var updates = counter.updates.makeAsyncIterator()
            #expect(try await updates.next()?.value == .max)
            try await counter.set(5)
            #expect(try await updates.next()?.value == 5)
            try await client.setData(at: live.path + "/c", to: [1])
            await #expect(throws: ZooKeeperError(.dataInconsistency, path: live.path + "/c")) {
                try await counter.add(1)
            }
            await #expect(throws: ZooKeeperError(.dataInconsistency, path: live.path + "/c")) {
                try await counter.get()
            }
        }
    }

    @Test("The connection fails at any step of an addition: it counts once, or the outcome is said to be unknown")
    func lostConnections() async throws {
        try await Live.run { live in
            let (client, relay) = try await LostConnectionTests.relayed(live)
            defer { relay.stop() }
            let observer = SharedCounter(try await live.connect(), at: live.path + "/c")
            var expected: Int64 = 0
            var unknown = 0
            for fault in LostConnectionTests.Fault.allCases {
                for step in 1... {
                    let trigger = StepTrigger(at: step) {
                        fault == .droppedConnection ? relay.drop() : relay.loseNextAnswer()
                    }
                    let before = try await observer.get()
                    do {
                        let change = try await trigger.observe {
                            try await SharedCounter(client, at: live.path + "/c").add(1)
                        }
                        expected += 1
                        #expect(change.after == expected, "\(fault) at step \(step)")
                    } catch let error as ZooKeeperError where error.code == .connectionLoss {
                        expected = try await observer.get()
                        #expect(expected == before + 1, "\(fault) at step \(step)")
                        unknown += 1
                    }
                    #expect(try await observer.get() == expected, "\(fault) at step \(step)")
                    guard trigger.hasFired else { break }
                }
            }
            #expect(unknown >= 1)
        }
    }

    @Test("A shared value is seeded once, compared and followed")
    func sharedValue() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let value = SharedValue<Int32>(client, at: live.path + "/v")
            #expect(try await value.get() == nil)
            #expect(try await value.seed(8))
            #expect(try await !value.seed(9))
            #expect(try await client.data(at: live.path + "/v").bytes == [0, 0, 0, 8])
            var updates = value.updates.makeAsyncIterator()
            let first = try #require(try await updates.next())
            #expect(first.value == 8)
            #expect(try await value.compareAndSet(-2, expecting: first.version)?.value == -2)
            #expect(try await value.compareAndSet(10, expecting: first.version) == nil)
            #expect(try await updates.next()?.value == -2)
            #expect(try await value.update { ($0 ?? 0) * 3 }.value == -6)
            #expect(value.lastKnown?.value == -6)
            #expect(try await client.data(at: live.path + "/v").bytes == [255, 255, 255, 250])
        }
    }
}
