import ConclaveCore

/// Faults of processes, disks and clocks.
extension Simulation {
    mutating func pause(_ fault: PlannedFault, _ target: Int, _ until: Int64) -> Bool {
        var targets = [target]
        switch fault.kind {
        case .pauseMost:
            targets = isServer.filter { fault.choice >> UInt64($0) & 1 == 0 || $0 == target }
        case .pauseClient: targets = [options.servers + Int(fault.choice % UInt64(max(1, options.clients)))]
        default: break
        }
        targets = targets.filter { $0 < world.processes.count && world.processes[$0].isUp }
        for process in targets {
            world.processes[process].pausedUntil = max(world.processes[process].pausedUntil, until)
        }
        return !targets.isEmpty
    }

    mutating func crash(_ fault: PlannedFault, _ target: Int, _ until: Int64) -> Bool {
        var targets = [target]
        switch fault.kind {
        case .killAll, .powerLossAll: targets = Array(isServer)
        case .killClient: targets = [options.servers + Int(fault.choice % UInt64(max(1, options.clients)))]
        default: break
        }
        targets = targets.filter { $0 < world.processes.count && world.processes[$0].isUp }
        guard !targets.isEmpty else { return false }
        let losesPower: Bool
        switch fault.kind {
        case .powerLoss, .powerLossAll, .powerLossInStorage, .crashInRecovery: losesPower = true
        default: losesPower = false
        }
        switch fault.kind {
        case .killInStorage, .powerLossInStorage:
            guard world.processes[target].storageOrders > 0 else { return false }
            crashStorage(of: target, afterOperations: Int(fault.choice >> 32 % 4))
        case .restartLoop: world.processes[target].crashesToCome = 1 + Int(fault.choice >> 32 % 4)
        case .crashInRecovery: world.processes[target].crashInRecovery = Int(fault.choice >> 32 % 6)
        default: break
        }
        for process in targets {
            var survival = Survival.processOnly
            if losesPower {
                let kinds: [Survival] = [.nothing, .some, .some, .everything, .bytesOnly, .namesOnly]
                survival = kinds[world.networkRandom.index(below: kinds.count)]
            }
            // Those of one blow come back one after another.
            let restart = until + (targets.count > 1 ? world.networkRandom.below(300_000_000) : 0)
            end(process, powerLoss: losesPower, survival: survival, restartAt: restart)
        }
        return true
    }

    mutating func hurtDisk(_ fault: PlannedFault, _ target: Int, _ until: Int64) -> Bool {
        switch fault.kind {
        case .failReading:
            world.processes[target].readFailureAtStart = Int(fault.choice % 20)
            return true
        case .stallDisk:
            guard world.processes[target].isUp else { return false }
            world.processes[target].storageUntil = max(world.processes[target].storageUntil, until)
            return true
        default:
            guard let operation = servers[target]?.disk.operationCount else { return false }
            let failing = operation + Int(fault.choice % 8)
            servers[target]?.disk.failures[failing] = fault.kind == .fillDisk ? .full : .other(errno: 5)
            return true
        }
    }

    /// Flips a bit in one of a server's files, if enough others are whole.
    mutating func damage(_ fault: PlannedFault, _ target: Int, _ until: Int64) -> Bool {
        let voters = options.servers - options.observers
        let damaged = isServer.count { world.view.servers[$0].isDamaged || $0 == target }
        guard damaged <= (voters - 1) / 2, world.processes[target].isUp else { return false }
        end(target, powerLoss: false, survival: .processOnly, restartAt: until)
        // Small files are markers and numbers, which have no checksum of their own in the formats that have to be kept.
        let files = disks[target].paths.filter { (disks[target].contents(of: $0)?.count ?? 0) >= Self.damageableBytes }
        guard !files.isEmpty else { return false }
        let path = files[Int(fault.choice % UInt64(files.count))]
        let bits = (disks[target].contents(of: path)?.count ?? 0) * 8
        disks[target].flipBit(world.networkRandom.index(below: bits), in: path)
        world.note("flips a bit in \(path)")
        world.judge.damaged(server: target)
        return true
    }

    private static var damageableBytes: Int { 64 }

    mutating func shiftClock(_ fault: PlannedFault, _ target: Int) -> Bool {
        let process = Int(fault.choice % UInt64(world.processes.count))
        switch fault.kind {
        case .drift:
            let limit = options.driftPartsPerMillion
            guard limit > 0 else { return false }
            world.processes[process].clock.drift(
                partsPerMillion: world.networkRandom.between(-limit...limit), at: world.time)
            // Deadlines come at other true times now, also for whoever sleeps through them.
            world.processes[process].timerAt = .max
            if world.processes[process].isUp { attend(process) }
        default:
            let step = Int64(1 + (fault.choice >> 16) % 86_400_000)
            world.processes[process].clock.wallOffsetMilliseconds += fault.kind == .wallForward ? step : -step
        }
        return true
    }
}
