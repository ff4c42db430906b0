import ConclaveCore

/// Everything around the processes: time, network, disks' speed, chance, and the judge.
///
/// The processes give their orders here. Which of them is speaking is known from who was called: a process only ever
/// acts while it is being told something.
package struct World: Sendable {
    package let options: SimulationOptions
    /// True time in nanoseconds, from the start of the run.
    package internal(set) var time: Int64 = 0
    package internal(set) var judge: Judge
    /// What is known of the cluster.
    package var view: ClusterView { judge.view }
    package internal(set) var violation: Violation?
    package internal(set) var digest = TraceDigest()
    package internal(set) var trace: Trace?
    package internal(set) var faultCounts = FaultCounts()

    var queue = EventQueue()
    var processes: [ProcessState]
    /// Of the process that is being told something.
    var current = 0
    /// What a dying process says is not heard.
    var isMuted = false
    private var lastMoment: UInt64 = 0

    // The network.
    var lines: [Line] = []
    var ends: [LineEnd] = []
    var freeLines: [Int] = []
    var reach: Reachability
    var networkRandom: SeededRandom

    init(_ options: SimulationOptions) {
        self.options = options
        let count = options.servers + options.clients
        var random = SeededRandom(seed: options.seed)
        networkRandom = random.branch()
        reach = Reachability(count: count)
        let voters = options.servers - options.observers
        judge = Judge(servers: options.servers, voters: 1 << UInt64(voters) - 1)
        processes = (0..<count).map { _ in
            var state = ProcessState()
            state.random = random.branch()
            let drift = options.driftPartsPerMillion
            state.clock = SimulatedClock(
                shown: random.below(1 << 50), driftPartsPerMillion: random.between(-drift...drift))
            return state
        }
    }

    // MARK: What a process may know

    /// Its place among all processes, servers first, from 0.
    package var process: Int { current }
    package var serverCount: Int { options.servers }
    /// Bit n: server n votes.
    package var voters: UInt64 { judge.view.voters }
    /// The clock of the process, which counts suspend.
    package var now: Instant { processes[current].clock.instant(at: time) }
    package var wall: WallTime { processes[current].clock.wall(at: time) }
    /// Chance, of the process alone.
    package var random: SeededRandom {
        get { processes[current].random }
        _modify { yield &processes[current].random }
    }

    /// The true time at which the clock of the process will show a moment, as it goes now: for judges, not for processes.
    package func trueTime(of instant: Instant) -> Int64 { processes[current].clock.time(of: instant) }

    /// A number that grows from call to call: the order in which things happened, whatever the clocks say.
    package mutating func moment() -> UInt64 {
        lastMoment += 1
        return lastMoment
    }

    // MARK: Orders

    /// Says whether connections to a port are taken; at first none are.
    package mutating func listen(on port: Port, _ listens: Bool = true) {
        let bit = UInt8(1) << port.rawValue
        if listens { processes[current].listening |= bit } else { processes[current].listening &= ~bit }
    }

    /// Gives the storage thread work, done one after another, each in its time.
    ///
    /// - Parameter syncs: whether it has to wait for the disk itself.
    package mutating func orderStorage(bytes: Int, syncs: Bool = true) {
        guard !isMuted else { return }
        let range = options.syncMicroseconds
        let wait = syncs ? networkRandom.between(range) : range.lowerBound
        let cost = wait * 1_000 + Int64(bytes) * 2 + processes[current].storageDelay
        let end = max(processes[current].storageUntil, time) + cost
        processes[current].storageUntil = end
        processes[current].storageOrders += 1
        queue.plan(.storage, current, stamp: processes[current].incarnation, at: end)
    }

    /// Ends the process as soon as it has returned.
    package mutating func stop(_ reason: StopReason) {
        guard !isMuted, processes[current].stopReason == nil else { return }
        processes[current].stopReason = reason
    }

    /// Tells the judge a fact.
    package mutating func observe(_ observation: Observation) {
        guard !isMuted, violation == nil else { return }
        note("\(observation)")
        var end: Int64 = 0
        if case .held(_, let until) = observation { end = processes[current].clock.time(of: until) }
        if let broken = judge.observe(observation, by: current, at: time, until: end) { fail(broken) }
    }

    /// Puts a line into the trace, if there is one: the text is only made then.
    @inline(__always)
    package mutating func note(_ text: @autoclosure () -> String) {
        if trace != nil { trace?.add(text(), process: current, time: time, servers: options.servers) }
    }

    /// Reports that a promise is broken; the first report ends the run.
    package mutating func fail(_ broken: Violation) {
        guard violation == nil else { return }
        violation = broken
        note("VIOLATION \(broken)")
    }

    package mutating func fail(_ rule: String, _ detail: String) {
        fail(Violation(rule, detail, process: current, time: time))
    }
}
