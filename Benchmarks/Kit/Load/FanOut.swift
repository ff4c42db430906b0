import ConclaveCore
import ConclaveSystem
import ConclaveWire

/// One write, heard by many: connections that each watch the same node, and the time from the write to the last event.
struct FanOut {
    static let name = "fanout"
    let engine: Engine
    let watchers: Int

    func run() throws -> Measurement {
        _ = ProcessStatistics.raiseDescriptorLimit()
        let writer = try Lane(index: -1, to: engine.address)
        let path = try LoadTree.nodes("fanout", 1, writer)[0]
        let lanes = try (0..<watchers).map { try Lane(index: $0, to: engine.address) }
        var poller = try SystemPoller()
        defer { poller.close() }
        for lane in lanes {
            try poller.add(lane.socket.descriptor, key: UInt64(lane.index), interest: .readable)
        }
        let watch = Frames.make(Frames.get(path, watch: true))
        let set = Frames.make(Frames.set(path, Frames.value()))
        var histogram = Histogram()
        var measured = 0.0
        var serverSeconds = 0.0
        var ownSeconds = 0.0
        var rounds = 0
        let warmUpRounds = 20
        let end = SystemClock.now().nanoseconds + (engine.warmUpMilliseconds + engine.measuredMilliseconds) * 1_000_000
        while rounds < warmUpRounds + 5 || SystemClock.now().nanoseconds < end {
            for lane in lanes {
                lane.queue(watch, at: 0)
                try lane.flush()
            }
            // Every watch is set when its reply is here.
            try collect(lanes, &poller, events: false)
            let before = engine.server?.processorSeconds() ?? 0
            let own = Generator.processorSeconds()
            let begin = SystemClock.now().nanoseconds
            writer.queue(set, at: begin)
            try writer.flush()
            try collect(lanes, &poller, events: true)
            let took = SystemClock.now().nanoseconds - begin
            let ownAfter = Generator.processorSeconds()
            try writer.call(.sync(path: NodePath(path)))
            rounds += 1
            guard rounds > warmUpRounds else { continue }
            ownSeconds += ownAfter - own
            serverSeconds += (engine.server?.processorSeconds() ?? 0) - before
            histogram.record(took)
            measured += Double(took) / 1e9
        }
        return Measurement(
            histogram: histogram, seconds: measured,
            serverProcessorSeconds: engine.server == nil ? nil : serverSeconds,
            generatorProcessorSeconds: ownSeconds,
            residentBytes: engine.server?.residentBytes())
    }

    /// Waits until every lane has got one event, or one reply.
    private func collect(_ lanes: [Lane], _ poller: inout SystemPoller, events: Bool) throws {
        var missing = lanes.count
        while missing > 0 {
            try poller.wait(until: SystemClock.now().advanced(byMilliseconds: 30_000))
            guard poller.eventCount > 0 else { throw LoadError("fanout: \(missing) watchers wait for 30 s") }
            for index in 0..<poller.eventCount {
                let lane = lanes[Int(poller.event(at: index).key)]
                try lane.receive { payload in
                    let isEvent = ReplyFields(payload).xid == -1
                    if !isEvent { _ = try lane.answered() }
                    if isEvent == events { missing -= 1 }
                }
            }
        }
    }
}
