/// What a person needs to see a failure again.
package struct ReplayCommand: Sendable {
    /// The test that runs a single seed, as `swift test --filter` knows it.
    package let filter: String
    /// Of the sources; empty if unknown.
    package let commit: String

    /// The names of the environment variables that choose a run.
    package static let seedVariable = "CONCLAVE_SIMULATION_SEED"
    package static let profileVariable = "CONCLAVE_SIMULATION_PROFILE"
    package static let seedsVariable = "CONCLAVE_SIMULATION_SEEDS"

    package init(filter: String, commit: String) {
        self.filter = filter
        self.commit = commit
    }

    package func text(_ report: RunReport, profile: String) -> String {
        let source = commit.isEmpty ? "" : "git checkout \(commit) && "
        let violation = report.violation.map { "\($0)" } ?? "no promise was broken"
        return """
            \(violation)
            seed \(report.options.seed), profile \(profile), \(report.plan.faults.count) faults planned, \
            trace \(report.digest)
            again: \(source)\(Self.seedVariable)=\(report.options.seed) \(Self.profileVariable)=\(profile) \
            swift test --filter \(filter)
            """
    }
}
