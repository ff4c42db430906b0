import Recipes

extension RecipeMeasurement {
    static let naming: [RecipeMeasurement] = [
        RecipeMeasurement(name: "ids", text: "sequential ids, each a node of its own, awaited one by one") {
            environment in
            try await environment.withClients(1) { clients in
                let ids = SequentialIDs(
                    clients[0], at: environment.folder + "/ids", form: .sequentialNodes(kept: true))
                return try await environment.rate([{ _ = try await ids.next() }])
            }
        },
        RecipeMeasurement(name: "ids-blocks", text: "ids from a counter that is moved on by 1,000") { environment in
            try await environment.withClients(1) { clients in
                let ids = SequentialIDs(clients[0], at: environment.folder + "/blocks", form: .blocks(of: 1_000))
                return try await environment.rate([{ _ = try await ids.next() }])
            }
        },
        RecipeMeasurement(
            name: "fanout-1000", text: "a published value, until the last of 1,000 subscribers in 20 sessions has it",
            unit: .milliseconds
        ) { environment in
            try await environment.withClients(20) { clients in
                try await fanOut(environment, clients, subscribersEach: 50)
            }
        },
    ]

    private static func fanOut(
        _ environment: RecipeEnvironment, _ clients: [ZooKeeperClient], subscribersEach: Int
    ) async throws -> RecipeFigure {
        let path = environment.folder + "/value"
        let publisher = Configuration<String>(clients[0], at: path)
        let rounds = 20
        _ = try await publisher.publish("0")
        let (arrivals, arrived) = AsyncStream.makeStream(of: Int.self)
        return try await withThrowingTaskGroup(of: Void.self, returning: RecipeFigure.self) { group in
            for client in clients {
                for _ in 0..<subscribersEach {
                    group.addTask {
                        for try await revision in Configuration<String>(client, at: path).updates {
                            guard let round = Int(revision.value) else { continue }
                            arrived.yield(round)
                            if round > rounds { return }
                        }
                    }
                }
            }
            // Round 0 is the value that was there; the first one published is not counted either.
            var times: [Double] = []
            var (round, count, begin) = (0, 0, ContinuousClock.now)
            for await arrival in arrivals where arrival == round {
                count += 1
                guard count == clients.count * subscribersEach else { continue }
                times.append((ContinuousClock.now - begin) / .milliseconds(1))
                guard round <= rounds else { break }
                (round, count, begin) = (round + 1, 0, ContinuousClock.now)
                _ = try await publisher.publish("\(round)")
            }
            try await group.waitForAll()
            times.removeFirst(2)
            times.sort()
            return RecipeFigure(value: times[times.count / 2], unit: .milliseconds)
        }
    }
}
