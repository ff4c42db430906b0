import ConclaveSimulator
import Foundation
import Testing

/// What the environment asks for.
enum Replay {
    static func seedCount(orElse count: UInt64) -> UInt64 {
        ProcessInfo.processInfo.environment[ReplayCommand.seedsVariable].flatMap { UInt64($0) } ?? count
    }

    /// The one run to look at.
    static var chosen: (seed: UInt64, profile: FaultProfile)? {
        let environment = ProcessInfo.processInfo.environment
        guard let seed = environment[ReplayCommand.seedVariable].flatMap({ UInt64($0) }) else { return nil }
        return (seed, environment[ReplayCommand.profileVariable].flatMap(FaultProfile.named) ?? .everything)
    }

    /// Prints the end of a run's trace and what was found.
    static func show(_ report: RunReport, _ profile: FaultProfile, filter: String) {
        for line in report.trace?.lines.suffix(2_000) ?? [] { print(line) }
        print(ReplayCommand(filter: filter, commit: commit).text(report, profile: profile.name))
    }

    /// Where a first process leaves its digests for a second one to compare.
    ///
    /// Both hash with seeds of their own: whoever lets the order of a set or dictionary decide something differs.
    static var digestFile: String? { ProcessInfo.processInfo.environment["CONCLAVE_SIMULATION_DIGESTS"] }

    static func compare(_ digests: [String]) throws {
        guard let file = digestFile else { return }
        let url = URL(filePath: file)
        if FileManager.default.fileExists(atPath: file) {
            let before = try String(contentsOf: url, encoding: .utf8)
            #expect(before.split(separator: "\n").map(String.init) == digests)
        } else {
            try digests.joined(separator: "\n").write(to: url, atomically: true, encoding: .utf8)
        }
    }

    /// The sources' commit, if the environment names it.
    static var commit: String { ProcessInfo.processInfo.environment["CONCLAVE_COMMIT"] ?? "" }
}

/// Expects that no promise was broken, and says how to see it again if one was.
func expectKept(
    _ report: SweepReport, _ profile: FaultProfile, filter: String,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let command = ReplayCommand(filter: filter, commit: Replay.commit)
    for failure in report.failures {
        Issue.record("\(command.text(failure, profile: profile.name))", sourceLocation: sourceLocation)
    }
}
