import ConclaveClient
import Synchronization
import Testing

@testable import Recipes

/// Two clean-ups of one client at one path: found in the simulator, `--replay 309 --profile network --recipes all`.
@Suite("Turns at a path")
struct PathTurnsTests {
    private final class Record: Sendable {
        let events = Mutex<[String]>([])
        func note(_ event: String) { events.withLock { $0.append(event) } }
    }

    @Test("Who comes while somebody works at a path waits for its end; other paths and other clients do not")
    func oneAtATime() async throws {
        let turns = PathTurns()
        let (client, other, record) = (Record(), Record(), Record())
        let (begun, gate) = (Signal<Void>(), Signal<Void>())
        async let first: Void = turns.run(at: "/a", of: client) { () async throws(ZooKeeperError) in
            begun.fire(())
            _ = try? await gate.wait()
            record.note("first")
        }
        _ = try await begun.wait()
        try await turns.run(at: "/b", of: client) { () async throws(ZooKeeperError) in record.note("other path") }
        try await turns.run(at: "/a", of: other) { () async throws(ZooKeeperError) in record.note("other client") }
        let second = Task {
            try await turns.run(at: "/a", of: client) { () async throws(ZooKeeperError) in
                record.note("second")
                throw ZooKeeperError(.noNode)
            }
        }
        gate.fire(())
        try await first
        await #expect(throws: ZooKeeperError.self) { try await second.value }
        // A failure passes the turn on too.
        try await turns.run(at: "/a", of: client) { () async throws(ZooKeeperError) in record.note("third") }
        let events = record.events.withLock { $0 }
        #expect(events == ["other path", "other client", "first", "second", "third"])
    }
}
