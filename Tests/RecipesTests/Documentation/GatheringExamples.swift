import ConclaveClient
import Recipes
import TestLanes
import Testing

/// What the pages on queues and barriers show, compiled and run.
@Suite("Examples: queues and barriers", .onServer, .live)
struct GatheringExamples {
    struct Job: Codable, QueueItem { var order: Int }  // kept as JSON

    private func run(_ job: Job, fencingToken: FencingToken) async throws {
        if job.order == 4712 { throw CancellationError() }
    }

    private func generateLoad() async throws {}

    @Test("Queues")
    func queues() async throws {
        try await Live.run { live in
            let client = try await live.connect(to: LiveServer.servers + live.path)
            try await client.ensurePath("/")

            let jobs = DistributedQueue<Job>(client, at: "/queues/jobs", limit: 10_000)
            try await jobs.put(Job(order: 4711))

            let consumer = Task {
                try await jobs.consume(concurrency: 8) { delivery in
                    try await run(delivery.item, fencingToken: delivery.token)
                }
            }
            while try await jobs.count() > 0 {}
            consumer.cancel()
            _ = await consumer.result

            try await jobs.put(Job(order: 4713))
            let job = try await jobs.take(timeout: .seconds(60))
            #expect(job.order == 4713)

            try await PriorityQueue<Job>(client, at: "/queues/urgent").put(job, priority: -10)
            try await DelayQueue<Job>(client, at: "/queues/later").put(job, after: .seconds(60))
        }
    }

    @Test("Barriers")
    func barriers() async throws {
        try await Live.run { live in
            let client = try await live.connect(to: LiveServer.servers + live.path)
            try await client.ensurePath("/")

            let migration = Gate(client, at: "/gates/migration")
            try await migration.close()
            try await migration.open()
            try await migration.pass(timeout: .seconds(60))

            let start = CountBarrier(client, at: "/barriers/start", count: 1)
            let round = try await start.pass()
            #expect(round == 0)

            let load = DoubleBarrier(client, at: "/barriers/load", count: 1)
            try await load.together { try await generateLoad() }

            let loaded = CountDownLatch(client, at: "/latches/loaded", count: 1)
            try await loaded.countDown(as: "shard-7")
            try await loaded.wait()
        }
    }
}
