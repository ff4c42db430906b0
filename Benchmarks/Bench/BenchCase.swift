import BenchmarkKit
import ConclaveSystem
import Foundation

/// What one repetition found.
struct Sample: Sendable {
    var value: Double
    var details: [String: Double] = [:]
    var timeline: Figure.Timeline?
}

/// Where a case is measured.
struct Target: @unchecked Sendable {
    // Only the one task that measures uses it.
    let group: ServerGroup
    let arguments: BenchArguments
    let repetition: Int

    /// The server that gets the load of raw requests: the leader, or the first that was named.
    func loadAddress() throws -> SocketAddress {
        if group.kind == .other {
            guard let first = group.hosts.split(separator: ",").first, let address = SocketAddress(String(first)) else {
                throw LoadError("--connect needs numeric addresses with ports")
            }
            return address
        }
        return .loopback(port: group.members[try group.leader()].clientPort)
    }
}

/// One line of the suite.
struct BenchCase: Sendable {
    enum Section: String, Sendable, CaseIterable {
        case operations = "Operations"
        case ratios = "Reads and writes"
        case shapes = "Sizes, depths, connections"
        case watches = "Watches and sessions"
        case recipes = "Recipes"
        case failures = "Failures"
        case memory = "Memory"
    }

    let name: String
    let section: Section
    let text: String
    let unit: String
    let moreIsBetter: Bool
    let isQuick: Bool
    /// Kills or stops servers, so only where they were started here.
    var needsOwnServers = false
    let run: @Sendable (Target) async throws -> Sample

    /// What the command line asks for, in the order in which it runs: failures last, for they leave servers behind.
    static func all(_ arguments: BenchArguments) -> [BenchCase] {
        let everything = loads + recipes + failures + memory
        return everything.filter { one in
            let isWanted = arguments.names.isEmpty || arguments.names.contains { one.name.hasPrefix($0) }
            let hasTime = !arguments.isQuick || one.isQuick || !arguments.names.isEmpty
            return isWanted && hasTime && (arguments.hosts == nil || !one.needsOwnServers)
        }
    }

    private static let quickLoads: Set<String> = [
        "get-1x1", "set-1x1", "create-1x1", "get-8x64", "set-8x64", "ratio-0", "ratio-50", "ratio-90", "ratio-100",
        "fanout-1000",
    ]

    private static var loads: [BenchCase] {
        let sections: [(Section, [Catalogue.Entry])] = [
            (.operations, Catalogue.all.filter { !$0.name.hasPrefix("mixed") && !Self.isAboutWatches($0.name) }),
            (.ratios, Catalogue.ratios),
            (.shapes, Catalogue.sizes + Catalogue.depths + Catalogue.widths),
            (.watches, Catalogue.all.filter { Self.isAboutWatches($0.name) }),
        ]
        return sections.flatMap { section, entries in entries.map { load($0, section) } }
    }

    private static func isAboutWatches(_ name: String) -> Bool { name == "fanout-1000" || name == "sessions-64" }

    private static func load(_ entry: Catalogue.Entry, _ section: Section) -> BenchCase {
        let countsTime = entry.name == "fanout-1000"
        return BenchCase(
            name: entry.name, section: section, text: entry.text, unit: countsTime ? "µs" : "/s",
            moreIsBetter: !countsTime, isQuick: quickLoads.contains(entry.name)
        ) { target in
            let arguments = target.arguments
            let engine = Engine(
                address: try target.loadAddress(), server: nil,
                warmUpMilliseconds: Int64(arguments.warmUpSeconds * 1_000),
                measuredMilliseconds: Int64(arguments.measuredSeconds * 1_000))
            let before = (target.group.processorSeconds(), Generator.processorSeconds())
            let measurement = try entry.run(engine)
            var details = measurement.values
            // Of all servers together, warm-up included in both the time and the operations that it is divided by.
            let share = arguments.measuredSeconds / (arguments.measuredSeconds + arguments.warmUpSeconds)
            let operations = max(1, Double(measurement.histogram.count) / share)
            if target.group.kind != .other {
                details["server_cpu_us"] = (target.group.processorSeconds() - before.0) * 1e6 / operations
            }
            return Sample(value: countsTime ? details["p50_us"] ?? 0 : measurement.perSecond, details: details)
        }
    }

    private static var recipes: [BenchCase] {
        let quick: Set<String> = ["lock", "handoff-32", "ids", "barrier-64"]
        return RecipeMeasurement.all.map { recipe in
            let isTime = recipe.unit == .milliseconds
            let name = recipe.name == "fanout-1000" ? "configuration-1000" : recipe.name
            return BenchCase(
                name: name, section: .recipes, text: recipe.text, unit: recipe.unit.rawValue, moreIsBetter: !isTime,
                isQuick: quick.contains(recipe.name)
            ) { target in
                let folder = "/conclave-bench-\(getpid())-\(name)-\(target.repetition)"
                let figure = try await recipe.run(
                    RecipeEnvironment(
                        servers: target.group.hosts, seconds: target.arguments.measuredSeconds, folder: folder))
                return Sample(value: figure.value)
            }
        }
    }

    private static var failures: [BenchCase] {
        [
            ("leader-killed", "SIGKILL of the leader: the longest gap between acknowledged writes", true),
            ("leader-stopped", "SIGSTOP of the leader for five seconds: the longest gap", false),
            ("follower-killed", "SIGKILL of a follower: the longest gap", false),
        ].map { name, text, isQuick in
            BenchCase(
                name: name, section: .failures, text: text, unit: "ms", moreIsBetter: false, isQuick: isQuick,
                needsOwnServers: true
            ) { target in
                try await Availability(target, name).run()
            }
        }
    }

    private static var memory: [BenchCase] {
        [
            BenchCase(
                name: "memory", section: .memory, text: "resident memory of all servers after what came before",
                unit: "MB", moreIsBetter: false, isQuick: true, needsOwnServers: true
            ) { target in
                let bytes = target.group.members.compactMap { member in
                    member.process.flatMap { ServerProcess(pid: $0.processIdentifier).residentBytes() }
                }
                return Sample(value: Double(bytes.reduce(0, +)) / 1e6)
            }
        ]
    }
}
