import ConclaveSimulator
import Foundation

/// `simulate`: whole clusters in simulated time, one for each seed.
@main
struct Simulate {
    static func main() async {
        let arguments: Arguments
        do {
            arguments = try Arguments(CommandLine.arguments.dropFirst())
        } catch {
            FileHandle.standardError.write(Data("simulate: \(error.message)\n\n\(Arguments.help)\n".utf8))
            exit(2)
        }
        if arguments.wantsHelp {
            print(Arguments.help)
        } else if let seed = arguments.replay {
            exit(replay(seed, arguments) ? 0 : 1)
        } else if arguments.wantsTable {
            exit(await PlantedTable(arguments).run() ? 0 : 1)
        } else {
            var campaign = Campaign(arguments)
            exit(await campaign.run() ? 0 : 1)
        }
    }

    /// Runs one seed and prints what happened.
    private static func replay(_ seed: UInt64, _ arguments: Arguments) -> Bool {
        var isKept = true
        for profile in arguments.profiles {
            let report = arguments.traced(profile)(seed, true)
            for line in report.trace?.lines.suffix(arguments.lines) ?? [] { print(line) }
            print("seed \(seed), profile \(profile.name), trace \(report.digest)")
            print(report.violation.map { "\($0)" } ?? "no promise was broken")
            isKept = isKept && report.violation == nil
        }
        return isKept
    }
}
