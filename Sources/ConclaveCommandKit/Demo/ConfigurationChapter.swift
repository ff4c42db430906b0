import ConclaveClient
import ConclaveCore
import Recipes
import Synchronization

/// A value is published again and again; subscribers follow.
struct ConfigurationChapter: Sendable {
    private struct Limits: Codable, ConfigurationValue, Equatable {
        var requestsPerSecond: Int
    }

    /// What one subscriber has seen.
    private struct Seen {
        var rates: [Int] = []
        var skipped = 0
    }

    private final class Observer: Sendable {
        private let all = Mutex([Seen](repeating: Seen(), count: subscribers))

        var seen: [Seen] { all.withLock(\.self) }

        func note(_ revision: ConfigurationRevision<Limits>, by number: Int) {
            all.withLock { all in
                all[number].rates.append(revision.value.requestsPerSecond)
                all[number].skipped += revision.skipped
            }
        }
    }

    static let path = "/demo/config/limits"
    private static let subscribers = 12
    static let revisions = 8

    static func tell(_ world: DemoWorld, _ story: Story) async throws {
        story.chapter(5, "Configuration", "\(subscribers) subscribers on four connections follow one value")
        let publisher = Configuration<Limits>(try await world.connect(), at: path)
        try await publisher.publish(Limits(requestsPerSecond: 0))
        let observer = Observer()
        let (arrivals, send) = AsyncStream.makeStream(of: Int.self)
        var delays: [Duration] = []
        try await withThrowingTaskGroup(of: Void.self) { group in
            var clients: [ZooKeeperClient] = []
            for _ in 0..<4 { clients.append(try await world.connect()) }
            for number in 0..<subscribers {
                let value = Configuration<Limits>(clients[number % clients.count], at: path)
                group.addTask {
                    for try await revision in value.updates {
                        observer.note(revision, by: number)
                        send.yield(revision.value.requestsPerSecond)
                    }
                }
            }
            var iterator = arrivals.makeAsyncIterator()
            try await wait(for: 0, &iterator)
            for round in 1...revisions {
                let begin = ContinuousClock.now
                try await publisher.publish(Limits(requestsPerSecond: round * 100))
                try await wait(for: round * 100, &iterator)
                delays.append(ContinuousClock.now - begin)
                story.tell(
                    "config",
                    "limit \(round * 100)/s published, all \(subscribers) have it "
                        + "\(DurationText.format(ContinuousClock.now - begin)) later")
                try await Task.sleep(for: .milliseconds(80))
            }
            group.cancelAll()
            while await group.nextResult() != nil {}
        }
        check(observer.seen, delays, story)
        await world.closeClients()
    }

    /// Waits until every subscriber has told that it has a value.
    private static func wait(for rate: Int, _ arrivals: inout AsyncStream<Int>.Iterator) async throws {
        var count = 0
        while count < subscribers {
            guard let arrived = await arrivals.next(isolation: #isolation) else { throw CancellationError() }
            if arrived == rate { count += 1 }
        }
    }

    private static func check(_ seen: [Seen], _ delays: [Duration], _ story: Story) {
        let median = delays.sorted()[delays.count / 2]
        story.check(
            "everybody has the newest value, \(DurationText.format(median)) after publishing (median)",
            seen.allSatisfy { $0.rates.last == revisions * 100 })
        story.check(
            "everybody saw the values in order",
            seen.allSatisfy { zip($0.rates, $0.rates.dropFirst()).allSatisfy { $0 < $1 } })
        story.check(
            "every value was seen or counted as skipped",
            seen.allSatisfy { $0.rates.count + $0.skipped == revisions + 1 })
    }
}
