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
        /// What has come of the present frame.
        var received: [UInt8] = []
        /// How many frames have come: the response, then the reply to closeSession.
        var frames = 0
        var failure: String?
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
        var failures = Failures()
        var started: (time: Int64, server: Double?, own: Double)?
        while now < end {
            try poller.wait(until: Instant(nanoseconds: now + 1_000_000_000))
            now = SystemClock.now().nanoseconds
            if started == nil, now >= begin {
                histogram = Histogram()
                failures = Failures()
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
                if let failure = lives[slot].failure {
                    failures.record(failure)
                } else {
                    histogram.record(now - lives[slot].begun)
                }
                poller.remove(lives[slot].socket.descriptor, interest: lives[slot].interest)
                lives[slot].socket.close()
                lives[slot] = try start(slot, &poller, now, connect)
            }
        }
        guard let started else { throw LoadError("the warm-up did not end") }
        var used: Double?
        if let before = started.server, let after = engine.server?.processorSeconds() { used = after - before }
        return Measurement(
            histogram: histogram, seconds: Double(now - started.time) / 1e9, failures: failures,
            serverProcessorSeconds: used,
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
        let result = withUnsafeTemporaryAllocation(byteCount: 256, alignment: 8) { buffer in
            let result = lives[slot].socket.receive(into: buffer)
            if case .bytes(let count) = result { lives[slot].received.append(contentsOf: buffer[..<count]) }
            return result
        }
        switch result {
        case .bytes(0):
            lives[slot].failure = "the server closed the connection"
            return true
        case .bytes: break
        case .wouldBlock: return false
        case .failed(let problem):
            lives[slot].failure = "recv: \(problem)"
            return true
        }
        guard lives[slot].received.count >= expected else { return false }
        let frame = lives[slot].received.prefix(expected)
        lives[slot].received.removeFirst(expected)
        lives[slot].frames += 1
        guard lives[slot].frames == 1 else {
            // Behind length, xid and zxid stands the error.
            if frame[16..<20].contains(where: { $0 != 0 }) { lives[slot].failure = "closeSession was refused" }
            return true
        }
        // Behind length and version stands the negotiated time-out: 0 means that there is no session.
        guard frame[8..<12].contains(where: { $0 != 0 }) else {
            lives[slot].failure = "no session was opened"
            return true
        }
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
