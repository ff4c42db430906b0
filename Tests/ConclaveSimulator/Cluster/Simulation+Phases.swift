import ConclaveCore

/// From faults to rest: the phases of a run and what is asked of the cluster in each.
extension Simulation {
    /// How often the cluster is looked at while it heals and settles.
    private static var lookEvery: Int64 { 20_000_000 }

    mutating func advancePhase() {
        switch phase {
        case .safety: heal()
        case .healing:
            if isHealed {
                healedAfter = world.time - healingBegan
                phase = .settling
                phaseDeadline = world.time + options.settlingMilliseconds * 1_000_000
                for process in world.processes.indices.dropFirst(options.servers) {
                    world.current = process
                    clients[process - options.servers]?.finish(world: &world)
                    attend(process)
                }
            } else if world.time >= phaseDeadline {
                world.fail(Violation("a healed cluster serves again", whatIsMissing, time: world.time))
            }
        case .settling:
            if isSettled {
                phase = .done
            } else if world.time >= phaseDeadline {
                world.fail(Violation("a healed cluster comes to agree", whatIsMissing, time: world.time))
            }
        case .done: return
        }
        if phase != .done { world.queue.plan(.phase, 0, stamp: 0, at: world.time + Self.lookEvery) }
    }

    /// Ends everything that is wrong, at once, and starts whoever is down. Pauses and stalls have ended before.
    private mutating func heal() {
        phase = .healing
        healingBegan = world.time
        phaseDeadline = world.time + options.healingMilliseconds * 1_000_000
        world.current = 0
        world.note("HEALING")
        for index in activeFaults.keys.sorted() { end(fault: index) }
        world.reach.mendAll()
        world.releaseBlocked()
        for process in world.processes.indices {
            world.processes[process].storageDelay = 0
            world.processes[process].crashesToCome = 0
            world.processes[process].crashInRecovery = nil
            world.processes[process].readFailureAtStart = nil
            if world.processes[process].isUp {
                // A fault that has not struck yet must not strike now.
                if isServer.contains(process) {
                    servers[process]?.disk.failures = [:]
                    servers[process]?.disk.readFailures = [:]
                    servers[process]?.disk.crashAtOperation = nil
                }
            } else if !world.processes[process].isExcused {
                world.queue.plan(
                    .restart, process, stamp: 0, at: world.time + world.networkRandom.below(100_000_000))
            }
        }
        writesBeforeHealing = clients.map { $0?.answeredWrites ?? 0 }
    }

    private var mustServe: [Int] { isServer.filter { !world.processes[$0].isExcused } }

    /// A leader, whom all follow, and an answer for each client since healing began.
    private var isHealed: Bool {
        guard world.view.leader != nil, mustServe.allSatisfy({ world.view.servers[$0].applied != nil }) else {
            return false
        }
        return clients.indices.allSatisfy { (clients[$0]?.answeredWrites ?? 0) > writesBeforeHealing[$0] }
    }

    /// Clients are done, and all servers show the whole committed history.
    private var isSettled: Bool {
        guard clients.allSatisfy({ $0?.isFinished ?? false }), world.view.leader != nil else { return false }
        return mustServe.allSatisfy { world.view.servers[$0].applied == world.view.committedTip }
    }

    private var whatIsMissing: String {
        var missing: [String] = []
        if world.view.leader == nil { missing.append("no leader") }
        for server in mustServe {
            let view = world.view.servers[server]
            guard world.processes[server].isUp else {
                missing.append("server \(server + 1) is down")
                continue
            }
            guard let applied = view.applied else {
                missing.append("server \(server + 1) does not serve")
                continue
            }
            if applied != world.view.committedTip {
                missing.append(
                    "server \(server + 1) is at \(world.view.tree[applied].zxid), not at \(world.view.lastCommitted)")
            }
        }
        for client in clients.indices {
            let answered = clients[client]?.answeredWrites ?? 0
            if phase == .healing, answered <= writesBeforeHealing[client] {
                missing.append("client \(client + 1) has had no write answered")
            } else if phase == .settling, clients[client]?.isFinished != true {
                missing.append("client \(client + 1) \(clients[client]?.unfinished ?? "is down")")
            }
        }
        return missing.joined(separator: ", ")
    }

    // MARK: The end

    /// Everything that any client saw, judged as a whole.
    mutating func judgeHistory() {
        let testimony = Testimony<Client>(
            options: options, committed: world.view.committedEntries, witnesses: witnesses,
            faults: world.faultCounts)
        let judge = HistoryJudge<Client.Model>(
            committed: testimony.committed, records: testimony.witnesses.map(\.record))
        if let broken = judge.judge() {
            return world.fail(Violation(broken.rule, broken.detail, time: world.time))
        }
        let verdict = Client.judge(testimony)
        tallies = verdict.tallies
        if let broken = verdict.broken { world.fail(Violation(broken.rule, broken.detail, time: world.time)) }
    }

    private var witnesses: [Testimony<Client>.Witness] {
        buried
            + clients.compactMap { client in
                client.map { .init(record: $0.record, journal: $0.journal, isAlive: true) }
            }
    }

    func report() -> RunReport {
        var report = RunReport(options: options, plan: plan)
        report.violation = world.violation
        report.digest = world.digest
        report.events = eventCount
        report.simulatedMilliseconds = world.time / 1_000_000
        report.healedAfterMilliseconds = healedAfter / 1_000_000
        report.elections = world.view.elections
        report.committed = world.view.committedEntries.count
        report.faults = world.faultCounts
        report.answeredWrites = buriedWrites + clients.reduce(0) { $0 + ($1?.answeredWrites ?? 0) }
        report.tallies = tallies
        for record in witnesses.map(\.record) {
            report.operations += record.operations.count
            report.unknown += record.operations.count { $0.answer == nil }
            report.watches += record.watches.count
        }
        report.trace = world.trace
        return report
    }
}
