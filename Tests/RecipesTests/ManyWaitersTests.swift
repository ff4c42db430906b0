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
        func gather(
            _ count: Int, with client: ZooKeeperClient, _ body: @escaping @Sendable (Int) async throws -> Void
        ) async throws -> [Task<Void, any Error>] {
            let target = armed.value + 2 * count
            let tasks = (0..<count).map { number in
                Task {
                    try await ClientStep.$observer.withValue({ [self] step in
                        if step.hasPrefix("send getChildren") { lists.change { $0 += 1 } }
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

    /// In a process of its own, in which nothing else uses memory.
    @Test("A lock: a release wakes one of a thousand who wait, and the last of them take no more memory than the first")
    func lock() async {
        await #expect(processExitsWith: .success) {
            let server = try await ZooKeeperServer.startTemporary()
            let client = try await ZooKeeperClient.connect(to: server.connectString)
            let first = try await DistributedLock(client, at: "/lock").acquire()
            let crowd = Crowd()
            let grants = Shared([first])
            // By and by, so that what passes when they come is not taken for what stays.
            var used: [Int] = []
            for gathered in stride(from: 0, to: 1_000, by: 10) {
                if gathered % 250 == 50 { used.append(residentBytes()) }
                _ = try await crowd.gather(10, with: client) { _ in
                    let grant = try await DistributedLock(client, at: "/lock").acquire()
                    grants.change { $0.append(grant) }
                }
            }
            used.append(residentBytes())
            // Between 50 and 300, and between 800 and 1,000.
            let (early, late) = ((used[1] - used[0]) / 250, (used[4] - used[3]) / 200)
            #expect(late < 2 * early + 4_096, "\(early) bytes each, later \(late)")

            #expect(crowd.lists.value == 1_000)
            for turn in 1...20 {
                let last = try #require(grants.value.last)
                await last.release()
                try await crowd.untilGot(turn, with: client)
                // Whoever is told lists once.
                #expect(crowd.lists.value == 1_000 + turn)
            }
            await server.stop()
        }
    }
}

/// What this process has in memory; 0 where that is not known.
private func residentBytes() -> Int {
    guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return 0 }
    let words = text.split(separator: " ")
    return words.count > 1 ? (Int(words[1]) ?? 0) * 4_096 : 0
}
