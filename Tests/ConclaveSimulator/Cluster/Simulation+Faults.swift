import ConclaveCore

/// What a fault did, so that it can be undone.
struct ActiveFault: Sendable {
    var process = 0
    /// Ways that are cut.
    var cuts: [(from: Int, to: Int)] = []
    /// Ways that are slower, and by how much.
    var delays: [(from: Int, to: Int, by: Int64)] = []
    var storm: Int64 = 0
    var diskDelay: Int64 = 0
    /// For flapping: when it ends for good.
    var until: Int64 = 0
    var isCutNow = true
}

/// Carries out the plan.
extension Simulation {
    mutating func begin(fault index: Int) {
        guard phase == .safety else { return }
        let fault = plan.faults[index]
        let target = resolve(fault.target)
        world.current = target
        let until = min(
            world.time + fault.lastsMilliseconds * 1_000_000, options.safetyMilliseconds * 1_000_000)
        var active = ActiveFault(process: target)
        active.until = until
        world.note("FAULT \(fault.kind) on S\(target + 1), \(fault.lastsMilliseconds) ms")
        let happened: Bool
        switch fault.kind {
        case .cutOneWay, .cutBothWays, .isolate, .isolateFromServers, .deafen, .mute, .split, .bridge, .ring, .flap,
            .isolateClient, .cutClient:
            active.cuts = cuts(fault, target)
            happened = !active.cuts.isEmpty
            for (from, to) in active.cuts { world.reach.cut(from, to) }
        case .slowPath, .slowProcess, .slowNetwork: happened = slow(fault, target, &active)
        case .resetConnection, .resetProcess, .resetEverything, .stallConnection:
            happened = disturb(fault, target, until)
        case .pause, .pauseMost, .pauseClient: happened = pause(fault, target, until)
        case .kill, .killAll, .powerLoss, .powerLossAll, .restartLoop, .killInStorage, .powerLossInStorage,
            .crashInRecovery, .killClient:
            happened = crash(fault, target, until)
        case .damageDisk: happened = damage(fault, target, until)
        case .slowDisk:
            active.diskDelay = (until - world.time) / 20
            world.processes[target].storageDelay += active.diskDelay
            happened = true
        case .stallDisk, .failDisk, .fillDisk, .failReading: happened = hurtDisk(fault, target, until)
        case .drift, .wallForward, .wallBackward: happened = shiftClock(fault, target)
        }
        guard happened else { return }
        world.faultCounts.add(fault.kind)
        if !active.cuts.isEmpty || !active.delays.isEmpty || active.storm != 0 || active.diskDelay != 0 {
            activeFaults[index] = active
            let end = fault.kind == .flap ? world.time + flapTime(fault) : until
            world.queue.plan(.faultEnds, index, stamp: 0, at: end)
        }
    }

    mutating func end(fault index: Int) {
        guard var active = activeFaults[index] else { return }
        let fault = plan.faults[index]
        world.current = active.process
        if fault.kind == .flap, world.time < active.until, phase == .safety {
            for (from, to) in active.cuts {
                if active.isCutNow { world.reach.mend(from, to) } else { world.reach.cut(from, to) }
            }
            active.isCutNow.toggle()
            activeFaults[index] = active
            world.releaseBlocked()
            world.queue.plan(.faultEnds, index, stamp: 0, at: world.time + flapTime(fault))
            return
        }
        world.note("END of \(fault.kind)")
        if active.isCutNow { for (from, to) in active.cuts { world.reach.mend(from, to) } }
        for (from, to, delay) in active.delays { world.reach.slow(from, to, by: -delay) }
        world.reach.storm -= active.storm
        world.processes[active.process].storageDelay -= active.diskDelay
        activeFaults[index] = nil
        world.releaseBlocked()
    }

    private func resolve(_ target: FaultTarget) -> Int {
        switch target {
        case .server(let number): number % options.servers
        case .leader: world.view.leader ?? 0
        }
    }

    /// Another process than `process`, chosen among the first `count`.
    private func other(than process: Int, among count: Int, _ choice: UInt64) -> Int {
        let place = Int(choice % UInt64(max(1, count - 1)))
        return place < process ? place : place + 1
    }

    private func client(_ choice: UInt64) -> Int { options.servers + Int(choice % UInt64(max(1, options.clients))) }

    private mutating func flapTime(_ fault: PlannedFault) -> Int64 {
        1_000_000 + world.networkRandom.below(fault.lastsMilliseconds * 200_000)
    }

    // MARK: Network

    private func cuts(_ fault: PlannedFault, _ target: Int) -> [(from: Int, to: Int)] {
        let everybody = 0..<world.processes.count
        let peer = other(than: target, among: options.servers, fault.choice)
        func both(_ pairs: [(Int, Int)]) -> [(from: Int, to: Int)] {
            pairs.flatMap { [(from: $0.0, to: $0.1), (from: $0.1, to: $0.0)] }
        }
        /// Pairs of servers that `separates` wants apart.
        func serverPairs(_ separates: (Int, Int) -> Bool) -> [(Int, Int)] {
            isServer.flatMap { first in
                isServer.filter { $0 > first && separates(first, $0) }.map { (first, $0) }
            }
        }
        switch fault.kind {
        case .cutOneWay: return options.servers > 1 ? [(from: target, to: peer)] : []
        case .cutBothWays, .flap: return options.servers > 1 ? both([(target, peer)]) : []
        case .isolate: return both(everybody.filter { $0 != target }.map { (target, $0) })
        case .isolateFromServers: return both(isServer.filter { $0 != target }.map { (target, $0) })
        case .deafen: return isServer.filter { $0 != target }.map { (from: $0, to: target) }
        case .mute: return isServer.filter { $0 != target }.map { (from: target, to: $0) }
        case .split: return both(serverPairs { side($0, fault.choice) != side($1, fault.choice) })
        case .bridge:
            return both(
                serverPairs {
                    $0 != target && $1 != target && side($0, fault.choice) != side($1, fault.choice)
                })
        case .ring:
            return both(serverPairs { $1 - $0 > 1 && !($0 == 0 && $1 == options.servers - 1) })
        case .isolateClient:
            return both(isServer.map { ($0, client(fault.choice)) })
        case .cutClient: return both([(target, client(fault.choice))])
        default: return []
        }
    }

    private func side(_ server: Int, _ choice: UInt64) -> Bool { choice >> UInt64(server) & 1 == 0 }

    private mutating func slow(_ fault: PlannedFault, _ target: Int, _ active: inout ActiveFault) -> Bool {
        // Up to a second for one message; less where everything is slow.
        let delay = Int64(1 + fault.choice % 1_000) * 1_000_000
        switch fault.kind {
        case .slowNetwork:
            active.storm = delay / 4
            world.reach.storm += active.storm
        case .slowPath:
            let peer = other(than: target, among: world.processes.count, fault.choice >> 10)
            active.delays = [(from: target, to: peer, by: delay), (from: peer, to: target, by: delay)]
        default:
            active.delays = world.processes.indices.filter { $0 != target }.flatMap {
                [(from: target, to: $0, by: delay / 2), (from: $0, to: target, by: delay / 2)]
            }
        }
        for (from, to, delay) in active.delays { world.reach.slow(from, to, by: delay) }
        return true
    }

    private mutating func disturb(_ fault: PlannedFault, _ target: Int, _ until: Int64) -> Bool {
        let lines = world.openLines(of: fault.kind == .resetEverything ? nil : target)
        guard !lines.isEmpty else { return false }
        let one = lines[Int(fault.choice % UInt64(lines.count))]
        switch fault.kind {
        case .resetConnection: world.reset(line: one)
        case .stallConnection:
            for end in [one * 2, one * 2 + 1] { world.ends[end].stalledUntil = until }
        default: for line in lines { world.reset(line: line) }
        }
        return true
    }
}
