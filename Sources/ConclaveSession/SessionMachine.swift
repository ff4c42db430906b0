import ConclaveCore
import ConclaveWire

/// The client's side of one session: where to connect, what to say, whom an answer belongs to and when to stop
/// believing.
///
/// ```
/// idle ─ start ─► resolving ─► connecting ─► handshaking ─► established ─ close ─► closing ─► over
///                   ▲   │           │             │              │                              ▲
///                   │   └───────────┴── failed ───┴──── lost ────┘        expired, refused ─────┘
///                   └─ waiting (back-off) ◄─┘
/// ```
///
/// A value without clock, socket or task. The shell reports what happened together with the moment, performs the
/// actions in order and sends the output. Requests are numbered when they are submitted; answers to ordinary requests
/// come in the order of sending, so that one queue serves for matching.
///
/// What a lost connection does: requests that were sent fail with `connectionLoss`, their outcome unknown. Requests
/// that were not sent wait for the next connection. Watches stay and are armed again before anything else is asked.
///
/// Source: wire-protocol sections 2, 3, 9.3, 12 and 15.
package struct SessionMachine: Sendable {
    enum Phase: Equatable, Sendable {
        case idle
        case waiting(until: Instant)
        case resolving(deadline: Instant)
        case connecting(deadline: Instant)
        case handshaking(sentAt: Instant, deadline: Instant)
        case established(since: Instant)
        case closing(deadline: Instant)
        case over(SessionEnd)
    }

    let options: SessionOptions
    package let chroot: Chroot

    var phase = Phase.idle
    /// What users are told.
    package internal(set) var status = SessionStatus.connecting
    var actions: [SessionAction] = []

    // Where to connect.
    var hosts: HostList
    var random: SeededRandom
    var backOff = BackOff()
    /// Numbers attempts to resolve, so that late answers are known as such.
    var attempt: UInt32 = 0
    /// Numbers connections.
    var link: UInt32 = 0
    /// Addresses of the present host that have not been tried, as positions in the shell's list.
    var addresses: [Int] = []

    // The session.
    package internal(set) var identity: SessionIdentity
    /// What the server decided; what is asked for before that.
    package internal(set) var timeoutMilliseconds: Int32
    package internal(set) var lastZxidSeen = Zxid.zero
    /// Whether a server ever accepted this session.
    var wasEstablished = false
    /// Whether that server had a quorum; without one the session exists nowhere else.
    var hasSeenQuorum: Bool
    var hold: HoldWindow
    /// The end of the hold window that has been reported.
    var lapseReported = Instant.start

    // The connection.
    var decoder: FrameDecoder
    var output = ByteWriter()
    var pings: [Instant] = []
    var setWatchesInFlight = 0
    var lastProofSentAt = Instant.start
    var lastReceivedAt = Instant.start
    var startedAt = Instant.start
    /// When an established connection last brought something.
    var lastHeardAt = Instant.start
    var lostAt = Instant.start
    var lossReason = ""
    var isReadOnly = false
    var probe = ReadOnlyProbe()

    // Requests.
    var sent = SequenceRing<SentRequest>()
    var queue = SequenceRing<QueuedRequest>()
    var queuedBytes = 0
    var nextRequest: UInt64 = 1
    var xids = XidCounter()
    var authentication: Authentication

    // Watches.
    var watches = WatchRegistry()
    var nextWatcher: UInt64 = 1

    package init(_ options: SessionOptions, servers: ConnectString, seed: UInt64) {
        self.options = options
        chroot = servers.chroot
        random = SeededRandom(seed: seed)
        hosts = HostList(servers.hosts, using: &random)
        identity = options.resumed ?? .none
        hasSeenQuorum = options.resumed != nil
        timeoutMilliseconds = options.timeoutMilliseconds
        hold = HoldWindow(marginMilliseconds: options.holdMarginMilliseconds)
        decoder = FrameDecoder(maximumBytes: options.maximumFrameBytes)
        authentication = Authentication(options.credentials)
    }

    // MARK: What the shell reads

    /// Moves the actions that have collected to the end of `actions`.
    @inline(__always)
    package mutating func takeActions(into actions: inout [SessionAction]) {
        if actions.isEmpty {
            swap(&actions, &self.actions)
        } else {
            actions += self.actions
            self.actions.removeAll(keepingCapacity: true)
        }
    }

    /// Whether there is something to send on the present connection.
    package var hasOutput: Bool { output.count > 0 }

    /// Requests whose answers are awaited on the present connection.
    package var sentCount: Int { sent.count }

    /// The present connection.
    package var currentLink: UInt32 { link }

    /// Exchanges what is to be sent for an empty buffer, which is then filled.
    package mutating func takeOutput(into buffer: inout [UInt8]) {
        buffer.removeAll(keepingCapacity: true)
        swap(&buffer, &output.bytes)
    }

    /// Whether the session is over, and why.
    package var end: SessionEnd? {
        if case .over(let end) = phase { end } else { nil }
    }

    /// See ``HoldWindow/validUntil``.
    package var validUntil: Instant { hold.validUntil }

    /// How many watchers there are.
    package var watcherCount: Int { watches.count }
}
