import ConclaveClient
import ConclaveCore
import Recipes

/// The examples of the pages on groups, progress, commands and shares: what stands there stands here, and compiles.
enum GroupExamples {
    static func taking(part client: ZooKeeperClient) async throws {
        let workers = Group(client, at: "/groups/workers")
        try await workers.withMembership(as: "host-7", payload: Array("10.0.0.7:9000".utf8)) { _ in
            try await serve()
        }

        for try await change in workers.changes {
            balance(over: change.members)
        }
    }

    static func joiningAnew(_ servers: String) async throws {
        while !Task.isCancelled {
            let client = try await ZooKeeperClient.connect(to: servers)
            do {
                // Waits until the node of the lost session has gone, if that is still there.
                try await Group(client, at: "/groups/workers").withMembership(as: "host-7") { _ in try await serve() }
            } catch let error as ZooKeeperError where error.code == .holdLost || error.isSessionOver {
                // Join anew with the next session.
            }
            await client.close()
        }
    }

    static func monitoring(_ client: ZooKeeperClient) async throws {
        let monitor = HeartbeatMonitor(
            client, at: "/groups/workers", suspectAfter: .seconds(3), deadAfter: .seconds(10))
        for try await report in monitor.reports {
            for member in report.changed { note("\(member.name): \(member.condition)") }
        }
    }

    static func beating(_ workers: Group) async throws {
        try await workers.withMembership(as: "host-7") { member in
            while true {
                try await serve()
                try await member.beat()
            }
        }
    }

    static func reporting(_ client: ZooKeeperClient, _ records: [Int]) async throws {
        let board = ProgressBoard(client, at: "/progress/import")
        try await board.withWorker("host-7", total: 10_000) { worker in
            for record in records {
                try await process("\(record)", nil)
                worker.advance()
            }
        }

        for try await summary in board.summaries {
            show(summary.done, summary.total, summary.rate, summary.remaining)
        }
    }

    static func commanding(_ client: ZooKeeperClient) async throws {
        let channel = CommandChannel(client, at: "/control")

        // At every client.
        try await channel.run(as: "host-7") { command in
            try await process(command.text, nil)
            return CommandOutcome("done")
        }

        // At the console.
        let number = try await channel.publish("reload")
        for try await status in channel.progress(of: number) {
            show(status.acknowledged, status.pending)
        }
    }

    static func partitioning(_ client: ZooKeeperClient) async throws {
        let partitioner = Partitioner(client, at: "/jobs/orders", member: "host-7", shares: (0..<64).map { "p\($0)" })
        try await partitioner.run { share in
            while true { try await process(share.name, share.token) }
        }
    }

    private static func serve() async throws {}
    private static func process(_ name: String, _ token: FencingToken?) async throws {}
    private static func balance(over members: [GroupMember]) {}
    private static func note(_ text: String) {}
    private static func show(_ values: Any?...) {}
}
