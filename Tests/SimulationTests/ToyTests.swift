import ConclaveCore
import ConclaveSimulator
import TestLanes
import Testing

/// The simulator against a small replicated service: right as it is, and with mistakes planted.
///
/// `CONCLAVE_SIMULATION_SEEDS` says how many seeds each profile runs; `CONCLAVE_SIMULATION_SEED` and
/// `CONCLAVE_SIMULATION_PROFILE` run one with its trace.
@Suite(.aside) struct ToyTests {
    private func sweep(_ profile: FaultProfile, _ bug: ToyBug? = nil) -> SeedSweep<ToyServer, ToyClient> {
        SeedSweep(profile, servers: .init(bug: bug), clients: .init(bug: bug)) { seed in
            var options = SimulationOptions.drawn(seed: seed)
            options.safetyMilliseconds = 6_000
            return options
        }
    }

    @Test("The toy keeps every promise under every kind of fault", arguments: FaultProfile.all)
    func toyIsRight(profile: FaultProfile) {
        let report = sweep(profile).run(0..<Replay.seedCount(orElse: 1))
        expectKept(report, profile, filter: "ToyTests")
        #expect(report.idleRuns * 10 <= report.runs, "\(report)")
        if profile == .everything, report.runs >= 100 { #expect(report.faults.missing == FaultKind.damage) }
    }

    @Test("The run that the environment names", .enabled(if: Replay.chosen != nil))
    func chosenRun() throws {
        let (seed, profile) = try #require(Replay.chosen)
        Replay.show(sweep(profile).run(seed: seed, keepsTrace: true), profile, filter: "ToyTests")
    }

    @Test("Two processes agree on what happens in every seed", .enabled(if: Replay.digestFile != nil))
    func agreement() throws {
        let sweep = sweep(.everything)
        let digests = (0..<Replay.seedCount(orElse: 100)).map { "\($0) \(sweep.run(seed: $0).digest)" }
        try Replay.compare(digests)
    }

    @Test("The same seed gives the same run, another seed another one")
    func sameSeedSameRun() {
        let sweep = sweep(.everything)
        for seed in 100..<UInt64(102) {
            let first = sweep.run(seed: seed)
            let second = sweep.run(seed: seed)
            #expect(first.digest == second.digest)
            #expect(first.events == second.events)
            #expect(first.digest != sweep.run(seed: seed + 1).digest)
        }
    }

    @Test("A trace changes nothing")
    func traceChangesNothing() {
        let sweep = sweep(.everything)
        let plain = sweep.run(seed: 7)
        let traced = sweep.run(seed: 7, keepsTrace: true)
        #expect(plain.digest == traced.digest)
        #expect(plain.trace == nil)
        #expect(traced.trace?.lines.isEmpty == false)
    }

    @Test("A copy of a cluster goes its own way and changes nothing in the original")
    func copiesAreIndependent() {
        var original = Simulation<ToyServer, ToyClient>(
            SimulationOptions(seed: 5), plan: .none, servers: .init(), clients: .init())
        var copy = original
        let first = original.run()
        let second = copy.run()
        #expect(first.digest == second.digest)
    }

    @Test("A failure says what was broken and how to see it again")
    func failureCanBeReplayed() throws {
        let sweep = sweep(.everything, .answersBeforeCommit)
        let failure = try #require(sweep.run(0..<50, stopsAtFailure: true).failures.first)
        let text = ReplayCommand(filter: "ToyTests", commit: "abc").text(failure, profile: "everything")
        #expect(text.contains("CONCLAVE_SIMULATION_SEED=\(failure.options.seed) "))
        #expect(text.contains("git checkout abc"))
        #expect(text.contains(AnswersText.rule))
        let again = sweep.run(seed: failure.options.seed, keepsTrace: true)
        #expect(again.violation == failure.violation)
        #expect(again.trace?.lines.last?.contains("VIOLATION") == true)
    }

    private enum AnswersText { static let rule = "an answered write is committed" }

    @Test("A plan is reduced to faults that matter")
    func plansAreReduced() throws {
        let sweep = sweep(.crashes, .skipsFolderSync)
        let failure = try #require(sweep.run(0..<50, stopsAtFailure: true).failures.first)
        let reduced = sweep.reduce(failure, runLimit: 20)
        #expect(reduced.faults.count < failure.plan.faults.count || failure.plan.faults.count == 1)
        #expect(sweep.run(seed: failure.options.seed, plan: reduced).violation?.rule == failure.violation?.rule)
    }
}
