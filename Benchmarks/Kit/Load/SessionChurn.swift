import ConclaveCore
import ConclaveSystem
import ConclaveWire

/// Sessions opened and closed: connect, ConnectRequest, response, closeSession, reply, close; so many at the same time.
struct SessionChurn {
    static let name = "sessions"
    let engine: Engine
    let atOnce: Int

    /// One life after the other on one slot.
    private struct Life {
        var socket: Socket
        var begun: Int64
        var received = 0
        /// How many frames have come: the response, then the reply to closeSession.
        var frames = 0
        var pending: [UInt8] = []
        var interest: Interest
    }

    func run() throws -> Measurement {
        var writer = ByteWriter()
        Frames.connect(30_000, into: &writer)
        let connect = writer.bytes
        let close = Frames.make(.closeSession)
        var poller = try SystemPoller()
        defer { poller.close() }
        var now = SystemClock.now().nanoseconds
        let begin = now + engine.warmUpMilliseconds * 1_000_000
        let end = begin + engine.measuredMilliseconds * 1_000_000
        var lives = try (0..<atOnce).map { try start($0, &poller, now, connect) }
        defer { for life in lives { life.socket.close() } }
        var histogram = Histogram()
        var started: (time: Int64, server: Double?, own: Double)?
        while now < end {
            try poller.wait(until: Instant(nanoseconds: now + 1_000_000_000))
            now = SystemClock.now().nanoseconds
            if started == nil, now >= begin {
                histogram = Histogram()
                started = (now, engine.server?.processorSeconds(), Generator.processorSeconds())
            }
            for index in 0..<poller.eventCount {
                let event = poller.event(at: index)
                let slot = Int(event.key)
                if event.readiness.isWritable, lives[slot].interest.contains(.writable) {
                    try send(slot, &lives, &poller)
                    continue
                }
                guard try receive(slot, &lives, &poller, close) else { continue }
                histogram.record(now - lives[slot].begun)
                poller.remove(lives[slot].socket.descriptor, interest: lives[slot].interest)
                lives[slot].socket.close()
                lives[slot] = try start(slot, &poller, now, connect)
            }
        }
        guard let started else { throw LoadError("the warm-up did not end") }
        var used: Double?
        if let before = started.server, let after = engine.server?.processorSeconds() { used = after - before }
        return Measurement(
            histogram: histogram, seconds: Double(now - started.time) / 1e9, serverProcessorSeconds: used,
            generatorProcessorSeconds: Generator.processorSeconds() - started.own,
            residentBytes: engine.server?.residentBytes())
    }

    private func start(_ slot: Int, _ poller: inout SystemPoller, _ now: Int64, _ connect: [UInt8]) throws -> Life {
        let socket = try Socket.stream(engine.address.family)
        try socket.setNoDelay()
        let progress = try socket.connect(to: engine.address)
        var life = Life(socket: socket, begun: now, interest: .readable)
        life.pending = connect
        if case .inProgress = progress {
            life.interest = .writable
            try poller.add(socket.descriptor, key: UInt64(slot), interest: .writable)
        } else {
            try poller.add(socket.descriptor, key: UInt64(slot), interest: .readable)
            guard socket.send(life.pending, from: 0) == .bytes(connect.count) else {
                throw LoadError("sessions: a first request does not fit into a socket")
            }
            life.pending = []
        }
        return life
    }

    private func send(_ slot: Int, _ lives: inout [Life], _ poller: inout SystemPoller) throws {
        try lives[slot].socket.finishConnecting()
        guard lives[slot].socket.send(lives[slot].pending, from: 0) == .bytes(lives[slot].pending.count) else {
            throw LoadError("sessions: a first request does not fit into a socket")
        }
        lives[slot].pending = []
        try poller.update(
            lives[slot].socket.descriptor, key: UInt64(slot), from: lives[slot].interest, to: .readable)
        lives[slot].interest = .readable
    }

    /// Returns whether the life is over.
    private func receive(
        _ slot: Int, _ lives: inout [Life], _ poller: inout SystemPoller, _ close: [UInt8]
    ) throws -> Bool {
        let expected = lives[slot].frames == 0 ? Self.responseBytes : Self.replyBytes
        let result = withUnsafeTemporaryAllocation(byteCount: 256, alignment: 8) {
            lives[slot].socket.receive(into: $0)
        }
        switch result {
        case .bytes(0): throw LoadError("sessions: the server closed a connection")
        case .bytes(let count): lives[slot].received += count
        case .wouldBlock: return false
        case .failed(let problem): throw LoadError("sessions: recv: \(problem)")
        }
        guard lives[slot].received >= expected else { return false }
        lives[slot].received -= expected
        lives[slot].frames += 1
        guard lives[slot].frames == 1 else { return true }
        guard lives[slot].socket.send(close, from: 0) == .bytes(close.count) else {
            throw LoadError("sessions: a last request does not fit into a socket")
        }
        return false
    }

    /// Length, version, time-out, session, password with its length, readOnly.
    private static let responseBytes = 4 + 4 + 4 + 8 + 4 + 16 + 1
    /// Length and header.
    private static let replyBytes = 4 + 16
}
