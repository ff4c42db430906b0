import ConclaveConsensus
import ConclaveCore
import ConclaveSystem
import ConclaveWire

@testable import ConclaveServer

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Server 2 of an ensemble of two: it says what the test wants it to, and server 1 is the real one.
///
/// A tick has a hundred seconds, so that nothing that should happen at once can be brought about by time.
final class ScriptedPeer {
    private let quorumPort: ReservedPort
    private let electionPort: ReservedPort
    private let member: LocalMember
    private let directory: TemporaryDirectory
    private var quorumListener: Socket?
    private var electionListener: Socket?
    private var server: ZooKeeperServer?
    /// This peer's connection to the election port of server 1.
    private(set) var votes: PeerSocket?
    private var round: Int64 = 0
    /// The last epoch that it led, which its votes name.
    private var epoch: Int64 = 0

    private init() throws {
        directory = try TemporaryDirectory(prefix: "conclave-peer")
        quorumPort = try ReservedPort()
        electionPort = try ReservedPort()
        member = LocalMember(
            id: 1, kind: .participant, ports: try LocalMember.Ports(), directory: directory.path + "/1")
    }

    /// Starts server 1, has the test talk to it, and ends it.
    static func with(_ body: (ScriptedPeer) async throws -> Void) async throws {
        let peer = try ScriptedPeer()
        do {
            try await peer.start()
            try await body(peer)
        } catch {
            await peer.stop()
            throw error
        }
        await peer.stop()
    }

    private func start() async throws {
        let mine = EnsembleMember.Address(
            host: ServerConfiguration.loopback, quorumPort: Int(quorumPort.number),
            electionPort: Int(electionPort.number))
        let ensemble = try EnsembleConfiguration(members: [
            member.line, EnsembleMember(id: 2, addresses: [mine], role: .participant),
        ])
        var configuration = ServerConfiguration.temporary(dataDirectory: member.directory)
        configuration.tickTimeMilliseconds = 100_000
        var settings = EnsembleSettings(configuration: ensemble, myID: 1)
        settings.initLimitTicks = 10
        settings.syncLimitTicks = 10
        configuration.ensemble = settings
        configuration.clientPort = Int(member.ports.clients.number)
        var seams = Starter.Seams()
        seams.sockets = try member.ports.listen()
        server = try await ZooKeeperServer.start(configuration, seams)
    }

    private func stop() async {
        votes?.close()
        quorumListener?.close()
        electionListener?.close()
        await server?.stop()
        directory.remove()
    }

    // MARK: Election

    /// From now on the next connection to the election port can be taken.
    func listenForVotes() throws { electionListener = try electionPort.listen() }

    func electionConnection() throws -> PeerSocket { try Self.accept(electionListener) }

    /// Connects to the election port and stays connected, as the greater id does.
    func joinElection() throws {
        let socket = try PeerSocket(port: member.ports.election.number)
        var writer = ByteWriter()
        ElectionHandshake(server: 2, addresses: [ElectionAddress(host: "127.0.0.1", port: Int(electionPort.number))])
            .encode(into: &writer)
        try socket.send(writer.bytes)
        votes = socket
    }

    /// Waits until server 1 looks for a leader, in an election after the last one that was waited for.
    /// - Returns: its round.
    @discardableResult
    func untilLooking() throws -> Int64 {
        guard let votes else { throw PeerSocket.Failure.closed }
        let last = round
        round = try votes.notification { $0.state == .looking && $0.round > last }.round
        return round
    }

    /// Votes for itself in the next election of server 1, which has nothing better.
    func win() throws { try say(.looking, round: try untilLooking()) }

    func say(_ state: PeerState, leader: ServerID = 2, round: Int64) throws {
        var writer = ByteWriter()
        ElectionNotification(
            state: state, leader: leader, zxid: Zxid(rawValue: epoch << 32), round: round, peerEpoch: epoch,
            configuration: []
        ).encodeFrame(into: &writer)
        try votes?.send(writer.bytes)
    }

    // MARK: Leading

    func listenForFollowers() throws { quorumListener = try quorumPort.listen() }

    /// The next connection to the quorum port.
    func follower() throws -> PeerSocket { try Self.accept(quorumListener) }

    /// Brings server 1 to follow this peer, which has nothing to tell, and to serve clients.
    func lead(_ follower: PeerSocket) throws {
        _ = try follower.packet(.followerInfo)
        epoch += 1
        let start = Zxid(rawValue: epoch << 32)
        try follower.send(QuorumPacket(.leaderInfo, zxid: start, data: LeaderInfo().data).bytes)
        let last = try follower.packet(.ackEpoch).zxid
        try follower.send(QuorumPacket(.diff, zxid: last).bytes)
        try follower.send(QuorumPacket(.newLeader, zxid: start, data: nil).bytes)
        _ = try follower.packet(.ack)
        try follower.send(QuorumPacket(.upToDate).bytes)
        _ = try follower.packet(.ack)
    }

    private static func accept(_ listener: Socket?) throws -> PeerSocket {
        guard let listener else { throw PeerSocket.Failure.closed }
        while true {
            try PeerSocket.wait(listener, for: POLLIN)
            switch listener.accept() {
            case .accepted(let socket, _): return PeerSocket(socket)
            case .wouldBlock, .aborted: continue
            case .failed: throw PeerSocket.Failure.closed
            }
        }
    }
}

/// A blocking end of a connection between servers.
final class PeerSocket {
    enum Failure: Error { case timedOut, closed }

    /// How long anything may take at the most; nothing depends on it but how soon a broken test ends.
    private static let patienceMilliseconds: Int32 = 60_000

    let socket: Socket
    private var frames = FrameDecoder(maximumBytes: ElectionNotification.maximumBytes)
    private var packets = QuorumPacketDecoder()

    init(_ socket: Socket) { self.socket = socket }

    init(port: UInt16) throws {
        socket = try Socket.stream(.ipv4)
        if try socket.connect(to: .loopback(port: port)) == .inProgress {
            try Self.wait(socket, for: POLLOUT)
            try socket.finishConnecting()
        }
    }

    private var isClosed = false

    /// Once: the number of a closed descriptor soon belongs to somebody else.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        socket.close()
    }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            switch socket.send(bytes, from: sent) {
            case .bytes(let count): sent += count
            case .wouldBlock: try Self.wait(socket, for: POLLOUT)
            case .failed: throw Failure.closed
            }
        }
    }

    /// The next vote that fits.
    func notification(where fits: (ElectionNotification) -> Bool) throws -> ElectionNotification {
        while true {
            while let range = try frames.nextFrame() {
                var reader = ByteReader(frames.buffer, in: range)
                let notification = try ElectionNotification(from: &reader)
                if fits(notification) { return notification }
            }
            let more = try receive()
            frames.append(more.span)
        }
    }

    /// The next packet of a kind; others before it are dropped.
    func packet(_ kind: QuorumPacket.Kind) throws -> QuorumPacket {
        while true {
            while let packet = try packets.next() { if packet.kind == kind { return packet } }
            let more = try receive()
            packets.append(more.span)
        }
    }

    /// So many bytes, whatever they mean.
    func bytes(_ count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count { bytes += try receive() }
        return bytes
    }

    /// Returns when the other side has closed the connection.
    func untilClosed() throws {
        var isOpen = true
        while isOpen {
            do {
                _ = try receive()
            } catch Failure.closed {
                isOpen = false
            }
        }
    }

    private func receive() throws -> [UInt8] {
        var bytes: [UInt8] = []
        while true {
            try Self.wait(socket, for: POLLIN)
            switch socket.receive(atMost: 1 << 16, appendingTo: &bytes) {
            case .bytes(let count):
                guard count > 0 else { throw Failure.closed }
                return bytes
            case .wouldBlock: break
            case .failed: throw Failure.closed
            }
        }
    }

    static func wait(_ socket: Socket, for events: Int32) throws {
        var descriptor = pollfd(fd: socket.descriptor.rawValue, events: Int16(events), revents: 0)
        guard poll(&descriptor, 1, patienceMilliseconds) == 1 else { throw Failure.timedOut }
    }
}
