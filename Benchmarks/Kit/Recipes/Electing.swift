import Recipes

extension RecipeMeasurement {
    static let elections: [RecipeMeasurement] = [
        RecipeMeasurement(
            name: "election", text: "the leader of three closes its session: until the next one leads",
            unit: .milliseconds
        ) { environment in
            try await environment.median(of: 50) { round in
                try await environment.withClients(3) { clients in
                    let path = "\(environment.folder)/election-\(round)"
                    let first = try await MasterElection(clients[0], at: path, identity: "0").campaign()
                    let successor = Task {
                        let term = try await MasterElection(clients[1], at: path, identity: "1").campaign()
                        return (ContinuousClock.now, term)
                    }
                    let onlooker = MasterElection(clients[2], at: path)
                    while try await onlooker.candidates().count < 2 { await Task.yield() }
                    let begin = ContinuousClock.now
                    await clients[0].close()
                    let (end, second) = try await successor.value
                    withExtendedLifetime((first, second)) {}
                    return end - begin
                }
            }
        }
    ]
}
