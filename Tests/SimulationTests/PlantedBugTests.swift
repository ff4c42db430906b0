import ConclaveCore
import ConclaveSimulator
import TestLanes
import Testing

/// Every mistake planted in the toy is found: a simulator that finds nothing wrong proves nothing.
@Suite(.aside) struct PlantedBugTests {
    /// Where a mistake shows, and how.
    struct Case: Sendable, CustomTestStringConvertible {
        var bug: ToyBug
        var profile: FaultProfile = .everything
        /// One of these is broken.
        var rules: [String]
        /// At the latest with this many seeds, from the one on that found it last.
        var seeds: UInt64 = 60
        var firstSeed: UInt64 = 0
        var network: NetworkProfile?

        var testDescription: String { bug.rawValue }
    }

    static let slow: NetworkProfile = {
        var network = NetworkProfile()
        network.minimumDelayMicroseconds = 10_000
        network.jitterMicroseconds = 20_000
        return network
    }()

    /// Clients stop for longer than their sessions last, with answers on the way to them.
    static let lonelyClients: FaultProfile = {
        var profile = FaultProfile("lonely clients", [.pauseClient])
        profile.intervalMilliseconds = 300...900
        profile.durationMilliseconds = 5_000...8_000
        return profile
    }()

    static let lonelyLeaders: FaultProfile = {
        var profile = FaultProfile("lonely leaders", [.isolateFromServers])
        profile.intervalMilliseconds = 500...2_000
        profile.durationMilliseconds = 5_000...8_000
        return profile
    }()

    static let cases: [Case] = [
        Case(bug: .acknowledgesBeforeSync, rules: ["an acknowledgement is durable"]),
        Case(bug: .forgetsVote, rules: ["epochs on disk only grow", "one leader per epoch"]),
        Case(
            bug: .votesForAnyone,
            rules: ["a leader has every committed transaction", "what is durable stays, what is committed is not cut"],
            firstSeed: 2),
        Case(bug: .skipsFolderSync, profile: .crashes, rules: ["epochs on disk only grow"]),
        Case(
            bug: .trustsTornTail, rules: ["what is durable stays, what is committed is not cut"], firstSeed: 9),
        Case(bug: .answersBeforeCommit, rules: ["an answered write is committed"]),
        Case(bug: .repeatsRequests, rules: ["a request is carried out once"]),
        Case(bug: .appliesDifferently, rules: ["equal histories give equal states"]),
        Case(bug: .takesClientsThatAreAhead, rules: ["a session never goes back"], seeds: 120, firstSeed: 35),
        Case(
            bug: .readsEarly,
            rules: [
                "a read shows the state at its zxid", "no event without a watch",
                "a session's answers come in the order of its requests",
            ]),
        Case(bug: .delaysEvents, rules: ["an event comes before the state it tells of"]),
        Case(
            bug: .missesChangesWhileAway,
            rules: ["an event comes before the state it tells of", "no event is lost"], firstSeed: 2),
        Case(
            bug: .touchesWithoutQuorum, profile: lonelyLeaders,
            rules: ["no session ends while its client may believe in it"]),
        Case(
            bug: .countsHoldFromAnswer, profile: lonelyClients,
            rules: ["no session ends while its client may believe in it"], seeds: 120, firstSeed: 8, network: slow),
        Case(bug: .givesUpDialling, rules: ["a healed cluster serves again"], firstSeed: 3),
        Case(bug: .keepsProgressOfFormerTerm, rules: ["a commit is durable on a quorum"]),
    ]

    @Test("A planted mistake is found", arguments: cases)
    func isFound(planted: Case) throws {
        let network = planted.network
        let sweep = SeedSweep<ToyServer, ToyClient>(
            planted.profile, servers: .init(bug: planted.bug), clients: .init(bug: planted.bug)
        ) { seed in
            var options = SimulationOptions.drawn(seed: seed)
            if let network { options.network = network }
            options.safetyMilliseconds = 10_000
            return options
        }
        let report = sweep.run(planted.firstSeed..<planted.firstSeed + planted.seeds, stopsAtFailure: true)
        let found = try #require(report.failures.first?.violation, "not found in \(report)")
        #expect(planted.rules.contains(found.rule), "\(found)")
    }

    @Test("A server that takes damage for a torn write is found")
    func damage() throws {
        let sweep = SeedSweep<ToyServer, ToyClient>(.damage, servers: .init(), clients: .init()) { seed in
            var options = SimulationOptions.drawn(seed: seed)
            options.safetyMilliseconds = 10_000
            return options
        }
        let found = try #require(sweep.run(0..<20, stopsAtFailure: true).failures.first?.violation)
        #expect(found.rule == "what is durable stays, what is committed is not cut")
    }

    @Test("The list of planted mistakes is complete")
    func isComplete() {
        #expect(Set(Self.cases.map(\.bug)) == Set(ToyBug.allCases))
    }
}
