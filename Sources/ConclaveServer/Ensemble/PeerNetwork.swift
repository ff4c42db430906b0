import ConclaveConsensus
import ConclaveCore
import ConclaveSystem
import ConclaveTransport

/// Which of the two ports between servers a connection belongs to.
enum PeerPort: Equatable, Sendable {
    /// Votes.
    case election
    /// A leader and its learners.
    case quorum
}

/// What happens on connections to other servers. On the loop.
protocol PeerNetworkDelegate: AnyObject {
    func peerAccepted(_ link: LinkID, on port: PeerPort)
    func peerReceived(_ bytes: Span<UInt8>, on link: LinkID, _ port: PeerPort)
    func peerDrained(_ link: LinkID, _ port: PeerPort)
    func peerClosed(_ link: LinkID, _ port: PeerPort)
    func peerNote(_ level: LogEvent.Level, _ message: String)
}

/// The connections between the servers of an ensemble: listening, dialling, sending.
///
/// Lives on its loop. What the bytes mean is the node machine's affair.
final class PeerNetwork {
    /// What may wait to be sent on one connection: a learner that is this far behind with reading is dropped.
    private static let outputLimitBytes = 64 << 20
    /// Connections in all on one port; the machines have their own, smaller limits.
    private static let linkLimit = 2_000

    private let loop: EventLoop
    private weak let delegate: (any PeerNetworkDelegate)?
    private let connectTimeoutMilliseconds: Int64
    /// Whether the system probes connections that are idle.
    private let keepsAlive: Bool
    private var listeners: [Listener] = []
    private var links: [LinkID: PeerLink] = [:]
    private var serial: UInt64 = 0
    private var isClosed = false
    /// Ports of servers that this one is cut off from. Empty but in tests.
    private var severed: Set<UInt16> = []

    init(
        loop: EventLoop, connectTimeoutMilliseconds: Int64, keepsAlive: Bool = false, delegate: any PeerNetworkDelegate
    ) {
        self.loop = loop
        self.keepsAlive = keepsAlive
        self.connectTimeoutMilliseconds = connectTimeoutMilliseconds
        self.delegate = delegate
    }

    func listen(_ socket: Socket, for port: PeerPort) throws(SystemError) {
        listeners.append(
            try Listener(
                loop: loop, socket: socket,
                onShortage: { [weak self] errno, closed in
                    self?.delegate?.peerNote(
                        .warning, "accepting servers rests: \(errno); \(closed) connections were closed")
                },
                onAccept: { [weak self] socket, peer in self?.accept(socket, peer, port) }))
    }

    /// Ends all connections and listens no more.
    func close() {
        isClosed = true
        for listener in listeners { listener.close() }
        listeners = []
        for link in links.values { link.connection.close() }
        links = [:]
    }

    /// Cuts the connections that were dialled to these ports, and dials none of them from now on.
    ///
    /// Whoever accepted a connection cannot tell who dialled it: cutting is the dialling side's affair.
    func sever(from ports: Set<UInt16>) {
        severed = ports
        for link in links.values {
            if let address = link.connection.peerAddress, ports.contains(address.port) { link.connection.reset() }
        }
    }

    /// Listens no more, and ends all connections once what was sent is out: the others notice at once.
    func finish() {
        isClosed = true
        for listener in listeners { listener.close() }
        listeners = []
        for link in links.values { link.connection.finish(timeoutMilliseconds: 200) }
    }

    // MARK: Sending

    func send(_ bytes: [UInt8], on id: LinkID) { links[id]?.connection.send(bytes) }

    /// Sends with what follows, or alone after some milliseconds.
    func sendLater(_ bytes: [UInt8], on id: LinkID) {
        links[id]?.connection.sendLater(bytes, by: loop.now.advanced(byMilliseconds: Self.gatheringMilliseconds))
    }

    /// Long enough that an observer syncs its log far less often than the voters, too short to be noticed by its readers.
    private static let gatheringMilliseconds: Int64 = 5

    func pendingBytes(on id: LinkID) -> Int { links[id]?.connection.pendingBytes ?? 0 }

    func close(_ id: LinkID) { links[id]?.connection.finish(timeoutMilliseconds: 500) }

    func setReading(_ isReading: Bool, on id: LinkID) {
        guard let connection = links[id]?.connection, connection.isReadingPaused == isReading else { return }
        if isReading { connection.resumeReading() } else { connection.pauseReading() }
    }

    // MARK: Connecting

    private func accept(_ socket: Socket, _ peer: SocketAddress?, _ port: PeerPort) {
        guard !isClosed, links.count < Self.linkLimit, let id = open(socket, peer, port) else { return socket.close() }
        delegate?.peerAccepted(id, on: port)
    }

    /// Tries one address after the other. The completion gets the connection, or `nil` when none answered.
    func dial(
        _ addresses: [(host: String, port: Int)], for port: PeerPort, _ completion: @escaping (LinkID?) -> Void
    ) {
        guard let first = addresses.first, let number = UInt16(exactly: first.port), !isClosed else {
            // Never from within the call.
            loop.schedule(at: loop.now) { completion(nil) }
            return
        }
        let rest = Array(addresses.dropFirst())
        let next = LoopConfined(
            { [self] (found: [SocketAddress]) in
                tryEach(found[...], for: port) { [self] id in
                    if id == nil, !rest.isEmpty { dial(rest, for: port, completion) } else { completion(id) }
                }
            }, on: loop)
        let loop = loop
        Resolver.resolveAside(host: first.host, port: number) { result in
            let found = (try? result.get()) ?? []
            loop.submit { next.withValue { $0(found) } }
        }
    }

    private func tryEach(
        _ addresses: ArraySlice<SocketAddress>, for port: PeerPort, _ completion: @escaping (LinkID?) -> Void
    ) {
        guard let address = addresses.first, !isClosed else { return completion(nil) }
        guard !severed.contains(address.port) else { return tryEach(addresses.dropFirst(), for: port, completion) }
        Connector.connect(on: loop, to: address, timeoutMilliseconds: connectTimeoutMilliseconds) { [self] result in
            guard case .success(let socket) = result, !isClosed, !severed.contains(address.port) else {
                if case .success(let socket) = result { socket.close() }
                return tryEach(addresses.dropFirst(), for: port, completion)
            }
            guard let id = open(socket, address, port) else {
                socket.close()
                return completion(nil)
            }
            completion(id)
        }
    }

    private func open(_ socket: Socket, _ peer: SocketAddress?, _ port: PeerPort) -> LinkID? {
        serial += 1
        let id = LinkID(rawValue: serial)
        let link = PeerLink(id: id, port: port, network: self)
        do throws(SystemError) {
            var options = Connection.Options()
            options.outputLimitBytes = Self.outputLimitBytes
            if keepsAlive { try socket.setKeepAlive() }
            link.connection = try Connection(
                loop: loop, socket: socket, peerAddress: peer, delegate: link, options: options)
        } catch {
            delegate?.peerNote(.warning, "cannot talk to \(peer.map { "\($0)" } ?? "a server"): \(error)")
            return nil
        }
        links[id] = link
        return id
    }

    fileprivate func received(_ bytes: Span<UInt8>, _ link: PeerLink) {
        delegate?.peerReceived(bytes, on: link.id, link.port)
    }

    fileprivate func drained(_ link: PeerLink) { delegate?.peerDrained(link.id, link.port) }

    fileprivate func closed(_ link: PeerLink) {
        guard links.removeValue(forKey: link.id) != nil else { return }
        delegate?.peerClosed(link.id, link.port)
    }
}

/// One connection to another server, as the loop knows it.
private final class PeerLink: ConnectionDelegate {
    let id: LinkID
    let port: PeerPort
    private weak let network: PeerNetwork?
    // Set directly after the link is made, before anything can call it.
    var connection: Connection!

    init(id: LinkID, port: PeerPort, network: PeerNetwork) {
        self.id = id
        self.port = port
        self.network = network
    }

    func connection(_ connection: Connection, received bytes: Span<UInt8>) { network?.received(bytes, self) }
    func connectionDrained(_ connection: Connection) { network?.drained(self) }
    func connection(_ connection: Connection, closed reason: ConclaveTransport.CloseReason) { network?.closed(self) }
}
