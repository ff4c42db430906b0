/// What can go wrong on purpose.
///
/// Inside one connection nothing is ever lost, doubled or put in another order: TCP does not do that, and the protocols
/// rest on it. Between connections everything is possible.
package enum FaultKind: UInt8, Sendable, CaseIterable {
    // Network.
    /// From one process to another.
    case cutOneWay
    case cutBothWays
    /// A server from all others and from all clients.
    case isolate
    /// A server from the other servers only; its clients still reach it.
    case isolateFromServers
    /// Nothing reaches a server, what it says gets out.
    case deafen
    /// What a server says reaches nobody.
    case mute
    /// Two sides, at random.
    case split
    /// Two sides that share one server.
    case bridge
    /// Everybody reaches only the neighbours.
    case ring
    /// Cut and mended again and again.
    case flap
    case slowPath
    /// Everything to and from one process.
    case slowProcess
    /// Everything.
    case slowNetwork
    case resetConnection
    case resetProcess
    case resetEverything
    /// One connection is silent in both directions, then goes on.
    case stallConnection
    case isolateClient
    case cutClient

    // Processes.
    case kill
    case killAll
    /// Connections stay half open, what was not synced may be lost.
    case powerLoss
    case powerLossAll
    /// As SIGSTOP.
    case pause
    case pauseMost
    /// Killed again soon after each start.
    case restartLoop
    /// Killed while the storage thread is at work.
    case killInStorage
    case powerLossInStorage
    /// Loses power again while it reads its disk.
    case crashInRecovery
    case pauseClient
    case killClient

    // Disks.
    case slowDisk
    case stallDisk
    case failDisk
    case fillDisk
    case failReading
    /// A bit of a file is flipped while the server is down. Never on more servers than may be missing: what they forget
    /// the others must still have.
    case damageDisk

    // Clocks.
    case drift
    case wallForward
    case wallBackward

    package static let network: [FaultKind] = [
        .cutOneWay, .cutBothWays, .isolate, .isolateFromServers, .deafen, .mute, .split, .bridge, .ring, .flap,
        .slowPath,
        .slowProcess, .slowNetwork, .resetConnection, .resetProcess, .resetEverything, .stallConnection, .isolateClient,
        .cutClient,
    ]
    package static let processes: [FaultKind] = [
        .kill, .killAll, .powerLoss, .powerLossAll, .pause, .pauseMost, .restartLoop, .killInStorage,
        .powerLossInStorage, .crashInRecovery, .pauseClient, .killClient,
    ]
    package static let disks: [FaultKind] = [.slowDisk, .stallDisk, .failDisk, .fillDisk, .failReading]
    package static let damage: [FaultKind] = [.damageDisk]
    package static let clocks: [FaultKind] = [.drift, .wallForward, .wallBackward]
}

/// How often each kind of fault really happened: one that found nothing to break does not count.
package struct FaultCounts: Sendable, Equatable {
    private var counts = [Int](repeating: 0, count: FaultKind.allCases.count)

    package init() {}

    package subscript(kind: FaultKind) -> Int { counts[Int(kind.rawValue)] }

    mutating func add(_ kind: FaultKind) { counts[Int(kind.rawValue)] += 1 }

    package mutating func add(_ other: FaultCounts) {
        for index in counts.indices { counts[index] += other.counts[index] }
    }

    package var total: Int { counts.reduce(0, +) }
    /// The kinds that never happened.
    package var missing: [FaultKind] { FaultKind.allCases.filter { self[$0] == 0 } }
}
