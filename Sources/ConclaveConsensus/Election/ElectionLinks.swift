import ConclaveCore
import ConclaveWire

/// The connections between the election ports: one for each pair of servers, dialled by the one with the greater id.
///
/// ```
///  dial ──▶ dialled, greater id than the peer: send the handshake, keep
///       └─▶ dialled, smaller id: send the handshake, close ("knock"); the peer dials back
///  accepted ──▶ half-open ──handshake──▶ from a greater id: keep
///                                    └─▶ from a smaller id: close and dial back
/// ```
///
/// Keeps trying to reach every voter, elected or not, so that the next election finds its connections ready. Bytes that
/// make no sense close the connection they came on and nothing else.
package struct ElectionLinks: Sendable {
    /// What is known of another server.
    struct Peer: Sendable {
        let id: ServerID
        /// The connection to it, and since when.
        var link: LinkID?
        var linkedAt = Instant.start
        var isDialling = false
        /// When to dial next; only for servers that are dialled.
        var dialAt = Instant.distantFuture
        var retryMilliseconds: Int64 = ElectionLinks.firstRetryMilliseconds
        /// What was said last, that it asked to be dialled at.
        var announced: [ElectionAddress] = []
        /// The newest message that has not gone out, for lack of a connection.
        var waiting: [UInt8]?
        /// The message that went out last.
        var last: [UInt8]?
        /// What was last reported; `nil` before anything was.
        var isReachable: Bool?
    }

    /// A connection that was accepted and has not said who it is.
    struct HalfOpen: Sendable {
        let link: LinkID
        let since: Instant
        var bytes: [UInt8] = []
    }

    /// A connection to a server.
    struct Open: Sendable {
        let link: LinkID
        let server: ServerID
        var decoder: FrameDecoder
    }

    /// Connections that have not said who they are; beyond that the oldest is closed.
    package static let maximumHalfOpen = 64
    /// Servers that are connected without being listed.
    package static let maximumStrangers = 64
    /// How long a side waits after a try that failed before it dials again, at first; twice as long each time.
    package static let firstRetryMilliseconds: Int64 = 10
    /// The most that it waits.
    package static let maximumRetryMilliseconds: Int64 = 1_000
    /// How long the side with the smaller id waits for the other to dial before it knocks again.
    package static let knockDelayMilliseconds: Int64 = 50
    /// How old a connection is at the least that a knock replaces: knocks and dials cross each other (ZOOKEEPER-2930).
    package static let replaceableAfterMilliseconds: Int64 = 200

    let options: EnsembleOptions
    let myAddresses: [ElectionAddress]
    private(set) var configuration: EnsembleConfiguration
    private(set) var pending: EnsembleConfiguration?
    /// Sorted by id.
    var peers: [Peer] = []
    /// In the order of their arrival.
    var halfOpen: [HalfOpen] = []
    /// Sorted by link.
    var open: [Open] = []
    var actions: [ElectionLinkAction] = []

    /// - Parameter announcing: where this server listens for votes, as the others should dial it; without it the first
    ///   address that the configuration has for it.
    package init(
        options: EnsembleOptions, configuration: EnsembleConfiguration, pending: EnsembleConfiguration? = nil,
        announcing: [ElectionAddress] = [], now: Instant
    ) {
        self.options = options
        self.configuration = configuration
        self.pending = pending
        let listed = configuration.member(options.myID)?.addresses.first
            .map { ElectionAddress(host: $0.host, port: $0.electionPort) }
        // A wildcard tells the others to use what their configuration says.
        myAddresses = announcing.isEmpty ? [listed ?? ElectionAddress(host: "0.0.0.0", port: 0)] : announcing
        listPeers(now: now)
    }

    /// What to do, in this order; empty afterwards.
    package mutating func takeActions() -> [ElectionLinkAction] {
        defer { actions.removeAll(keepingCapacity: true) }
        return actions
    }

    /// When ``tick(now:)`` is wanted.
    package var nextDeadline: Instant {
        var deadline = halfOpen.first?.since.advanced(byMilliseconds: handshakeMilliseconds) ?? .distantFuture
        for peer in peers where peer.link == nil && !peer.isDialling { deadline = min(deadline, peer.dialAt) }
        return deadline
    }

    // MARK: Events

    /// Somebody connected to the election port.
    package mutating func accepted(_ link: LinkID, now: Instant) {
        halfOpen.append(HalfOpen(link: link, since: now))
        guard halfOpen.count > Self.maximumHalfOpen else { return }
        actions.append(.close(halfOpen.removeFirst().link))
    }

    /// A ``ElectionLinkAction/dial(_:_:)`` succeeded.
    package mutating func dialled(_ link: LinkID, to server: ServerID, now: Instant) {
        guard let index = index(of: server) else { return actions.append(.close(link)) }
        peers[index].isDialling = false
        if server > options.myID {
            // It may have dialled meanwhile; then a knock would only make it throw that connection away.
            if peers[index].link == nil { sendHandshake(on: link) }
            actions.append(.close(link))
            retryLater(index, atLeast: Self.knockDelayMilliseconds, now: now)
        } else {
            sendHandshake(on: link)
            keep(link, for: index, now: now)
        }
    }

    /// A ``ElectionLinkAction/dial(_:_:)`` failed, at all addresses.
    package mutating func dialFailed(_ server: ServerID, now: Instant) {
        guard let index = index(of: server) else { return }
        peers[index].isDialling = false
        retryLater(index, atLeast: 0, now: now)
        if peers[index].link == nil { report(index, isReachable: false) }
    }

    /// Bytes arrived; those of connections that were closed already are ignored.
    package mutating func received(_ bytes: Span<UInt8>, on link: LinkID, now: Instant) {
        if let index = halfOpen.firstIndex(where: { $0.link == link }) {
            receivedHandshake(bytes, at: index, now: now)
        } else if let index = openIndex(of: link) {
            open[index].decoder.append(bytes)
            takeMessages(of: link, now: now)
        }
    }

    /// A connection is gone, or the other side closed it.
    package mutating func closed(_ link: LinkID, now: Instant) {
        halfOpen.removeAll { $0.link == link }
        guard let place = openIndex(of: link) else { return }
        let server = open.remove(at: place).server
        guard let index = index(of: server), peers[index].link == link else { return }
        lost(index, now: now)
    }

    package mutating func tick(now: Instant) {
        while let oldest = halfOpen.first, oldest.since.advanced(byMilliseconds: handshakeMilliseconds) <= now {
            actions.append(.close(oldest.link))
            halfOpen.removeFirst()
        }
        for index in peers.indices where peers[index].dialAt <= now { dial(index) }
    }

    /// Tries at once to reach every voter that is not connected.
    package mutating func connectAll(now: Instant) {
        for index in peers.indices where isDialled(peers[index].id) { dial(index) }
    }

    /// Sends a message, or keeps it until there is a connection; a newer one takes its place.
    package mutating func send(_ notification: ElectionNotification, to server: ServerID, now: Instant) {
        var writer = ByteWriter(capacity: 48 + notification.configuration.count)
        notification.encodeFrame(into: &writer)
        guard writer.count <= 4 + ElectionNotification.maximumBytes,
            let index = index(of: server)
        else { return }
        if let link = peers[index].link {
            peers[index].last = writer.bytes
            actions.append(.send(link, writer.bytes))
        } else {
            peers[index].waiting = writer.bytes
            // Voters are dialled anyway, and greater ids dial themselves.
            if !isDialled(server), server < options.myID { dial(index) }
        }
    }

    /// Forgets messages: the election they belong to is over, and those that ask will be answered anew.
    package mutating func forgetMessages() {
        for index in peers.indices { (peers[index].waiting, peers[index].last) = (nil, nil) }
    }

    /// Uses another configuration: dials servers that are new in it; connections to those that left stay until they
    /// end.
    package mutating func reconfigured(
        _ configuration: EnsembleConfiguration, pending: EnsembleConfiguration?, now: Instant
    ) {
        self.configuration = configuration
        self.pending = pending
        listPeers(now: now)
    }

    /// How long a connection may take to say who it is.
    private var handshakeMilliseconds: Int64 { options.handshakeTimeoutMilliseconds ?? options.syncMilliseconds }
}
