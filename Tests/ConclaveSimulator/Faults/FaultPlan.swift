import ConclaveCore

/// Whom a fault is to hit; resolved when it happens.
package enum FaultTarget: Sendable, Equatable {
    /// Modulo the number of servers.
    case server(Int)
    /// Whoever leads at that moment; server 1 if nobody does.
    case leader
}

/// One thing that goes wrong, and for how long.
package struct PlannedFault: Sendable, Equatable {
    package var kind: FaultKind
    /// After the start of the run.
    package var atMilliseconds: Int64
    /// Until it is mended, restarted or resumed. Shorter if the healing phase begins before.
    package var lastsMilliseconds: Int64
    package var target: FaultTarget
    /// Whatever else has to be chosen: the other end, the sides of a split, the survivors of a crash.
    package var choice: UInt64

    package init(
        _ kind: FaultKind, atMilliseconds: Int64, lastsMilliseconds: Int64, target: FaultTarget, choice: UInt64
    ) {
        self.kind = kind
        self.atMilliseconds = atMilliseconds
        self.lastsMilliseconds = lastsMilliseconds
        self.target = target
        self.choice = choice
    }
}

/// Everything that goes wrong in one run, as data: a plan can be printed, changed and cut down.
package struct FaultPlan: Sendable, Equatable {
    /// By time.
    package var faults: [PlannedFault]

    package static let none = FaultPlan(faults: [])

    package init(faults: [PlannedFault]) { self.faults = faults }

    /// Draws a plan.
    ///
    /// Each seed uses some of the profile's kinds only, at a rate of its own: such runs differ more from each other
    /// than runs with a little of everything ("swarm testing": Groce and others, ISSTA 2012).
    package static func drawn(seed: UInt64, profile: FaultProfile, safetyMilliseconds: Int64) -> FaultPlan {
        var random = SeededRandom(seed: seed ^ 0x6661_756C_7473_2121)
        var kinds = profile.kinds.filter { _ in random.chance(perMille: profile.kindsPerMille) }
        if kinds.isEmpty, !profile.kinds.isEmpty { kinds = [profile.kinds[random.index(below: profile.kinds.count)]] }
        guard !kinds.isEmpty else { return .none }
        let interval = random.magnitude(profile.intervalMilliseconds)
        let longest = random.magnitude(profile.durationMilliseconds)
        let aimsAtLeader = random.between(0...700)
        var faults: [PlannedFault] = []
        var time = random.below(interval * 2)
        while time < safetyMilliseconds, faults.count < profile.limit {
            faults.append(
                PlannedFault(
                    kinds[random.index(below: kinds.count)], atMilliseconds: time,
                    lastsMilliseconds: random.magnitude(1...longest),
                    target: random.chance(perMille: aimsAtLeader)
                        ? .leader : .server(Int(random.below(64))),
                    choice: random.next()))
            time += 1 + random.below(interval * 2)
        }
        return FaultPlan(faults: faults)
    }
}

/// Which faults are allowed, and how many.
package struct FaultProfile: Sendable, Equatable {
    package var name: String
    package var kinds: [FaultKind]
    /// How many of a thousand kinds one seed uses.
    package var kindsPerMille: Int64 = 350
    /// Between faults, on average.
    package var intervalMilliseconds: ClosedRange<Int64> = 100...3_000
    package var durationMilliseconds: ClosedRange<Int64> = 20...6_000
    /// How many at most.
    package var limit = 80

    package init(_ name: String, _ kinds: [FaultKind]) {
        self.name = name
        self.kinds = kinds
    }

    package static let none = FaultProfile("none", [])
    /// Whatever a server must survive by itself.
    package static let everything = FaultProfile("everything", FaultKind.allCases.filter { $0 != .damageDisk })
    package static let network = FaultProfile("network", FaultKind.network)
    package static let disks = FaultProfile(
        "disks", FaultKind.disks + [.kill, .powerLoss, .powerLossAll, .killInStorage, .powerLossInStorage])
    package static let clocks = FaultProfile("clocks", FaultKind.clocks + [.pause, .pauseClient, .cutClient, .isolate])

    /// Crashes close upon each other, so that some hit a server in the middle of catching up.
    package static let crashes: FaultProfile = {
        var profile = FaultProfile(
            "crashes",
            [
                .kill, .killAll, .powerLoss, .powerLossAll, .restartLoop, .killInStorage, .powerLossInStorage,
                .crashInRecovery, .isolateFromServers,
            ])
        profile.kindsPerMille = 600
        profile.intervalMilliseconds = 30...1_000
        profile.durationMilliseconds = 5...1_500
        return profile
    }()

    /// Long silences, in which sessions end, and everything that makes one side believe what the other does not.
    package static let sessions: FaultProfile = {
        var profile = FaultProfile(
            "sessions",
            [
                .isolateFromServers, .isolate, .mute, .deafen, .cutOneWay, .pause, .pauseClient, .isolateClient,
                .cutClient, .drift, .slowNetwork, .slowProcess, .stallConnection, .killClient,
            ])
        profile.intervalMilliseconds = 400...4_000
        profile.durationMilliseconds = 1_000...10_000
        return profile
    }()

    /// For servers that tell damage from a torn write: one that finds any must keep out or have lost nothing.
    package static let damage: FaultProfile = {
        var profile = FaultProfile(
            "damage", [.damageDisk, .kill, .killAll, .powerLoss, .powerLossAll, .killInStorage, .isolateFromServers])
        profile.kindsPerMille = 700
        return profile
    }()

    /// What every cluster must stand; ``damage`` is for those whose servers find it.
    package static let all: [FaultProfile] = [.none, .everything, .network, .disks, .clocks, .crashes, .sessions]

    package static func named(_ name: String) -> FaultProfile? { (all + [.damage]).first { $0.name == name } }
}
