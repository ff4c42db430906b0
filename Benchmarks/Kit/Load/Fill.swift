import ConclaveCore
import ConclaveSystem
import ConclaveWire

/// Fills a server with nodes of 100 bytes, 1,000 below each parent.
package struct Fill {
    let engine: Engine
    let nodes: Int
    let folder: String

    package init(engine: Engine, nodes: Int, folder: String = "/fill") {
        self.engine = engine
        self.nodes = nodes
        self.folder = folder
    }

    private static let perParent = 1000
    private static let inFlight = 512

    package func run() throws -> Measurement {
        let lane = try Lane(index: 0, to: engine.address)
        try LoadTree.ensure(folder, lane)
        var poller = try SystemPoller()
        defer { poller.close() }
        try poller.add(lane.socket.descriptor, key: 0, interest: .readable)
        let data = Frames.value()
        let begin = SystemClock.now().nanoseconds
        let before = engine.server?.processorSeconds()
        var histogram = Histogram()
        var sent = 0
        var maker = NodeMaker(prefix: "", data: [])
        var parent = 0
        while histogram.count < nodes {
            let now = SystemClock.now().nanoseconds
            while lane.inFlight < Self.inFlight, sent < nodes {
                if sent % Self.perParent == 0 {
                    // The parent counts as a node as well.
                    let path = "\(folder)/p\(parent)"
                    parent += 1
                    lane.queue(Frames.make(Frames.create(path, data)), at: now)
                    maker = NodeMaker(prefix: path + "/", data: data)
                } else {
                    lane.queue(at: now) { maker.append(to: &$0) }
                }
                sent += 1
            }
            let interest = lane.interest
            try lane.flush()
            if lane.interest != interest {
                try poller.update(lane.socket.descriptor, key: 0, from: interest, to: lane.interest)
            }
            try poller.wait(until: SystemClock.now().advanced(byMilliseconds: 30_000))
            guard poller.eventCount > 0 else { throw LoadError("fill: no answer for 30 s") }
            let received = SystemClock.now().nanoseconds
            try lane.receive { payload in
                let error = ReplyFields(payload).error
                guard error == 0 else { throw LoadError("fill: error \(error)") }
                histogram.record(received - (try lane.answered()))
            }
        }
        var used: Double?
        if let before, let after = engine.server?.processorSeconds() { used = after - before }
        return Measurement(
            histogram: histogram, seconds: Double(SystemClock.now().nanoseconds - begin) / 1e9,
            serverProcessorSeconds: used, generatorProcessorSeconds: Generator.processorSeconds(),
            residentBytes: engine.server?.residentBytes())
    }
}
