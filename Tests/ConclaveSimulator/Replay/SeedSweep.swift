/// Runs one cluster after another, each from its seed, under one profile of faults.
package struct SeedSweep<Server: SimulatedServer, Client: SimulatedClient>: Sendable {
    package let profile: FaultProfile
    package let serverSetup: Server.Setup
    package let clientSetup: Client.Setup
    /// Makes the options of a seed.
    package let options: @Sendable (UInt64) -> SimulationOptions

    package init(
        _ profile: FaultProfile, servers serverSetup: Server.Setup, clients clientSetup: Client.Setup,
        options: @escaping @Sendable (UInt64) -> SimulationOptions = SimulationOptions.drawn
    ) {
        self.profile = profile
        self.serverSetup = serverSetup
        self.clientSetup = clientSetup
        self.options = options
    }

    package func plan(seed: UInt64) -> FaultPlan {
        .drawn(seed: seed, profile: profile, safetyMilliseconds: options(seed).safetyMilliseconds)
    }

    /// One run.
    ///
    /// - Parameters:
    ///   - plan: another one than the seed's, for example a reduced one.
    ///   - keepsTrace: for a person to read; slow.
    ///   - traceLimit: how many lines of it are kept, the newest.
    package func run(
        seed: UInt64, plan: FaultPlan? = nil, keepsTrace: Bool = false, traceLimit: Int = 20_000
    ) -> RunReport {
        var simulation = Simulation<Server, Client>(
            options(seed), plan: plan ?? self.plan(seed: seed), servers: serverSetup, clients: clientSetup)
        if keepsTrace { simulation.keepTrace(limit: max(1, traceLimit)) }
        return simulation.run()
    }

    /// All seeds of a range, or those up to the first failure.
    package func run(_ seeds: some Sequence<UInt64>, stopsAtFailure: Bool = false) -> SweepReport {
        var report = SweepReport()
        for seed in seeds {
            let run = run(seed: seed)
            report.add(run)
            if stopsAtFailure, run.violation != nil { break }
        }
        return report
    }

    /// The smallest plan found that still breaks the same promise.
    package func reduce(_ report: RunReport, runLimit: Int = 300) -> FaultPlan {
        guard let rule = report.violation?.rule else { return report.plan }
        return PlanReducer(runLimit: runLimit).reduce(report.plan) { plan in
            run(seed: report.options.seed, plan: plan).violation?.rule == rule
        }
    }
}
