import Recipes

extension RecipeMeasurement {
    static let queues: [RecipeMeasurement] = [
        RecipeMeasurement(name: "queue-put", text: "items of 100 bytes put into a queue, one by one") { environment in
            try await environment.withClients(1) { clients in
                let queue = DistributedQueue<[UInt8]>(clients[0], at: environment.folder + "/queue")
                let item = [UInt8](repeating: 0, count: 100)
                return try await environment.rate([{ try await queue.put(item) }])
            }
        },
        RecipeMeasurement(name: "queue-take", text: "a full queue taken empty by one client, item by item") {
            environment in
            try await environment.withClients(1) { clients in
                let queue = DistributedQueue<[UInt8]>(clients[0], at: environment.folder + "/queue")
                return try await drain(environment, queue) { count in
                    for _ in 0..<count { _ = try await queue.take() }
                }
            }
        },
        RecipeMeasurement(name: "queue-take-8", text: "the same by eight clients at a time") { environment in
            try await environment.withClients(8) { clients in
                let queues = clients.map { DistributedQueue<[UInt8]>($0, at: environment.folder + "/queue") }
                return try await drain(environment, queues[0]) { count in
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for queue in queues {
                            group.addTask { for _ in 0..<count / 8 { _ = try await queue.take() } }
                        }
                        try await group.waitForAll()
                    }
                }
            }
        },
        RecipeMeasurement(
            name: "queue-consume", text: "a full queue consumed at least once by one client, eight at a time"
        ) {
            environment in
            try await environment.withClients(1) { clients in
                let queue = DistributedQueue<[UInt8]>(clients[0], at: environment.folder + "/queue")
                return try await drain(environment, queue) { count in
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for _ in 0..<8 {
                            group.addTask {
                                for _ in 0..<count / 8 { try await queue.receive().finish() }
                            }
                        }
                        try await group.waitForAll()
                    }
                }
            }
        },
    ]

    /// Items a second, from a queue with 2,000 for each second of measuring.
    private static func drain(
        _ environment: RecipeEnvironment, _ queue: DistributedQueue<[UInt8]>, _ body: (Int) async throws -> Void
    ) async throws -> RecipeFigure {
        let count = max(8, Int(2_000 * environment.seconds) / 8 * 8)
        try await queue.put(contentsOf: Array(repeating: [UInt8](repeating: 0, count: 100), count: count))
        let begin = ContinuousClock.now
        try await body(count)
        return RecipeFigure(value: Double(count) / ((ContinuousClock.now - begin) / .seconds(1)), unit: .perSecond)
    }

    static let barriers: [RecipeMeasurement] = [
        RecipeMeasurement(
            name: "barrier-64", text: "a double barrier of 64 sessions, all in and out again",
            unit: .milliseconds
        ) {
            environment in
            try await environment.withClients(64) { clients in
                try await environment.median(of: 10) { round in
                    let path = environment.folder + "/barrier-\(round)"
                    let begin = ContinuousClock.now
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for client in clients {
                            group.addTask {
                                let barrier = DoubleBarrier(client, at: path, count: clients.count)
                                try await barrier.enter().leave()
                            }
                        }
                        try await group.waitForAll()
                    }
                    return ContinuousClock.now - begin
                }
            }
        },
        RecipeMeasurement(name: "count-64", text: "a count barrier of 64 sessions", unit: .milliseconds) {
            environment in
            try await environment.withClients(64) { clients in
                try await environment.median(of: 10) { _ in
                    let path = environment.folder + "/count"
                    let begin = ContinuousClock.now
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for client in clients {
                            group.addTask { try await CountBarrier(client, at: path, count: clients.count).pass() }
                        }
                        try await group.waitForAll()
                    }
                    return ContinuousClock.now - begin
                }
            }
        },
    ]
}
