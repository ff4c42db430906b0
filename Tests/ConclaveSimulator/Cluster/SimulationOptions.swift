import ConclaveCore

/// The size and the nature of one run. Equal options, plans and code give equal runs.
package struct SimulationOptions: Sendable, Equatable {
    package var seed: UInt64
    package var servers = 3
    /// How many of the servers, the last ones, do not vote.
    package var observers = 0
    package var clients = 4
    /// How long faults are allowed.
    package var safetyMilliseconds: Int64 = 10_000
    /// How soon after the last fault there must be a leader whom all follow, and an answered write for each client.
    package var healingMilliseconds: Int64 = 20_000
    /// How soon after that everything must be answered and equal everywhere.
    package var settlingMilliseconds: Int64 = 20_000
    package var network = NetworkProfile()
    /// What one order to storage takes, from and to.
    package var syncMicroseconds: ClosedRange<Int64> = 60...400
    /// Processes' clocks go wrong by up to this much.
    package var driftPartsPerMillion: Int64 = 0
    /// How late timers come.
    package var timerJitterMicroseconds: Int64 = 500
    /// More events than this are a process that never rests.
    package var eventLimit = 20_000_000

    package init(seed: UInt64) { self.seed = seed }

    /// Draws sizes and speeds from the seed.
    package static func drawn(seed: UInt64) -> SimulationOptions {
        var random = SeededRandom(seed: seed ^ 0x6F70_7469_6F6E_7321)
        var options = SimulationOptions(seed: seed)
        options.servers = random.chance(perMille: 700) ? 3 : 5
        if random.chance(perMille: 200) {
            options.servers += 1
            options.observers = 1
        }
        options.clients = Int(random.between(2...5))
        // Half of the runs have a quiet network, so that most of what happens is of the plan's making.
        if random.chance(perMille: 500) { options.network = .drawn(using: &random) }
        let slowest = random.magnitude(100...20_000)
        options.syncMicroseconds = min(60, slowest)...slowest
        options.driftPartsPerMillion = random.chance(perMille: 500) ? 0 : random.magnitude(10...20_000)
        options.timerJitterMicroseconds = random.magnitude(1...5_000)
        // Many short lives find more than few long ones; some are long, for what needs time to go wrong.
        options.safetyMilliseconds = random.magnitude(1_500...10_000)
        return options
    }
}
