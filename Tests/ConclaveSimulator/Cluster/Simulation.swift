import ConclaveCore

/// A whole cluster in one value: servers, clients, network, disks, clocks and what goes wrong with them, from one seed.
///
/// ```
/// safety ─ faults as planned; every observation is judged ─► healing ─ everything mended and started; there must be a
/// leader, followed by all, and an answer for every client ─► settling ─ clients finish; all states must become equal
/// ─► checks over everything that clients saw ─► done
/// ```
///
/// One thread, no clock and no random source but its own. A copy is an independent cluster that can go on differently.
package struct Simulation<Server: SimulatedServer, Client: SimulatedClient> {
    enum Phase: Equatable, Sendable { case safety, healing, settling, done }

    package let options: SimulationOptions
    package let plan: FaultPlan
    package internal(set) var world: World
    let serverSetup: Server.Setup
    let clientSetup: Client.Setup
    /// `nil` while down.
    package internal(set) var servers: [Server?]
    package internal(set) var clients: [Client?]
    /// Of servers that are down.
    var disks: [SimulatedDisk]
    /// Of clients that were killed.
    var buried: [Testimony<Client>.Witness] = []
    var buriedWrites = 0

    var phase = Phase.safety
    var phaseDeadline: Int64 = 0
    var activeFaults: [Int: ActiveFault] = [:]
    /// What each client had answered when healing began.
    var writesBeforeHealing: [Int] = []
    var healingBegan: Int64 = 0
    var healedAfter: Int64 = 0
    var eventCount = 0
    var tallies: [String: Int] = [:]

    package init(
        _ options: SimulationOptions, plan: FaultPlan, servers serverSetup: Server.Setup,
        clients clientSetup: Client.Setup
    ) {
        self.options = options
        self.plan = plan
        self.serverSetup = serverSetup
        self.clientSetup = clientSetup
        world = World(options)
        servers = [Server?](repeating: nil, count: options.servers)
        clients = [Client?](repeating: nil, count: options.clients)
        disks = [SimulatedDisk](repeating: SimulatedDisk(), count: options.servers)
    }

    /// Keeps a text of what happens; slows the run down.
    package mutating func keepTrace(limit: Int = 20_000) { world.trace = Trace(limit: limit) }

    /// Runs to the end, or to the first broken promise.
    package mutating func run() -> RunReport {
        begin()
        while phase != .done, world.violation == nil, step() {}
        if world.violation == nil { judgeHistory() }
        return report()
    }

    mutating func begin() {
        for process in world.processes.indices {
            // Not all at the same moment.
            let start = world.networkRandom.below(50_000_000)
            world.queue.plan(.restart, process, stamp: 0, at: start)
        }
        for (index, fault) in plan.faults.enumerated() where fault.atMilliseconds < options.safetyMilliseconds {
            world.queue.plan(.fault, index, stamp: 0, at: fault.atMilliseconds * 1_000_000)
        }
        world.queue.plan(.phase, 0, stamp: 0, at: options.safetyMilliseconds * 1_000_000)
    }

    /// Lets one event happen.
    /// - Returns: whether there was one.
    mutating func step() -> Bool {
        guard let planned = world.queue.next() else { return false }
        eventCount += 1
        guard eventCount <= options.eventLimit else {
            world.fail("the cluster comes to rest", "more than \(options.eventLimit) events")
            return false
        }
        world.time = planned.time
        dispatch(planned)
        return true
    }

    var isServer: Range<Int> { 0..<options.servers }

    // MARK: Starting and ending

    mutating func start(_ process: Int) {
        guard !world.processes[process].isUp else { return }
        world.processes[process].incarnation &+= 1
        world.processes[process].isUp = true
        world.processes[process].isMachineUp = true
        world.processes[process].stopReason = nil
        world.processes[process].listening = 0
        world.processes[process].timerAt = .max
        world.processes[process].pausedUntil = world.time
        world.processes[process].storageUntil = world.time
        world.processes[process].storageOrders = 0
        world.current = process
        world.note("starts")
        if isServer.contains(process) {
            var disk = SimulatedDisk()
            swap(&disk, &disks[process])
            if let operations = world.processes[process].crashInRecovery { disk.crashAtOperation = operations }
            if let reads = world.processes[process].readFailureAtStart { disk.readFailures = [reads: .other(errno: 5)] }
            world.processes[process].crashInRecovery = nil
            world.processes[process].readFailureAtStart = nil
            servers[process] = Server(serverSetup, disk: disk, world: &world)
            if world.processes[process].crashesToCome > 0 {
                world.processes[process].crashesToCome -= 1
                let soon = world.time + world.networkRandom.below(world.networkRandom.magnitude(1...400) * 1_000_000)
                world.queue.plan(.crash, process, stamp: world.processes[process].incarnation, at: soon)
            }
        } else {
            clients[process - options.servers] = Client(clientSetup, world: &world)
        }
        attend(process)
    }

    /// Ends a process and gives its disk the shape that this end leaves.
    mutating func end(_ process: Int, powerLoss: Bool, survival: Survival, restartAt: Int64?) {
        guard world.processes[process].isUp else { return }
        world.current = process
        world.note(powerLoss ? "loses power" : "ends")
        world.processes[process].isUp = false
        world.processes[process].isMachineUp = !powerLoss
        world.processes[process].listening = 0
        world.loseConnections(of: process, silently: powerLoss)
        if isServer.contains(process) {
            if let disk = servers[process]?.disk {
                disks[process] = disk.afterCrash(survival, seed: world.networkRandom.next())
            }
            servers[process] = nil
            world.judge.ended(server: process)
        } else if let client = clients[process - options.servers] {
            buried.append(.init(record: client.record, journal: client.journal, isAlive: false))
            buriedWrites += client.answeredWrites
            clients[process - options.servers] = nil
            world.judge.ended(client: process)
        }
        if powerLoss {
            world.processes[process].clock.restart(at: world.time, showing: world.networkRandom.below(1 << 50))
        }
        if let restartAt { world.queue.plan(.restart, process, stamp: 0, at: restartAt) }
    }

    /// Lets the storage thread begin its oldest order and crash in the middle of it.
    mutating func crashStorage(of process: Int, afterOperations count: Int) {
        guard world.processes[process].storageOrders > 0, let operation = servers[process]?.disk.operationCount else {
            return
        }
        servers[process]?.disk.crashAtOperation = operation + count
        world.current = process
        world.isMuted = true
        servers[process]?.performStorage(world: &world)
        world.isMuted = false
        world.processes[process].stopReason = nil
    }

    /// After a process was told something: has it ended itself, and when does it want to be called?
    mutating func attend(_ process: Int) {
        if let reason = world.processes[process].stopReason {
            world.note("stops: \(reason)")
            if case .fatal(let text) = reason { world.fail("no server ends without a cause", text) }
            if case .disk = reason, isServer.contains(process), world.view.servers[process].isDamaged {
                world.processes[process].isExcused = true
                end(process, powerLoss: false, survival: .processOnly, restartAt: nil)
                return
            }
            // A disk that failed once does not fail at the next start, unless a fault says so again.
            let pause = 20_000_000 + world.networkRandom.below(1_000_000_000)
            end(process, powerLoss: false, survival: .processOnly, restartAt: world.time + pause)
            return
        }
        let deadline: Instant? =
            isServer.contains(process)
            ? servers[process]?.nextDeadline : clients[process - options.servers]?.nextDeadline
        guard let deadline else { return }
        let due = world.processes[process].clock.time(of: deadline)
        guard due < world.processes[process].timerAt else { return }
        // Never at once: a process that always wants to be called must not stop time.
        let jitter = world.networkRandom.below(options.timerJitterMicroseconds * 1_000)
        let (at, overflow) = max(due, world.time + 20_000).addingReportingOverflow(jitter)
        guard !overflow else { return }
        world.processes[process].timerAt = at
        world.queue.plan(.timer, process, stamp: world.processes[process].incarnation, at: at)
    }
}
