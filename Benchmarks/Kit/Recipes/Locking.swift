import Recipes

extension RecipeMeasurement {
    static let locks: [RecipeMeasurement] =
        [
            RecipeMeasurement(name: "lock", text: "one client takes a free lock and gives it up") { environment in
                try await environment.withClients(1) { clients in
                    let lock = DistributedLock(clients[0], at: environment.folder + "/lock")
                    return try await environment.rate([{ await (try lock.acquire()).release() }])
                }
            }
        ] + [8, 32, 128].map { handoffs($0) }

    /// Everybody wants the same lock all the time, each with a session of its own.
    private static func handoffs(_ count: Int) -> RecipeMeasurement {
        RecipeMeasurement(name: "handoff-\(count)", text: "a lock goes from one to the next of \(count) sessions") {
            environment in
            try await environment.withClients(count) { clients in
                let path = environment.folder + "/handoff"
                return try await environment.rate(
                    clients.map { client in
                        let lock = DistributedLock(client, at: path)
                        return { await (try lock.acquire()).release() }
                    })
            }
        }
    }
}
