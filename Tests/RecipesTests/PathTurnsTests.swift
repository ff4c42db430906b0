import ConclaveClient
import Synchronization
import Testing

@testable import Recipes

/// Two clean-ups of one client at one path deleted another client's node: seed 309 of the simulator's profile `network`, with all recipes.
@Suite("Turns at a path")
struct PathTurnsTests {
    private final class Owner: Sendable {
        private let state = Mutex((working: 0, most: 0))
        var most: Int { state.withLock { $0.most } }

        func begin() {
            state.withLock { state in
                state.working += 1
                state.most = max(state.most, state.working)
            }
        }

        func end() { state.withLock { $0.working -= 1 } }
    }

    @Test("At one path of one owner one works at a time, and a failure passes the turn on")
    func oneAtATime() async {
        let (turns, owner) = (PathTurns(), Owner())
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<100 {
                group.addTask {
                    try? await turns.run(at: "/a", of: owner) { () async throws(ZooKeeperError) in
                        owner.begin()
                        for _ in 0..<20 { await Task.yield() }
                        owner.end()
                        if number.isMultiple(of: 3) { throw ZooKeeperError(.noNode) }
                    }
                }
            }
        }
        #expect(owner.most == 1)
    }

    @Test("Other paths and other owners do not wait")
    func apart() async throws {
        let (turns, owner) = (PathTurns(), Owner())
        try await turns.run(at: "/a", of: owner) { () async throws(ZooKeeperError) in
            try await turns.run(at: "/b", of: owner) { () async throws(ZooKeeperError) in }
            try await turns.run(at: "/a", of: Owner()) { () async throws(ZooKeeperError) in }
        }
    }
}
