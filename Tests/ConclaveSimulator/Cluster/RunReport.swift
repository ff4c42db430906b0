/// What came of one run.
package struct RunReport: Sendable {
    package let options: SimulationOptions
    package let plan: FaultPlan
    /// `nil` if every promise was kept.
    package internal(set) var violation: Violation?
    /// Equal in two runs only if the same happened.
    package internal(set) var digest = TraceDigest()
    package internal(set) var events = 0
    package internal(set) var simulatedMilliseconds: Int64 = 0
    /// From the last fault to a cluster that serves everybody.
    package internal(set) var healedAfterMilliseconds: Int64 = 0
    package internal(set) var elections = 0
    package internal(set) var committed = 0
    /// Requests of clients.
    package internal(set) var operations = 0
    package internal(set) var answeredWrites = 0
    /// Requests whose outcome the client never learned.
    package internal(set) var unknown = 0
    package internal(set) var watches = 0
    package internal(set) var faults = FaultCounts()
    /// What the client's own judge counted.
    package internal(set) var tallies: [String: Int] = [:]
    package internal(set) var trace: Trace?

    init(options: SimulationOptions, plan: FaultPlan) {
        self.options = options
        self.plan = plan
    }
}

/// The sum of many runs.
package struct SweepReport: Sendable {
    package private(set) var runs = 0
    package private(set) var events = 0
    package private(set) var simulatedMilliseconds: Int64 = 0
    package private(set) var slowestHealingMilliseconds: Int64 = 0
    package private(set) var elections = 0
    package private(set) var operations = 0
    package private(set) var answeredWrites = 0
    package private(set) var unknown = 0
    package private(set) var watches = 0
    /// Runs in which no client's write was answered at all: such a run tests nothing.
    package private(set) var idleRuns = 0
    package private(set) var faults = FaultCounts()
    package private(set) var tallies: [String: Int] = [:]
    /// Runs in which a promise was broken.
    package private(set) var failed = 0
    /// The first few of them.
    package private(set) var failures: [RunReport] = []

    package init() {}

    package mutating func add(_ report: RunReport) {
        runs += 1
        events += report.events
        simulatedMilliseconds += report.simulatedMilliseconds
        slowestHealingMilliseconds = max(slowestHealingMilliseconds, report.healedAfterMilliseconds)
        elections += report.elections
        operations += report.operations
        answeredWrites += report.answeredWrites
        unknown += report.unknown
        watches += report.watches
        if report.answeredWrites == 0 { idleRuns += 1 }
        faults.add(report.faults)
        tallies.merge(report.tallies) { $0 + $1 }
        guard report.violation != nil else { return }
        failed += 1
        if failures.count < 10 { failures.append(report) }
    }

    package mutating func add(_ other: SweepReport) {
        runs += other.runs
        events += other.events
        simulatedMilliseconds += other.simulatedMilliseconds
        slowestHealingMilliseconds = max(slowestHealingMilliseconds, other.slowestHealingMilliseconds)
        elections += other.elections
        operations += other.operations
        answeredWrites += other.answeredWrites
        unknown += other.unknown
        watches += other.watches
        idleRuns += other.idleRuns
        faults.add(other.faults)
        tallies.merge(other.tallies) { $0 + $1 }
        failed += other.failed
        failures = Array((failures + other.failures).prefix(10))
    }
}

extension SweepReport: CustomStringConvertible {
    package var description: String {
        """
        \(runs) runs, \(simulatedMilliseconds / 1000) s of simulated time, \(events) events, \(elections) elections, \
        \(operations) operations (\(answeredWrites) writes answered, \(unknown) outcomes unknown), \(watches) watches, \
        \(faults.total) faults, slowest healing \(slowestHealingMilliseconds) ms, \(idleRuns) idle runs, \
        \(failed) failures\(tallied)
        """
    }

    private var tallied: String {
        tallies.sorted { $0.key < $1.key }.map { ", \($0.value) \($0.key)" }.joined()
    }
}
