import ConclaveCore
import ConclaveSystem

/// Puts a workload on a server for a time and counts what comes back. One thread, one poller.
///
/// Per turn and connection there is one recv(2) and one send(2): requests that replies make room for leave together.
package struct Engine: Sendable {
    package var address: SocketAddress
    package var server: ServerProcess?
    package var warmUpMilliseconds: Int64
    package var measuredMilliseconds: Int64
    /// Requests a second, sent whether or not earlier ones are answered; `nil` for as many as are answered.
    package var rate: Double?
    /// With a rate: how long after the end answers are waited for. What is missing then has failed.
    var patienceMilliseconds: Int64 = 10_000

    /// - Parameter server: whose processor time and memory are measured too.
    package init(
        address: SocketAddress, server: ServerProcess?, warmUpMilliseconds: Int64, measuredMilliseconds: Int64,
        rate: Double? = nil
    ) {
        self.address = address
        self.server = server
        self.warmUpMilliseconds = warmUpMilliseconds
        self.measuredMilliseconds = measuredMilliseconds
        self.rate = rate
    }

    func run(_ workload: inout some Workload) throws -> Measurement {
        let preparing = try Lane(index: -1, to: address)
        try workload.prepare(preparing)
        var run = try LoadRun(self, connections: workload.connections)
        defer { run.close() }
        if let rate {
            try openLoop(&workload, &run, rate: rate)
        } else {
            try closedLoop(&workload, &run)
        }
        return try run.measurement()
    }

    /// As many requests in flight as the workload wants: every reply makes room for the next request.
    private func closedLoop(_ workload: inout some Workload, _ run: inout LoadRun) throws {
        var now = SystemClock.now().nanoseconds
        let begin = now + warmUpMilliseconds * 1_000_000
        let end = begin + measuredMilliseconds * 1_000_000
        for lane in run.lanes {
            for _ in 0..<workload.depth { workload.send(on: lane, at: now) }
            try run.flush(lane)
        }
        // Awaited on a single connection: recv(2) itself waits, and the poller would only add to what the generator takes.
        if run.lanes.count == 1, workload.depth == 1 {
            return try awaitedLoop(run.lanes[0], begin, end, &workload, &run)
        }
        while now < end {
            try run.poller.wait(until: Instant(nanoseconds: now + 1_000_000_000))
            now = SystemClock.now().nanoseconds
            if now >= begin { run.begin(at: now) }
            for index in 0..<run.poller.eventCount {
                let lane = run.lane(of: index)
                let room = try run.receive(on: lane, now: now, &workload)
                for _ in 0..<room { workload.send(on: lane, at: now) }
                try run.flush(lane)
            }
        }
        run.end(at: now)
    }

    private func awaitedLoop(
        _ lane: Lane, _ begin: Int64, _ end: Int64, _ workload: inout some Workload, _ run: inout LoadRun
    ) throws {
        try lane.waitInReceive()
        var now = SystemClock.now().nanoseconds
        while now < end {
            let room = try run.receive(on: lane, now: SystemClock.now().nanoseconds, &workload)
            now = SystemClock.now().nanoseconds
            if now >= begin { run.begin(at: now) }
            for _ in 0..<room { workload.send(on: lane, at: now) }
            try run.flush(lane)
        }
        run.end(at: now)
    }
}

/// One run of the engine: its connections, and what was counted so far.
struct LoadRun: ~Copyable {
    let lanes: [Lane]
    var poller: SystemPoller
    /// Requests sent before this do not count.
    private(set) var countsFrom = Int64.max
    private(set) var histogram = Histogram()
    /// By how much requests left later than they were due, at a fixed rate.
    private var lateness = Histogram()
    var failures = Failures()
    private let server: ServerProcess?
    private var started: Moment?
    private var ended: Moment?

    private struct Moment {
        var time: Int64
        var server: Double?
        var storage: Int?
        var own: Double

        init(_ time: Int64, _ server: ServerProcess?) {
            self.time = time
            self.server = server?.processorSeconds()
            storage = server?.storageBytes()
            own = Generator.processorSeconds()
        }
    }

    init(_ engine: Engine, connections: Int) throws {
        _ = ProcessStatistics.raiseDescriptorLimit()
        let lanes = try (0..<connections).map { try Lane(index: $0, to: engine.address) }
        var poller = try SystemPoller()
        do {
            for lane in lanes {
                try poller.add(lane.socket.descriptor, key: UInt64(lane.index), interest: .readable)
            }
        } catch {
            poller.close()
            throw error
        }
        server = engine.server
        self.lanes = lanes
        self.poller = poller
    }

    mutating func close() { poller.close() }

    /// The warm-up is over; called again it does nothing.
    mutating func begin(at now: Int64, countingFrom first: Int64 = .min) {
        guard started == nil else { return }
        histogram = Histogram()
        failures = Failures()
        countsFrom = first
        started = Moment(now, server)
    }

    mutating func sent(_ late: Int64, dueAt due: Int64) {
        if due >= countsFrom { lateness.record(late) }
    }

    mutating func end(at now: Int64) { ended = Moment(now, server) }

    func lane(of event: Int) -> Lane { lanes[Int(poller.event(at: event).key)] }

    /// Takes what has come on a connection; `now` is asked for once it is there.
    /// - Returns: how many requests were answered.
    mutating func receive(
        on lane: Lane, now: @autoclosure () -> Int64, _ workload: inout some Workload
    ) throws -> Int {
        var answered = 0
        try lane.receive { payload in
            guard ReplyFields(payload).xid != -1 else { return }
            let sent = try lane.answered()
            answered += 1
            do throws(LoadError) {
                let counts = try workload.received(payload, on: lane)
                if counts, sent >= countsFrom { histogram.record(now() - sent) }
            } catch {
                if sent >= countsFrom { failures.record(error.description) }
            }
        }
        return answered
    }

    mutating func flush(_ lane: Lane) throws {
        let before = lane.interest
        try lane.flush()
        if lane.interest != before {
            try poller.update(lane.socket.descriptor, key: UInt64(lane.index), from: before, to: lane.interest)
        }
    }

    func measurement() throws -> Measurement {
        guard let started, let ended else { throw LoadError("the warm-up did not end") }
        return Measurement(
            histogram: histogram, lateness: lateness.count > 0 ? lateness : nil,
            seconds: Double(ended.time - started.time) / 1e9, failures: failures,
            serverProcessorSeconds: difference(started.server, ended.server),
            generatorProcessorSeconds: ended.own - started.own, residentBytes: server?.residentBytes(),
            storageBytes: difference(started.storage, ended.storage))
    }

    private func difference<N: Numeric>(_ before: N?, _ after: N?) -> N? {
        guard let before, let after else { return nil }
        return after - before
    }
}
