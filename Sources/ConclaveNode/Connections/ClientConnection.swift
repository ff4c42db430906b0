import ConclaveCore
import ConclaveWire

/// Names one accepted connection for as long as the server runs; never used again.
package struct ConnectionID: Hashable, Comparable, Sendable {
    package let rawValue: UInt64

    /// The slot in the upper half would make reuse visible: the serial number below is never repeated.
    package init(rawValue: UInt64) { self.rawValue = rawValue }

    package static func < (left: ConnectionID, right: ConnectionID) -> Bool { left.rawValue < right.rawValue }
}

/// What the server knows about one client connection.
struct ClientConnection: Sendable {
    /// Where a connection stands.
    enum Phase: Sendable, Equatable {
        /// Nothing decided yet: a connect request or a four-letter word must come.
        case fresh(deadline: Instant)
        /// The session is being created; nothing is read until it exists.
        case creating(SessionID)
        case established(SessionID)
        /// The last bytes are being sent; whatever arrives is dropped.
        case closing
    }

    /// What waits its turn behind a write of the same connection.
    enum Waiting: Sendable {
        /// A write or sync in flight, to be answered when it is applied.
        case inFlight
        /// A read that arrived behind it: the payload of its frame.
        case read(frame: [UInt8], received: Instant)
    }

    let id: ConnectionID
    let peer: String
    /// The address alone, for the `ip` scheme and for limits per address.
    let peerAddress: String
    let established: Instant
    let establishedWall: WallTime
    var phase: Phase
    var decoder: FrameDecoder
    var output = ByteWriter()
    var identities: [Identity]
    var waiting = RingBuffer<Waiting>()
    /// Writes and reads not answered yet.
    var outstanding = 0
    var isReadingPaused = false
    var isQueuedForResume = false
    var isDirty = false
    /// Whether the client speaks the old form of the handshake, without the read-only byte.
    var handshakeHasReadOnly = true
    var sessionTimeoutMilliseconds: Int32 = 0
    /// The tick in which the session was last touched, so that it is touched once a tick.
    var touchedTick: Int64 = .min
    var statistics = ConnectionStatistics()

    init(id: ConnectionID, peer: String, peerAddress: String, now: Instant, wall: WallTime, options: ServerOptions) {
        self.id = id
        self.peer = peer
        self.peerAddress = peerAddress
        established = now
        establishedWall = wall
        phase = .fresh(deadline: now.advanced(byMilliseconds: options.sessionlessTimeoutMilliseconds))
        decoder = FrameDecoder(maximumBytes: options.maximumFrameBytes)
        identities = [Identity(scheme: "ip", id: peerAddress)]
    }

    var session: SessionID? {
        switch phase {
        case .established(let session), .creating(let session): session
        case .fresh, .closing: nil
        }
    }
}

/// What `cons`, `stat` and `mntr` tell about one connection.
package struct ConnectionStatistics: Sendable {
    package var received: Int64 = 0
    package var sent: Int64 = 0
    package var lastOperation = "NA"
    package var lastXid: Int64 = -1
    package var lastZxid = Zxid(rawValue: -1)
    package var lastResponse = Instant.start
    package var lastLatencyMilliseconds: Int64 = 0
    package var latency = LatencyStatistics()

    mutating func reset() {
        received = 0
        sent = 0
        latency = LatencyStatistics()
    }
}

/// Least, mean and greatest of a series of milliseconds.
package struct LatencyStatistics: Sendable {
    package private(set) var minimum: Int64 = 0
    package private(set) var maximum: Int64 = 0
    private var total: Int64 = 0
    private var count: Int64 = 0

    package var average: Double { count == 0 ? 0 : Double(total) / Double(count) }

    mutating func record(_ milliseconds: Int64) {
        minimum = count == 0 ? milliseconds : min(minimum, milliseconds)
        maximum = max(maximum, milliseconds)
        total &+= milliseconds
        count += 1
    }
}
