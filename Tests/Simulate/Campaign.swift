import ConclaveSimulator

/// Many seeds under several profiles of faults, as many clusters at a time as there are processors.
///
/// Profiles take turns, one seed each: a run that is stopped early has tried all of them equally, and no processor waits
/// for the end of a profile.
struct Campaign {
    let arguments: Arguments
    private let runs: [@Sendable (UInt64) -> RunReport]
    private var reports: [SweepReport]
    private var times: [Duration]
    private var progress = Progress()
    /// Runs that were begun.
    private var begun: UInt64 = 0

    init(_ arguments: Arguments) {
        self.arguments = arguments
        runs = arguments.profiles.map { arguments.runner($0) }
        reports = arguments.profiles.map { _ in SweepReport() }
        times = arguments.profiles.map { _ in .zero }
    }

    private struct Outcome: Sendable {
        let profile: Int
        let report: RunReport
        let time: Duration
    }

    /// - Returns: whether every promise was kept.
    mutating func run() async -> Bool {
        await withTaskGroup(of: Outcome.self) { group in
            for _ in 0..<arguments.jobs { begin(in: &group) }
            while let outcome = await group.next() {
                add(outcome)
                // A planted bug is found once.
                if arguments.planted == nil || total.failed == 0 { begin(in: &group) }
            }
        }
        conclude()
        return total.failed == 0
    }

    private mutating func begin(in group: inout TaskGroup<Outcome>) {
        let (seed, profile) = begun.quotientAndRemainder(dividingBy: UInt64(runs.count))
        guard seed < arguments.seeds else { return }
        begun += 1
        let run = runs[Int(profile)]
        let number = arguments.first + seed
        group.addTask {
            let start = ContinuousClock.now
            let report = run(number)
            return Outcome(profile: Int(profile), report: report, time: start.duration(to: .now))
        }
    }

    private var total: SweepReport {
        var total = SweepReport()
        for report in reports { total.add(report) }
        return total
    }

    private mutating func add(_ outcome: Outcome) {
        reports[outcome.profile].add(outcome.report)
        times[outcome.profile] += outcome.time
        if let violation = outcome.report.violation {
            let profile = arguments.profiles[outcome.profile]
            progress.print("\(profile.name): \(violation)")
            progress.print("  again: \(arguments.replayCommand(outcome.report.options.seed, profile))")
        }
        if progress.isDue { progress.show(state) }
    }

    private var state: String {
        let done = reports.reduce(0) { $0 + $1.runs }
        let failed = reports.reduce(0) { $0 + $1.failed }
        let all = arguments.seeds * UInt64(runs.count)
        return "\(done) of \(all) runs, \(failed) failures, \(progress.elapsed.inSeconds)"
    }

    // MARK: The end

    private func conclude() {
        for (index, profile) in arguments.profiles.enumerated() {
            progress.print("\(profile.name): \(reports[index]), \(times[index].inSeconds) of one processor")
        }
        let total = total
        let expected = Set(arguments.profiles.flatMap(\.kinds))
        let missing = total.faults.missing.filter { expected.contains($0) }
        let never = missing.isEmpty ? "" : ", never: \(missing.map { "\($0)" }.joined(separator: " "))"
        progress.print(
            """
            total: \(total.runs) runs, \(arguments.profiles.count) profiles, \(total.faults.total) faults of \
            \(expected.count - missing.count) kinds\(never), \(total.failed) failures, \(progress.elapsed.inSeconds)
            """)
    }
}
