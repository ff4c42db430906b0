import ConclaveClient
import ConclaveCore
import ConclaveServer
import Foundation
import TestLanes
import Testing

@testable import Recipes

/// What many waiters cost: one notification for each release, and memory in proportion to their number.
@Suite("Many waiters", .onServer, .live)
struct ManyWaitersTests {
    /// Waiters of one recipe, and how many requests of theirs have been answered.
    private final class Crowd: Sendable {
        let armed = Shared(0)
        let lists = Shared(0)
        let got = Shared(0)

        /// Runs the body in so many tasks; returns when each of them has armed both watches of a place in a line.
        ///
        /// - Parameter less: watches that some of them do not arm.
        func gather(
            _ count: Int, less: Int = 0, with client: ZooKeeperClient,
            _ body: @escaping @Sendable (Int) async throws -> Void
        ) async throws -> [Task<Void, any Error>] {
            let target = armed.value + 2 * count - less
            let tasks = (0..<count).map { number in
                Task {
                    try await ClientStep.$observer.withValue({ [self] step in
                        if step.hasPrefix("send getChildren") || step.hasPrefix("send multiRead") {
                            lists.change { $0 += 1 }
                        }
                        if step.hasPrefix("answer exists") { armed.change { $0 += 1 } }
                    }) { try await body(number) }
                    got.change { $0 += 1 }
                }
            }
            while armed.value < target { try await client.sync() }
            return tasks
        }

        func untilGot(_ count: Int, with client: ZooKeeperClient) async throws {
            while got.value < count { try await client.sync() }
        }
    }

    @Test("An item that is put wakes one of all who wait, and the next in line takes up its place")
    func queue() async throws {
        try await Live.run { live in
            let clients = [try await live.connect(), try await live.connect(), try await live.connect()]
            let queue = DistributedQueue<String>(clients[0], at: live.path)
            let queues = clients.map { DistributedQueue<String>($0, at: live.path) }
            let waiting = Task { try await queue.take() }
            try await Live.waitUntil(1, contendAt: live.path + "-state/takers", with: clients[0])
            let crowd = Crowd()
            let tasks = try await crowd.gather(200, with: clients[0]) { number in
                _ = try await queues[number % 3].take()
            }
            try await queue.put("first")
            #expect(try await waiting.value == "first")
            let before = crowd.lists.value
            for turn in 1...20 {
                try await queue.put("\(turn)")
                try await crowd.untilGot(turn, with: clients[0])
            }
            // To the head of the line, to wait for an item, to find it, and before that to find nothing.
            #expect(crowd.lists.value - before <= 20 * 6)
            for task in tasks { task.cancel() }
        }
    }

    @Test("A lock: a release wakes one of a thousand who wait, and the last of them take no more memory than the first")
    func lock() async {
        await #expect(processExitsWith: .success) {
            try await Self.judge(lists: 1, perRelease: 1) { client in
                let grant = try await DistributedLock(client, at: "/lock").acquire()
                return { await grant.release() }
            }
        }
    }

    @Test(
        "Writers: a release wakes one of a thousand who wait, and the last of them take no more memory than the first")
    func writers() async {
        await #expect(processExitsWith: .success) {
            try await Self.judge(lists: 1, perRelease: 1) { client in
                let grant = try await ReadWriteLock(client, at: "/lock").acquireWrite()
                return { await grant.release() }
            }
        }
    }

    @Test(
        "A semaphore: a release wakes one of a thousand who wait, and the last of them take no more memory than the first"
    )
    func semaphore() async {
        await #expect(processExitsWith: .success) {
            // The next in the queue looks too, to wait for the next lease, by a watch on the leases.
            try await Self.judge(lists: 1, less: 1, perRelease: 3) { client in
                let grant = try await Semaphore(client, at: "/semaphore", limit: 1).acquire()
                return { await grant.release() }
            }
        }
    }

    /// In a process of its own, in which nothing else uses memory.
    ///
    /// - Parameters:
    ///   - lists: how often each who waits looks who is there.
    ///   - less: how many watches less the first of them arms.
    ///   - perRelease: how many looks a release leads to at most.
    ///   - acquire: returns what gives up again.
    private static func judge(
        lists: Int, less: Int = 0, perRelease: Int,
        _ acquire: @escaping @Sendable (ZooKeeperClient) async throws -> @Sendable () async -> Void
    ) async throws {
        let server = try await ZooKeeperServer.startTemporary()
        let client = try await ZooKeeperClient.connect(to: server.connectString)
        let first = try await acquire(client)
        let crowd = Crowd()
        let grants = Shared([first])
        // By and by, so that what passes when they come is not taken for what stays.
        var used: [Int] = []
        for gathered in stride(from: 0, to: 1_000, by: 10) {
            if gathered % 250 == 50 { used.append(residentBytes()) }
            _ = try await crowd.gather(10, less: gathered == 0 ? less : 0, with: client) { _ in
                let release = try await acquire(client)
                grants.change { $0.append(release) }
            }
        }
        used.append(residentBytes())
        // Between 50 and 300, and between 800 and 1,000.
        let (early, late) = ((used[1] - used[0]) / 250, (used[4] - used[3]) / 200)
        #expect(late < 2 * early + 4_096, "\(early) bytes each, later \(late)")

        let looks = crowd.lists.value
        #expect(looks <= 1_000 * lists + 10)
        for turn in 1...20 {
            let release = try #require(grants.value.last)
            await release()
            try await crowd.untilGot(turn, with: client)
            #expect(crowd.lists.value - looks <= turn * perRelease)
        }
        await server.stop()
    }
}

/// What this process has in memory; 0 where that is not known.
private func residentBytes() -> Int {
    guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return 0 }
    let words = text.split(separator: " ")
    return words.count > 1 ? (Int(words[1]) ?? 0) * 4_096 : 0
}
