import ConclaveCore
import ConclaveSystem

/// Keeps a workload's lanes full for a time and counts what comes back. One thread, one poller.
///
/// Per turn and connection there is one recv(2) and one send(2): requests that replies make room for leave together.
package struct Engine: Sendable {
    package var address: SocketAddress
    package var server: ServerProcess?
    package var warmUpMilliseconds: Int64
    package var measuredMilliseconds: Int64

    /// - Parameter server: whose processor time and memory are measured too.
    package init(
        address: SocketAddress, server: ServerProcess?, warmUpMilliseconds: Int64, measuredMilliseconds: Int64
    ) {
        self.address = address
        self.server = server
        self.warmUpMilliseconds = warmUpMilliseconds
        self.measuredMilliseconds = measuredMilliseconds
    }

    func run(_ workload: inout some Workload) throws -> Measurement {
        let preparing = try Lane(index: -1, to: address)
        try workload.prepare(preparing)
        let lanes = try (0..<workload.connections).map { try Lane(index: $0, to: address) }
        var poller = try SystemPoller()
        defer { poller.close() }
        for lane in lanes {
            try poller.add(lane.socket.descriptor, key: UInt64(lane.index), interest: .readable)
        }
        var now = SystemClock.now().nanoseconds
        let begin = now + warmUpMilliseconds * 1_000_000
        let end = begin + measuredMilliseconds * 1_000_000
        for lane in lanes {
            for _ in 0..<workload.depth { workload.send(on: lane, at: now) }
            try flush(lane, &poller)
        }
        var histogram = Histogram()
        var started: (time: Int64, server: Double?, own: Double)?
        while now < end {
            try poller.wait(until: Instant(nanoseconds: now + 1_000_000_000))
            now = SystemClock.now().nanoseconds
            if started == nil, now >= begin {
                histogram = Histogram()
                started = (now, server?.processorSeconds(), Generator.processorSeconds())
            }
            for index in 0..<poller.eventCount {
                let event = poller.event(at: index)
                let lane = lanes[Int(event.key)]
                if event.readiness.isReadable || event.readiness.isBroken {
                    var room = 0
                    try lane.receive { payload in
                        guard ReplyFields(payload).xid != -1 else { return }
                        let sent = try lane.answered()
                        if try workload.received(payload, on: lane) { histogram.record(now - sent) }
                        room += 1
                    }
                    for _ in 0..<room { workload.send(on: lane, at: now) }
                }
                try flush(lane, &poller)
            }
        }
        guard let started else { throw LoadError("the warm-up did not end") }
        let seconds = Double(now - started.time) / 1e9
        let used = zip(started.server, server?.processorSeconds()).map { $1 - $0 }
        return Measurement(
            histogram: histogram, seconds: seconds, serverProcessorSeconds: used,
            generatorProcessorSeconds: Generator.processorSeconds() - started.own,
            residentBytes: server?.residentBytes())
    }

    private func flush(_ lane: Lane, _ poller: inout SystemPoller) throws {
        let before = lane.interest
        try lane.flush()
        if lane.interest != before {
            try poller.update(
                lane.socket.descriptor, key: UInt64(lane.index), from: before, to: lane.interest)
        }
    }

    private func zip(_ first: Double?, _ second: Double?) -> (Double, Double)? {
        guard let first, let second else { return nil }
        return (first, second)
    }
}

/// What a run found.
package struct Measurement: Sendable {
    package var histogram: Histogram
    package var seconds: Double
    package var serverProcessorSeconds: Double?
    package var generatorProcessorSeconds: Double
    package var residentBytes: Int?

    package var perSecond: Double { Double(histogram.count) / seconds }

    /// The numbers under their names in results; latencies and processor time in microseconds.
    package var values: [String: Double] {
        let count = Double(max(histogram.count, 1))
        var values: [String: Double] = [
            "operations": Double(histogram.count), "seconds": seconds, "per_second": perSecond,
            "p50_us": Double(histogram.percentile(0.5)) / 1000, "p99_us": Double(histogram.percentile(0.99)) / 1000,
            "p999_us": Double(histogram.percentile(0.999)) / 1000, "max_us": Double(histogram.maximum) / 1000,
            "p90_us": Double(histogram.percentile(0.9)) / 1000,
            "p9999_us": Double(histogram.percentile(0.9999)) / 1000, "mean_us": histogram.mean / 1000,
            "generator_cpu_us": generatorProcessorSeconds * 1e6 / count,
        ]
        if let serverProcessorSeconds { values["server_cpu_us"] = serverProcessorSeconds * 1e6 / count }
        if let residentBytes { values["resident_mb"] = Double(residentBytes) / 1e6 }
        return values
    }
}
