import ClusterSimulation
import ConclaveSimulator
import Foundation
import RecipeSimulation

/// What the command line asks for.
struct Arguments {
    struct Mistake: Error {
        let message: String
    }

    /// How many of each profile.
    var seeds: UInt64 = 100
    var first: UInt64 = 1
    var servers: Int?
    var observers: Int?
    var jobs = ProcessInfo.processInfo.activeProcessorCount
    /// Clients use these recipes; `nil`: they read and write nodes.
    var recipes: [RecipeFamily]?
    /// The name of the bug; which bugs there are depends on the clients.
    var planted: String?
    /// All bugs, one after another.
    var wantsTable = false
    var replay: UInt64?
    var lines = 400
    var profiles = FaultProfile.all
    var wantsHelp = false

    init(_ arguments: some Sequence<String>) throws(Mistake) {
        var rest = Array(arguments)[...]
        if rest.contains("--planted") { seeds = 400 }
        while let name = rest.popFirst() {
            if name == "--help" || name == "-h" {
                wantsHelp = true
                continue
            }
            if name == "--planted", rest.first?.hasPrefix("--") ?? true {
                wantsTable = true
                continue
            }
            if name == "--recipes", rest.first?.hasPrefix("--") ?? true {
                recipes = RecipeFamily.allCases
                continue
            }
            guard let value = rest.popFirst() else { throw Mistake(message: "\(name) needs a value, or is not known") }
            switch name {
            case "--seeds": seeds = min(try Self.number(value, name), 1 << 40)
            case "--first": first = min(try Self.number(value, name), 1 << 60)
            case "--servers": servers = max(1, Int(try Self.number(value, name) % 64))
            case "--observers": observers = Int(try Self.number(value, name) % 32)
            case "--jobs": jobs = max(1, Int(try Self.number(value, name) % 256))
            case "--replay": replay = try Self.number(value, name)
            case "--lines": lines = Int(try Self.number(value, name) % 100_000_000)
            case "--planted": planted = value
            case "--recipes": recipes = try Self.families(value)
            case "--profile": profiles = try Self.profiles(value)
            default: throw Mistake(message: "\(name) is not known")
            }
        }
        if let planted, !bugs.contains(planted) { throw Mistake(message: "no bug is called \(planted)") }
    }

    /// The bugs that can be planted.
    var bugs: [String] {
        recipes == nil ? PlantedBug.allCases.map(\.rawValue) : RecipeBug.allCases.map(\.rawValue)
    }

    private static func families(_ text: String) throws(Mistake) -> [RecipeFamily] {
        if text == "all" { return RecipeFamily.allCases }
        var families: [RecipeFamily] = []
        for name in text.split(separator: ",") {
            guard let family = RecipeFamily(rawValue: String(name)) else {
                throw Mistake(message: "no recipe is called \(name)")
            }
            families.append(family)
        }
        guard !families.isEmpty else { throw Mistake(message: "--recipes \(text): expected names") }
        return families
    }

    private static func number(_ text: String, _ name: String) throws(Mistake) -> UInt64 {
        guard let number = UInt64(text) else { throw Mistake(message: "\(name) \(text): expected a number") }
        return number
    }

    private static func profiles(_ text: String) throws(Mistake) -> [FaultProfile] {
        if text == "all" { return FaultProfile.all }
        if text == "faults" { return FaultProfile.all.filter { !$0.kinds.isEmpty } }
        var profiles: [FaultProfile] = []
        for name in text.split(separator: ",") {
            guard let profile = FaultProfile.named(String(name)) else {
                throw Mistake(message: "no profile is called \(name)")
            }
            profiles.append(profile)
        }
        guard !profiles.isEmpty else { throw Mistake(message: "--profile \(text): expected names") }
        return profiles
    }

    /// What runs one seed.
    func runner(_ profile: FaultProfile) -> @Sendable (UInt64) -> RunReport {
        let run = traced(profile)
        return { run($0, false) }
    }

    /// The same, keeping the trace or not.
    func traced(_ profile: FaultProfile) -> @Sendable (UInt64, Bool) -> RunReport {
        let lines = lines
        guard let recipes else {
            let sweep = clusters(profile)
            return { sweep.run(seed: $0, keepsTrace: $1, traceLimit: lines) }
        }
        let sweep = clusters(profile, using: recipes)
        return { sweep.run(seed: $0, keepsTrace: $1, traceLimit: lines) }
    }

    private func clusters(_ profile: FaultProfile, using recipes: [RecipeFamily]) -> RecipeSweep {
        let bug = planted.flatMap(RecipeBug.init(rawValue:))
        // A bug is looked for where it can be made.
        let possible = recipes.filter { bug?.families.contains($0) ?? true }
        let families = possible.isEmpty ? recipes : possible
        let options = options()
        return RecipeSweep(
            profile, servers: .init(answersAtOnce: true), clients: .init(families: families, planted: bug)
        ) { seed in
            RecipeSweep.shortened(options(seed))
        }
    }

    private func clusters(_ profile: FaultProfile) -> ClusterSweep {
        let bug = planted.flatMap(PlantedBug.init(rawValue:))
        return ClusterSweep(profile, servers: .init(planted: bug), clients: .init(planted: bug), options: options())
    }

    private func options() -> @Sendable (UInt64) -> SimulationOptions {
        let (servers, observers) = (servers, observers)
        return { seed in
            var options = SimulationOptions.drawn(seed: seed)
            if let servers {
                options.servers = servers
                options.observers = 0
            }
            if let observers {
                options.servers += observers - options.observers
                options.observers = observers
            }
            return options
        }
    }

    /// What replays a seed.
    func replayCommand(_ seed: UInt64, _ profile: FaultProfile) -> String {
        var command = "swift run -c release simulate --replay \(seed) --profile \(profile.name)"
        if let servers { command += " --servers \(servers)" }
        if let observers { command += " --observers \(observers)" }
        if let recipes { command += " --recipes \(Self.names(recipes))" }
        if let planted { command += " --planted \(planted)" }
        return command
    }

    private static func names(_ families: [RecipeFamily]) -> String {
        families == RecipeFamily.allCases ? "all" : families.map(\.rawValue).joined(separator: ",")
    }

    static var help: String {
        """
        simulate: runs whole clusters of servers and clients in simulated time, with faults, one cluster for each seed, and
        checks every promise.

          --seeds N        how many seeds of every profile (100; with --planted at most 400)
          --first S        the first one (1)
          --profile NAMES  only these kinds of faults: \(FaultProfile.all.map(\.name).joined(separator: ","))
                           or damage; all: those that are named here; faults: all but none
          --servers N      voters, instead of what the seed says
          --observers K    observers, instead of what the seed says
          --jobs N         clusters at a time (as many as there are processors)
          --replay SEED    one seed, with its trace; together with --profile
          --lines N        how much of the trace (400)
          --recipes        clients use recipes, instead of only reading and writing nodes
          --recipes NAMES  these recipes: \(RecipeFamily.allCases.map(\.rawValue).joined(separator: ","))
          --planted        with every planted bug, one after another: prints how many runs each took to find
          --planted NAME   with a planted bug, up to the run that finds it:
                           \(PlantedBug.allCases.map(\.rawValue).joined(separator: "\n                           "))
                           with --recipes:
                           \(RecipeBug.allCases.map(\.rawValue).joined(separator: "\n                           "))
          --help

        Ends with status 1 if a promise was broken, 2 if the command line was not understood.
        """
    }
}
