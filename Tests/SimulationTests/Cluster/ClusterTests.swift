import ClusterSimulation
import ConclaveSimulator
import Foundation
import TestLanes
import Testing

/// The real servers and clients under faults, a few seeds of each kind; `simulate` runs as many as one likes.
@Suite(.aside) struct ClusterTests {
    private static let filter = "ClusterTests"

    @Test("no promise is broken under faults", arguments: FaultProfile.all.map(\.name))
    func promises(_ name: String) throws {
        let profile = try #require(FaultProfile.named(name))
        let sweep = ClusterSweep(profile, servers: .init(), clients: .init()) { seed in
            var options = SimulationOptions.drawn(seed: seed)
            // Runs in debug builds too.
            options.safetyMilliseconds = 2_500
            return options
        }
        if let (seed, chosen) = Replay.chosen {
            guard chosen == profile else { return }
            return Replay.show(sweep.run(seed: seed, keepsTrace: true), profile, filter: Self.filter)
        }
        let report = sweep.run(1...Replay.seedCount(orElse: 2))
        expectKept(report, profile, filter: Self.filter)
        #expect(report.idleRuns == 0)
    }

    @Test("the same seed gives the same trace in two processes")
    func determinism() async throws {
        let sweep = ClusterSweep(.everything, servers: .init(), clients: .init())
        let digest = "\(sweep.run(seed: 7).digest)"
        // Sets and dictionaries hash with another seed there.
        let tool = try #require(Self.tool, "simulate is built beside the tests")
        let process = Process()
        let output = Pipe()
        process.executableURL = tool
        process.arguments = ["--replay", "7", "--profile", "everything", "--lines", "0"]
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        #expect(text.contains("trace \(digest)"))
    }

    /// The tool lies where the tests lie.
    private static var tool: URL? {
        let start = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
        var folder = start
        for _ in 0..<4 {
            let candidate = folder.appending(path: "simulate")
            if FileManager.default.isExecutableFile(atPath: candidate.path) { return candidate }
            folder = folder.deletingLastPathComponent()
        }
        return nil
    }
}
