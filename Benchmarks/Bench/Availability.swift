import BenchmarkKit
import ConclaveClient
import Foundation
import Synchronization

/// Writes that go on while a server fails: how many were acknowledged in every slice of time.
struct Availability {
    private static let sliceMilliseconds = 10.0
    private static let writers = 8

    private let target: Target
    private let name: String

    init(_ target: Target, _ name: String) {
        self.target = target
        self.name = name
    }

    func run() async throws -> Sample {
        guard target.group.members.count >= 3 else { throw LoadError("\(name) needs three servers") }
        var options = ZooKeeperClient.Options()
        options.sessionTimeout = .seconds(10)
        var clients: [ZooKeeperClient] = []
        for _ in 0..<Self.writers {
            clients.append(try await ZooKeeperClient.connect(to: target.group.hosts, options: options))
        }
        let path = "/conclave-bench-\(getpid())-\(name)-\(target.repetition)"
        try await clients[0].create(path, [])
        let record = Record()
        let begin = ContinuousClock.now
        var failedAt = 0.0
        var returnedAt = 0.0
        try await withThrowingTaskGroup(of: Void.self) { group in
            for client in clients {
                group.addTask {
                    while !record.isStopping.load(ordering: .relaxed) {
                        // A write whose outcome is unknown is no acknowledged one.
                        guard (try? await client.setData(at: path, to: [1])) != nil else {
                            record.unanswered.add(1, ordering: .relaxed)
                            continue
                        }
                        let time = (ContinuousClock.now - begin) / .milliseconds(1)
                        record.times.withLock { $0.append(time) }
                    }
                }
            }
            try await Task.sleep(for: .seconds(1))
            let leader = try target.group.leader()
            let victim = name == "follower-killed" ? (leader + 1) % target.group.members.count : leader
            failedAt = (ContinuousClock.now - begin) / .milliseconds(1)
            target.group.signal(name == "leader-stopped" ? SIGSTOP : SIGKILL, victim)
            try await Task.sleep(for: .seconds(name == "leader-stopped" ? 5 : 2))
            returnedAt = (ContinuousClock.now - begin) / .milliseconds(1)
            if name == "leader-stopped" {
                target.group.signal(SIGCONT, victim)
            } else {
                try target.group.launch(victim)
            }
            try await Task.sleep(for: .seconds(1))
            record.isStopping.store(true, ordering: .relaxed)
            try await group.waitForAll()
        }
        for client in clients { await client.close() }
        try target.group.untilServing()
        return sample(record, failedAt, returnedAt)
    }

    private final class Record: Sendable {
        let isStopping = Atomic(false)
        let unanswered = Atomic(0)
        let times = Mutex<[Double]>([])
    }

    private func sample(_ record: Record, _ failedAt: Double, _ returnedAt: Double) -> Sample {
        let times = record.times.withLock { $0 }.sorted()
        var counts = [Int](repeating: 0, count: Int((times.last ?? 0) / Self.sliceMilliseconds) + 1)
        for time in times { counts[Int(time / Self.sliceMilliseconds)] += 1 }
        var longest = 0.0
        for (earlier, later) in zip(times, times.dropFirst()) where later > failedAt {
            longest = max(longest, later - earlier)
        }
        return Sample(
            longest,
            details: [
                "writes": Double(times.count), "unanswered": Double(record.unanswered.load(ordering: .relaxed)),
            ],
            timeline: .init(
                sliceMilliseconds: Self.sliceMilliseconds, failureAtMilliseconds: failedAt,
                returnAtMilliseconds: returnedAt, counts: counts))
    }
}
