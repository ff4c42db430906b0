import ConclaveClient
import ConclaveCore
import Recipes
import Synchronization

/// Several clients count in a node that only the holder of a lock may change.
struct LockChapter: Sendable {
    private struct Observed {
        var inside = 0
        var mostInside = 0
        var tokens: [FencingToken] = []
        var grants: [String: Int] = [:]
    }

    /// Looks on from outside of the lock.
    private final class Observer: Sendable {
        private let state = Mutex(Observed())

        var observed: Observed { state.withLock(\.self) }

        func entered(_ grant: LockGrant, _ worker: String) {
            state.withLock { state in
                state.inside += 1
                state.mostInside = max(state.mostInside, state.inside)
                state.tokens.append(grant.token)
                state.grants[worker, default: 0] += 1
            }
        }

        /// - Returns: the number of the turn.
        func left() -> Int {
            state.withLock { state in
                state.inside -= 1
                return state.tokens.count
            }
        }
    }

    static let counterPath = "/demo/orders/count"
    private static let lockPath = "/demo/locks/orders"
    private static let workers = ["anna", "boris", "chiara", "daan"]
    private static let rounds = 25
    static var increments: Int { workers.count * rounds }
    /// How many grants are told one by one.
    private static let toldGrants = 6

    static func tell(_ world: DemoWorld, _ story: Story) async throws {
        story.chapter(
            1, "A lock", "four clients count together; reading and writing are two requests, so they need a lock")
        let setUp = try await world.connect()
        try await setUp.ensurePath("/demo/orders")
        try await setUp.create(counterPath, Array("0".utf8))
        let observer = Observer()
        let begin = ContinuousClock.now
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in workers {
                let client = try await world.connect()
                group.addTask {
                    let lock = DistributedLock(client, at: lockPath, identity: worker)
                    for _ in 0..<rounds {
                        try await lock.withLock(timeout: .seconds(10)) { grant in
                            observer.entered(grant, worker)
                            let number = try await count(client, grant)
                            guard observer.left() <= toldGrants else { return }
                            story.tell(worker, "has the lock, token \(grant.token), counts \(number)")
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        let time = ContinuousClock.now - begin
        story.tell(
            "all",
            story.dim("… and so on") + ": \(increments) turns in \(DurationText.format(time)), "
                + "\(DurationText.format(time / increments)) each")
        try await check(setUp, observer.observed, story)
        await world.closeClients()
    }

    private static func count(_ client: ZooKeeperClient, _ grant: LockGrant) async throws -> Int {
        let node = try await client.data(at: counterPath)
        let next = (Int(String(decoding: node.bytes, as: UTF8.self)) ?? 0) + 1
        try await grant.guarded([.setData(counterPath, Array("\(next)".utf8), version: nil)])
        return next
    }

    private static func check(_ client: ZooKeeperClient, _ observed: Observed, _ story: Story) async throws {
        let node = try await client.data(at: counterPath)
        let counted = Int(String(decoding: node.bytes, as: UTF8.self)) ?? -1
        story.check("counted to \(counted) in \(increments) turns: no update was lost", counted == increments)
        story.check("never more than one inside (at most \(observed.mostInside))", observed.mostInside == 1)
        let isGrowing = zip(observed.tokens, observed.tokens.dropFirst()).allSatisfy { $0 < $1 }
        story.check("every fencing token was greater than the one before", isGrowing)
        let turns = workers.map { observed.grants[$0] ?? 0 }
        story.check("everybody had a turn \(rounds) times", turns.allSatisfy { $0 == rounds })
    }
}
