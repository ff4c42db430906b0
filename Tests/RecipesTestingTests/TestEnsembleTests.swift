import ConclaveCore
import Recipes
import RecipesTesting
import Synchronization
import TestLanes
import Testing

@Suite("Test ensemble", .live)
struct TestEnsembleTests {
    /// What holders of the lock say of themselves.
    private final class Register: Sendable {
        private struct State {
            var inside = 0
            var overlaps = 0
            var counted = 0
            var unknown = 0
        }

        private let state = Mutex(State())

        var counted: Int { state.withLock(\.counted) }
        /// How often the counter may have been raised.
        var possible: ClosedRange<Int> { state.withLock { $0.counted...$0.counted + $0.unknown } }
        var overlaps: Int { state.withLock(\.overlaps) }

        func entered() {
            state.withLock { state in
                state.inside += 1
                if state.inside > 1 { state.overlaps += 1 }
            }
        }

        func left() { state.withLock { $0.inside -= 1 } }
        func done() { state.withLock { $0.counted += 1 } }
        func lostSight() { state.withLock { $0.unknown += 1 } }
    }

    @Test(
        "Whatever happens to the servers, one at a time holds the lock, and no count is lost",
        arguments: EnsembleFault.allCases)
    func lock(fault: EnsembleFault) async throws {
        try await withTestEnsemble { ensemble in
            let onlooker = try await ensemble.connect()
            try await onlooker.create("/count", Array("0".utf8))
            let register = Register()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<2 {
                    let client = try await ensemble.connect()
                    group.addTask { while register.counted < 12 { try await Self.takeTurn(client, register) } }
                }
                try await Self.wait(for: 4, with: onlooker)
                try await ensemble.inflict(fault)
                try await group.waitForAll()
            }
            try await ensemble.recover()
            try await onlooker.sync("/count")
            #expect(register.possible.contains(try await Self.count(with: onlooker)))
            #expect(register.overlaps == 0 && register.counted >= 12)
        }
    }

    /// Takes the lock and counts in a node, one turn of many.
    private static func takeTurn(_ client: ZooKeeperClient, _ register: Register) async throws {
        do {
            try await DistributedLock(client, at: "/lock").withLock { grant in
                register.entered()
                defer { register.left() }
                let next = try await count(with: client) + 1
                do throws(ZooKeeperError) {
                    try await grant.guarded([.setData("/count", Array("\(next)".utf8), version: nil)])
                    register.done()
                } catch {
                    if error.isOutcomeUnknown { register.lostSight() }
                    throw error
                }
            }
        } catch let error as ZooKeeperError where error.isOutcomeUnknown || error.code == .holdLost {
            // The connection or the hold was lost: the next turn may do better.
        }
    }

    private static func count(with client: ZooKeeperClient) async throws(ZooKeeperError) -> Int {
        Int(String(decoding: try await client.data(at: "/count").bytes, as: UTF8.self)) ?? -1
    }

    private static func wait(for count: Int, with client: ZooKeeperClient) async throws {
        while true {
            let (node, change) = try await client.watchData(at: "/count")
            if Int(String(decoding: node.bytes, as: UTF8.self)) ?? 0 >= count { return }
            _ = try await change.fired()
        }
    }

    @Test("An expired session loses its lock, and the next in line gets it")
    func expired() async throws {
        try await withTestEnsemble(servers: 1) { ensemble in
            let (first, second) = (try await ensemble.connect(), try await ensemble.connect())
            let grant = try await DistributedLock(first, at: "/lock").acquire()
            async let next = DistributedLock(second, at: "/lock").acquire()
            try await ensemble.expire(first)
            #expect(try await next.token > grant.token)
            await #expect(throws: ZooKeeperError(.sessionExpired)) { try await ensemble.expire(first) }
            #expect(try await grant.lost() != nil)
        }
    }

    @Test("An ensemble that is in pieces when its test ends is put together, and its sessions are closed")
    func brokenEnd() async throws {
        let ensemble = try await TestEnsemble.start(servers: 3, observers: 1)
        let client = try await ensemble.connect()
        try await ensemble.inflict(.leaderCutOff)
        try await ensemble.inflict(.followerKilled)
        await ensemble.stop()
        #expect(client.state == .closed && ensemble.quorum.running == [])
        await ensemble.stop()
        await #expect(throws: ZooKeeperError(.badArguments)) {
            try await withTestEnsemble(servers: 1) { try await $0.inflict(.followerKilled) }
        }
    }
}
