import Recipes

/// What a measurement found, in the words that the rivals' tools use too.
package struct RecipeFigure: Sendable {
    package enum Unit: String, Sendable {
        /// More is better.
        case perSecond = "/s"
        /// Less is better.
        case milliseconds = "ms"
    }

    package let value: Double
    package let unit: Unit
    /// Other numbers under their names in results.
    package var details: [String: Double] = [:]
}

/// One recipe under load.
package struct RecipeMeasurement: Sendable {
    package let name: String
    package let text: String
    package var unit = RecipeFigure.Unit.perSecond
    package let run: @Sendable (RecipeEnvironment) async throws -> RecipeFigure

    package static let all: [RecipeMeasurement] = locks + elections + barriers + queues + naming + groups

    package static func named(_ name: String) -> RecipeMeasurement? { all.first { $0.name == name } }
}

/// Where and how long to measure.
package struct RecipeEnvironment: Sendable {
    let servers: String
    let seconds: Double
    /// The folder of this run, so that runs do not meet.
    let folder: String

    package init(servers: String, seconds: Double, folder: String) {
        self.servers = servers
        self.seconds = seconds
        self.folder = folder
    }

    /// So many sessions, for the length of the body.
    func withClients<R: Sendable>(
        _ count: Int, _ body: @Sendable ([ZooKeeperClient]) async throws -> R
    ) async throws -> R {
        var options = ZooKeeperClient.Options()
        options.sessionTimeout = .seconds(30)
        var clients: [ZooKeeperClient] = []
        for _ in 0..<count { clients.append(try await ZooKeeperClient.connect(to: servers, options: options)) }
        let result: R
        do {
            result = try await body(clients)
        } catch {
            for client in clients { await client.close() }
            throw error
        }
        await withTaskGroup(of: Void.self) { group in
            for client in clients { group.addTask { await client.close() } }
        }
        return result
    }

    /// How often a second the bodies ran through, all together: one second uncounted, then the measured time. Of several bodies
    /// it is also told how evenly they did.
    func rate(_ bodies: [@Sendable () async throws -> Void]) async throws -> RecipeFigure {
        let clock = ContinuousClock()
        let begin = clock.now.advanced(by: .seconds(1))
        let end = begin.advanced(by: .seconds(seconds))
        let counts = try await withThrowingTaskGroup(of: Int.self, returning: [Int].self) { group in
            for body in bodies {
                group.addTask {
                    var count = 0
                    while true {
                        try await body()
                        let now = clock.now
                        if now >= end { return count }
                        if now >= begin { count += 1 }
                    }
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        var figure = RecipeFigure(value: Double(counts.reduce(0, +)) / seconds, unit: .perSecond)
        if counts.count > 1 { figure.details["fairness"] = Self.fairness(counts) }
        return figure
    }

    /// Jain's index: 1 if all have got the same, one over their number if one has got everything.
    static func fairness(_ counts: [Int]) -> Double {
        let sum = counts.reduce(0.0) { $0 + Double($1) }
        let squares = counts.reduce(0.0) { $0 + Double($1) * Double($1) }
        return squares > 0 ? sum * sum / (Double(counts.count) * squares) : 1
    }

    /// The median of what the body measured, in milliseconds, after one uncounted turn.
    func median(of rounds: Int, _ body: @Sendable (Int) async throws -> Duration) async throws -> RecipeFigure {
        _ = try await body(0)
        var times: [Double] = []
        for round in 1...rounds { times.append(try await body(round) / .milliseconds(1)) }
        times.sort()
        return RecipeFigure(value: times[times.count / 2], unit: .milliseconds)
    }
}
