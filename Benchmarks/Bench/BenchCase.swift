import BenchmarkKit
import ConclaveSystem
import Foundation

/// What one repetition found.
struct Sample: Sendable {
    /// Usually one; several if the case repeats itself.
    var values: [Double]
    /// One number for each value, or for all of them.
    var details: [String: Double] = [:]
    var timeline: Figure.Timeline?
    /// Operations that failed, in a sentence.
    var problem: String?

    init(_ value: Double, details: [String: Double] = [:], timeline: Figure.Timeline? = nil, problem: String? = nil) {
        self.init([value], details: details, timeline: timeline, problem: problem)
    }

    init(_ values: [Double], details: [String: Double] = [:], timeline: Figure.Timeline? = nil, problem: String? = nil)
    {
        self.values = values
        self.details = details
        self.timeline = timeline
        self.problem = problem
    }
}

/// Where a case is measured.
struct Target: @unchecked Sendable {
    // Only the one task that measures uses it.
    let group: ServerGroup
    let arguments: BenchArguments
    let repetition: Int
    /// For servers of the case's own.
    let folder: String

    /// The server that gets the load of raw requests: the leader, or the first that was named.
    func loadAddress() throws -> SocketAddress {
        guard group.kind == .other else { return .loopback(port: group.members[try group.leader()].clientPort) }
        return try Remote.address(of: group.hosts)
    }

    func engine(seconds: Double? = nil) throws -> Engine {
        Engine(
            address: try loadAddress(), server: group.processes,
            warmUpMilliseconds: Int64(arguments.warmUpSeconds * 1_000),
            measuredMilliseconds: Int64((seconds ?? arguments.measuredSeconds) * 1_000))
    }

    /// Fresh servers with empty directories, for the length of the body; those under load rest meanwhile.
    func withFreshServers<R>(_ count: Int, _ body: (Target) async throws -> R) async throws -> R {
        let place = "\(folder)/fresh-\(group.kind)"
        try? FileManager.default.removeItem(atPath: place)
        let fresh = try ServerGroup(group.kind, servers: count, observers: 0, folder: place)
        defer {
            fresh.stop()
            try? FileManager.default.removeItem(atPath: place)
        }
        try fresh.start()
        return try await body(
            Target(group: fresh, arguments: arguments, repetition: repetition, folder: place))
    }
}

/// One line of the suite.
struct BenchCase: Sendable {
    enum Section: String, Sendable, CaseIterable {
        case operations = "Operations"
        case ratios = "Reads and writes"
        case rates = "Fixed arrival rates"
        case shapes = "Sizes, depths, connections"
        case watches = "Watches and sessions"
        case recipes = "Recipes"
        case storage = "Storage"
        case recovery = "Recovery"
        case resources = "Resources"
        case failures = "Failures"
    }

    let name: String
    let section: Section
    let text: String
    let unit: String
    let moreIsBetter: Bool
    let isQuick: Bool
    /// Kills or stops servers or looks into their processes, so only where they were started here.
    var needsOwnServers = false
    /// How often it runs, whatever was asked for: what takes long repeats itself within one run.
    var roundsAtMost = Int.max
    let run: @Sendable (Target) async throws -> Sample

    /// What the command line asks for, in the order in which it runs: failures last, for they leave servers behind.
    static func all(_ arguments: BenchArguments) -> [BenchCase] {
        let everything =
            loads(arguments) + recipes + storage + resources(arguments) + recovery(arguments) + failures
        return everything.filter { one in
            let isWanted = arguments.names.isEmpty || arguments.names.contains { one.name.hasPrefix($0) }
            let hasTime = !arguments.isQuick || one.isQuick || !arguments.names.isEmpty
            return isWanted && hasTime && (arguments.hosts == nil || !one.needsOwnServers)
        }
    }
}
