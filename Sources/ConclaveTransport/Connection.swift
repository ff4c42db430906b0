import ConclaveCore
import ConclaveSystem

/// Why a connection is closed.
package enum CloseReason: Equatable, Sendable {
    /// This side asked for it.
    case local
    /// Both directions ended in an orderly way, the peer's first.
    case peerFinished
    /// The system says so: reset, broken pipe, timed out.
    case failed(Errno)
    /// The peer did not read: more than the limit was waiting to be sent.
    case outputLimit(pendingBytes: Int)
    /// What was left to send before closing did not go out in time.
    case flushTimeout
    /// The loop ended.
    case loopEnded
}

/// Hears of a connection, on its loop. Never called from within a call to the connection.
package protocol ConnectionDelegate: AnyObject {
    /// Bytes came. They are gone when this returns.
    func connection(_ connection: Connection, received bytes: Span<UInt8>)
    /// The peer will send nothing more, but may still read. Without an implementation the connection sends what is left
    /// and closes.
    func connectionReachedEnd(_ connection: Connection)
    /// Output had to wait for the peer, and now all of it is sent. Not told once the connection is finishing.
    func connectionDrained(_ connection: Connection)
    /// The connection is closed; the last call, and exactly one.
    func connection(_ connection: Connection, closed reason: CloseReason)
}

extension ConnectionDelegate {
    package func connectionReachedEnd(_ connection: Connection) { connection.finish() }
    package func connectionDrained(_ connection: Connection) {}
}

/// One non-blocking stream on a loop: reads are handed to a delegate, writes are collected and sent with one call per
/// turn.
///
/// Everything here happens on the loop. Reading: one recv(2) per turn into the loop's buffer. Writing: appends to one
/// buffer, which is sent at the end of the turn; what the system does not take waits until the socket is writable. If
/// more than ``Options/outputLimitBytes`` wait and the system takes nothing, the connection is reset.
///
/// The loop keeps the connection, and the connection its delegate, until it is closed.
package final class Connection {
    package struct Options: Sendable {
        /// How many bytes may wait to be sent.
        package var outputLimitBytes = 4 << 20
        /// TCP_NODELAY: replies leave at once. Only for connections with a peer address.
        package var noDelay = true

        package init() {}
    }

    /// Counts since the connection was made.
    package struct Statistics: Sendable {
        package var bytesReceived: Int64 = 0
        package var bytesSent: Int64 = 0
        package var receiveCalls: Int64 = 0
        package var sendCalls: Int64 = 0
        /// When bytes came last; when the connection was made if none did.
        package var lastReceived: Instant
    }

    private enum Phase {
        case open
        /// Sends what is left, then finishes.
        case flushing
        /// All is sent and the end told to the peer; reads on and drops it until the peer ends, because closing with
        /// unread bytes would reset the connection and could destroy what the peer has not read yet.
        case lingering
        case closed(CloseReason, isTold: Bool)
    }

    package let loop: EventLoop
    package let peerAddress: SocketAddress?
    /// Free for the owner, for instance to find its own state.
    package var tag: UInt64 = 0
    package private(set) var statistics: Statistics

    private let socket: Socket
    private let options: Options
    private var delegate: (any ConnectionDelegate)?
    private var watch: WatchToken?
    private var phase = Phase.open
    private var isPaused = false
    /// The peer has finished sending.
    private var isAtEnd = false
    /// The system took less than all; waiting until the socket is writable.
    private var isBlocked = false
    private var isEnrolled = false
    private var output = ByteWriter()
    /// How much of `output` is sent.
    private var sentBytes = 0
    private var deadline: TimerToken?
    /// When output goes out that is in no hurry.
    private var later: TimerToken?

    /// Takes over a connected socket, which it closes in the end; also if this throws.
    package init(
        loop: EventLoop, socket: Socket, peerAddress: SocketAddress?, delegate: any ConnectionDelegate,
        options: Options = Options()
    ) throws(SystemError) {
        self.loop = loop
        self.socket = socket
        self.peerAddress = peerAddress
        self.delegate = delegate
        self.options = options
        statistics = Statistics(lastReceived: loop.now)
        do throws(SystemError) {
            if options.noDelay, peerAddress != nil { try socket.setNoDelay() }
            watch = try loop.watch(socket.descriptor, for: .readable, handler: self)
        } catch {
            socket.close()
            throw error
        }
    }

    package var isClosed: Bool {
        if case .closed = phase { return true }
        return false
    }

    /// Bytes that wait to be sent.
    package var pendingBytes: Int { output.count - sentBytes }

    package var localAddress: SocketAddress? { isClosed ? nil : socket.localAddress }

    // MARK: Writing

    /// Appends to the output in place; `body` must not use the connection. After the connection is closed or finishing,
    /// what is written goes nowhere.
    package func withOutput(_ body: (inout ByteWriter) -> Void) {
        if output.bytes.capacity == 0 { output.bytes = loop.takeSpareBuffer() }
        let start = output.count
        body(&output)
        outputGrew(from: start)
    }

    /// Appends to the output.
    package func send(_ bytes: Span<UInt8>) {
        withOutput { writer in
            bytes.withUnsafeBufferPointer { writer.writeRaw($0) }
        }
    }

    /// Appends to the output.
    package func send(_ bytes: [UInt8]) { withOutput { $0.writeRaw(bytes) } }

    /// Appends to the output, and copies nothing if nothing waits there.
    package func send(handingOver bytes: consuming [UInt8]) {
        guard output.count == 0, case .open = phase else { return send(bytes) }
        releaseEmptyOutput()
        output.bytes = bytes
        outputGrew(from: 0)
    }

    /// Appends to the output what may go out a little later: at the latest at `deadline`, or with what is sent before.
    package func sendLater(_ bytes: [UInt8], by deadline: Instant) {
        // Much is worth a call of its own.
        guard case .open = phase, pendingBytes + bytes.count <= Self.laterLimit else { return send(bytes) }
        if output.bytes.capacity == 0 { output.bytes = loop.takeSpareBuffer() }
        output.writeRaw(bytes)
        guard !isBlocked, !isEnrolled, later == nil else { return }
        later = loop.schedule(at: deadline) { [weak self] in
            self?.later = nil
            self?.flush()
        }
    }

    /// How many bytes wait for a deadline at most.
    private static let laterLimit = 64 << 10

    /// Sends what waits now instead of at the end of the turn.
    package func flush() {
        guard !isBlocked, pendingBytes > 0, !isClosed else { return }
        transfer()
    }

    private func outputGrew(from start: Int) {
        guard case .open = phase else {
            // What waits from before the end was asked for stays; this came later.
            output.truncate(to: start)
            return releaseEmptyOutput()
        }
        guard output.count > start else { return releaseEmptyOutput() }
        if pendingBytes > options.outputLimitBytes {
            flush()
            guard case .open = phase else { return }
            if pendingBytes > options.outputLimitBytes {
                return close(.outputLimit(pendingBytes: pendingBytes), byReset: true)
            }
        }
        if sentBytes > 1 << 16, sentBytes > output.count / 2 {
            output.bytes.removeSubrange(..<sentBytes)
            sentBytes = 0
        }
        if !isBlocked, pendingBytes > 0 { enroll() }
    }

    private func enroll() {
        guard !isEnrolled else { return }
        isEnrolled = true
        loop.atTurnEnd(self)
    }

    /// One send(2).
    private func transfer() {
        statistics.sendCalls += 1
        switch socket.send(output.bytes, from: sentBytes) {
        case .bytes(let count):
            statistics.bytesSent += Int64(count)
            sentBytes += count
            if sentBytes < output.count {
                setBlocked(true)
            } else {
                outputSent()
            }
        case .wouldBlock: setBlocked(true)
        case .failed(let errno): close(.failed(errno))
        }
    }

    /// Idle connections hold no output buffer.
    private func releaseEmptyOutput() {
        guard output.count == 0 else { return }
        var empty: [UInt8] = []
        swap(&output.bytes, &empty)
        loop.giveSpareBuffer(empty)
    }

    private func outputSent() {
        sentBytes = 0
        output.truncate(to: 0)
        releaseEmptyOutput()
        setBlocked(false)
        if case .flushing = phase { endSending() }
    }

    private func setBlocked(_ isBlocked: Bool) {
        guard self.isBlocked != isBlocked else { return }
        self.isBlocked = isBlocked
        updateInterest()
    }

    // MARK: Reading

    /// Stops reading; the peer is held back by the system's buffers. A peer that resets the connection is still
    /// noticed.
    package func pauseReading() {
        guard !isPaused else { return }
        isPaused = true
        updateInterest()
    }

    package func resumeReading() {
        guard isPaused else { return }
        isPaused = false
        updateInterest()
    }

    package var isReadingPaused: Bool { isPaused }

    private var wantsToRead: Bool {
        switch phase {
        case .open: !isPaused && !isAtEnd
        case .flushing: false
        case .lingering: true
        case .closed: false
        }
    }

    private func updateInterest() {
        guard let watch else { return }
        var interest: Interest = []
        if wantsToRead { interest.insert(.readable) }
        if isBlocked { interest.insert(.writable) }
        loop.update(watch, to: interest)
    }

    private func readOnce() {
        statistics.receiveCalls += 1
        let result = loop.receive(from: socket) { bytes in
            statistics.bytesReceived += Int64(bytes.count)
            statistics.lastReceived = loop.now
            if case .open = phase { delegate?.connection(self, received: bytes) }
        }
        switch result {
        case .bytes(0): reachedEnd()
        case .bytes, .wouldBlock: break
        case .failed(let errno): close(.failed(errno))
        }
    }

    private func reachedEnd() {
        isAtEnd = true
        switch phase {
        case .open:
            updateInterest()
            delegate?.connectionReachedEnd(self)
        case .flushing, .closed: break
        case .lingering: close(.local)
        }
    }

    // MARK: Closing

    /// Sends what waits, tells the peer that this was all, and closes when the peer has ended too. Nothing more is
    /// received.
    ///
    /// - Parameter timeoutMilliseconds: how long all that may take. If not everything is sent by then the connection is
    ///   reset, otherwise it is closed.
    package func finish(timeoutMilliseconds: Int64 = 2_000) {
        guard case .open = phase else { return }
        phase = .flushing
        let reason = isAtEnd ? CloseReason.peerFinished : .local
        let end = loop.now.advanced(byMilliseconds: timeoutMilliseconds)
        deadline = loop.schedule(at: end) { [weak self] in self?.timedOut(reason) }
        if pendingBytes == 0 {
            endSending()
        } else {
            updateInterest()
            if !isBlocked { enroll() }
        }
    }

    /// Closes now; what waits is dropped, and the peer gets an orderly end if it has nothing unread here.
    package func close() { close(.local) }

    /// Closes now, and the peer gets a reset.
    package func reset() { close(.local, byReset: true) }

    /// Everything is sent: the second half of ``finish(timeoutMilliseconds:)``.
    private func endSending() {
        if isAtEnd { return close(.peerFinished) }
        phase = .lingering
        socket.finishSending()
        updateInterest()
    }

    private func timedOut(_ reason: CloseReason) {
        deadline = nil
        if case .lingering = phase { close(reason) } else { close(.flushTimeout, byReset: true) }
    }

    private func close(_ reason: CloseReason, byReset: Bool = false) {
        guard !isClosed else { return }
        phase = .closed(reason, isTold: false)
        if let watch { loop.remove(watch) }
        watch = nil
        if byReset { socket.reset() } else { socket.close() }
        for token in [deadline, later] { if let token { loop.cancel(token) } }
        deadline = nil
        later = nil
        sentBytes = 0
        output.truncate(to: 0)
        releaseEmptyOutput()
        enroll()
    }
}

extension Connection: ReadinessHandler {
    package func ready(_ readiness: Readiness) {
        if isBlocked, readiness.isWritable {
            transfer()
            if case .open = phase, !isBlocked { delegate?.connectionDrained(self) }
        }
        if wantsToRead, readiness.isReadable || readiness.isBroken {
            // A broken connection says how when it is read.
            readOnce()
        } else if readiness.isBroken, !isClosed {
            let errno = socket.pendingError
            close(errno.rawValue == 0 ? .peerFinished : .failed(errno))
        }
    }

    package func abandoned() {
        watch = nil
        close(.loopEnded)
    }
}

extension Connection: TurnEndHandler {
    func turnEnded() {
        isEnrolled = false
        if case .closed(let reason, isTold: false) = phase {
            phase = .closed(reason, isTold: true)
            let delegate = delegate
            self.delegate = nil
            delegate?.connection(self, closed: reason)
        } else {
            flush()
        }
    }
}
