import ConclaveCore
import ConclaveSystem
import ConclaveWire
import Foundation

/// One connection: bytes waiting to be sent, bytes received, and when each request in flight was sent.
///
/// Replies to requests come in order, so that a ring of send times is all it takes to know every latency.
final class Lane {
    let index: Int
    let socket: Socket
    private(set) var interest: Interest = .readable
    private var output: [UInt8] = []
    private var sentBytes = 0
    private var input: UnsafeMutableRawBufferPointer
    private var inputStart = 0
    private var inputEnd = 0
    private var times: [Int64]
    private var oldest = 0
    private(set) var inFlight = 0
    private var xid: Int32 = 0
    /// How long an answer may take while waiting for it.
    private let patienceMilliseconds: Int64
    private var isWaiting = false

    /// Connects and opens a session, waiting for it.
    init(
        index: Int, to address: SocketAddress, timeoutMilliseconds: Int32 = 30_000, patienceMilliseconds: Int64 = 60_000
    ) throws {
        self.index = index
        self.patienceMilliseconds = patienceMilliseconds
        socket = try Socket.stream(address.family)
        input = .allocate(byteCount: 1 << 16, alignment: 16)
        times = [Int64](repeating: 0, count: 64)
        try Self.connectWaiting(socket, to: address)
        var writer = ByteWriter()
        Frames.connect(timeoutMilliseconds, into: &writer)
        output = writer.bytes
        try sendWaiting()
        let response = try receiveWaiting()
        // The protocol version comes first, then the negotiated time-out: 0 means that there is no session.
        guard response.count >= 8, response[4..<8].contains(where: { $0 != 0 }) else {
            throw LoadError("the server opened no session")
        }
    }

    deinit {
        socket.close()
        input.deallocate()
    }

    // MARK: Sending

    /// Queues a request made before; only its xid is filled in.
    func queue(_ frame: [UInt8], at now: Int64) {
        let start = output.count
        output.append(contentsOf: frame)
        stamp(start, now)
    }

    /// Queues a request that keeps the xid which it was made with, as pings have one of their own.
    func queueAsIs(_ frame: [UInt8], at now: Int64) {
        output.append(contentsOf: frame)
        noteTime(now)
    }

    /// Queues a request which `write` appends as a frame.
    func queue(at now: Int64, _ write: (inout [UInt8]) -> Void) {
        let start = output.count
        write(&output)
        stamp(start, now)
    }

    private func stamp(_ start: Int, _ now: Int64) {
        xid = xid == .max ? 1 : xid + 1
        let number = xid.bigEndian
        output.withUnsafeMutableBytes { $0.storeBytes(of: number, toByteOffset: start + 4, as: Int32.self) }
        noteTime(now)
    }

    private func noteTime(_ now: Int64) {
        if inFlight == times.count { growTimes() }
        times[(oldest + inFlight) & (times.count - 1)] = now
        inFlight += 1
    }

    private func growTimes() {
        var grown = (0..<times.count).map { times[(oldest + $0) & (times.count - 1)] }
        grown.append(contentsOf: repeatElement(0, count: grown.count))
        times = grown
        oldest = 0
    }

    /// One send(2) of everything queued. Afterwards `interest` says whether the rest waits for room.
    func flush() throws {
        guard sentBytes < output.count else {
            interest = .readable
            return
        }
        switch socket.send(output, from: sentBytes) {
        case .bytes(let count):
            sentBytes += count
        case .wouldBlock: break
        case .failed(let problem): throw LoadError("send: \(problem)")
        }
        if sentBytes == output.count {
            output.removeAll(keepingCapacity: true)
            sentBytes = 0
            interest = .readable
        } else {
            interest = [.readable, .writable]
        }
    }

    // MARK: Receiving

    /// One recv(2), then every whole frame in it.
    /// - Parameter take: gets each payload, which is valid during the call.
    func receive(_ take: (UnsafeRawBufferPointer) throws -> Void) throws {
        guard try fill() else { return }
        while let frame = nextFrame() { try take(frame) }
    }

    /// From now on receiving waits until something comes.
    func waitInReceive() throws {
        try socket.descriptor.setNonBlocking(false)
        var limit = timeval(tv_sec: Int(patienceMilliseconds / 1_000), tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        guard setsockopt(socket.descriptor.rawValue, SOL_SOCKET, SO_RCVTIMEO, &limit, size) == 0 else {
            throw SystemError("setsockopt")
        }
        isWaiting = true
    }

    /// When the request was sent whose reply has come.
    func answered() throws -> Int64 {
        guard inFlight > 0 else { throw LoadError("a reply to nothing") }
        let time = times[oldest]
        oldest = (oldest + 1) & (times.count - 1)
        inFlight -= 1
        return time
    }

    private func fill() throws -> Bool {
        if inputStart == inputEnd {
            inputStart = 0
            inputEnd = 0
        } else if inputEnd == input.count {
            makeRoom()
        }
        switch socket.receive(into: UnsafeMutableRawBufferPointer(rebasing: input[inputEnd...])) {
        case .bytes(0): throw LoadError("the server closed the connection")
        case .bytes(let count):
            inputEnd += count
            return true
        case .wouldBlock:
            if isWaiting { throw LoadError("no answer within \(patienceMilliseconds) ms") }
            return false
        case .failed(let problem): throw LoadError("recv: \(problem)")
        }
    }

    private func makeRoom() {
        let waiting = inputEnd - inputStart
        if waiting * 2 > input.count {
            let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: input.count * 2, alignment: 16)
            larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: input[inputStart..<inputEnd]))
            input.deallocate()
            input = larger
        } else if inputStart > 0 {
            input.copyMemory(from: UnsafeRawBufferPointer(rebasing: input[inputStart..<inputEnd]))
        }
        inputStart = 0
        inputEnd = waiting
    }

    private func nextFrame() -> UnsafeRawBufferPointer? {
        let available = inputEnd - inputStart
        guard available >= 4 else { return nil }
        let length = Int(Int32(bigEndian: input.loadUnaligned(fromByteOffset: inputStart, as: Int32.self)))
        precondition(length >= 0 && length < 1 << 28, "a frame of \(length) bytes from the server")
        guard available >= 4 + length else {
            if inputStart > 0, 4 + length > input.count - inputStart { makeRoom() }
            return nil
        }
        let start = inputStart + 4
        inputStart = start + length
        return UnsafeRawBufferPointer(rebasing: input[start..<inputStart])
    }

    // MARK: Waiting, for setting up

    /// Sends a request and waits for its reply; events in between are dropped.
    @discardableResult
    func call(_ request: ClientRequest) throws -> (error: Int32, body: [UInt8]) {
        var writer = ByteWriter()
        writer.writeRequestFrame(xid: 0, request)
        queue(writer.bytes, at: 0)
        try sendWaiting()
        while true {
            let payload = try receiveWaiting()
            guard payload.count >= 16 else { throw LoadError("a reply of \(payload.count) bytes") }
            let header = payload.withUnsafeBytes { ReplyFields($0) }
            guard header.xid != -1 else { continue }
            _ = try answered()
            return (header.error, Array(payload[16...]))
        }
    }

    /// Sends requests together and waits for all replies.
    /// - Returns: their errors, in order.
    func call(_ frames: [[UInt8]]) throws -> [Int32] {
        for frame in frames { queue(frame, at: 0) }
        try sendWaiting()
        var errors: [Int32] = []
        while errors.count < frames.count {
            let header = try receiveWaiting().withUnsafeBytes { ReplyFields($0) }
            guard header.xid != -1 else { continue }
            _ = try answered()
            errors.append(header.error)
        }
        return errors
    }

    private static func connectWaiting(_ socket: Socket, to address: SocketAddress) throws {
        var poller = try SystemPoller()
        defer { poller.close() }
        if case .inProgress = try socket.connect(to: address) {
            try poller.add(socket.descriptor, key: 0, interest: .writable)
            try poller.wait(until: SystemClock.now().advanced(byMilliseconds: 10_000))
            guard poller.eventCount > 0 else { throw LoadError("no connection to \(address) within 10 s") }
            try socket.finishConnecting()
        }
        try socket.setNoDelay()
    }

    private func wait(_ interest: Interest) throws {
        var poller = try SystemPoller()
        defer { poller.close() }
        try poller.add(socket.descriptor, key: 0, interest: interest)
        try poller.wait(until: SystemClock.now().advanced(byMilliseconds: patienceMilliseconds))
        guard poller.eventCount > 0 else { throw LoadError("no answer within \(patienceMilliseconds) ms") }
    }

    private func sendWaiting() throws {
        try flush()
        while interest.contains(.writable) {
            try wait(.writable)
            try flush()
        }
    }

    private func receiveWaiting() throws -> [UInt8] {
        while true {
            if let frame = nextFrame() { return Array(frame) }
            try wait(.readable)
            _ = try fill()
        }
    }
}

/// The three fields in front of every reply.
struct ReplyFields {
    let xid: Int32
    let zxid: Int64
    let error: Int32

    @inline(__always)
    init(_ payload: UnsafeRawBufferPointer) {
        xid = Int32(bigEndian: payload.loadUnaligned(fromByteOffset: 0, as: Int32.self))
        zxid = Int64(bigEndian: payload.loadUnaligned(fromByteOffset: 4, as: Int64.self))
        error = Int32(bigEndian: payload.loadUnaligned(fromByteOffset: 12, as: Int32.self))
    }
}
