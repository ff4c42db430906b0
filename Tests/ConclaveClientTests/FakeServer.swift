import ConclaveClient
import ConclaveCore
import ConclaveSystem
import ConclaveWire
import Foundation
import Synchronization

/// A listening socket whose every answer the test plays itself.
///
/// Blocking sockets on threads of its own, so that nothing of what is tested takes part in it.
final class FakeServer: Sendable {
    let connectString: String
    private let listener: OwnedSocket
    private let peers = Mailbox<FakePeer>()
    private let probeAnswer = Mutex<String?>(nil)
    private let isRefusing = Mutex(false)
    /// Kept open until the server stops, whether the test holds them or not.
    private let kept = Mutex<[FakePeer]>([])

    static let session = SessionID(rawValue: 0x5_0000_0000_0001)
    static let password = [UInt8](1...16)

    init() throws {
        let listener = try OwnedSocket(Socket.listen(on: .loopback(port: 0)))
        // Handed on to what is accepted, so that tests fill it soon.
        try listener.socket.setReceiveBuffer(bytes: 65_536)
        self.listener = listener
        connectString = listener.socket.localAddress?.description ?? ""
        _ = try ThreadHandle(name: "fake server") { [peers, weak self] in
            while case .accepted(let socket, _) = listener.socket.accept() {
                guard let owned = try? OwnedSocket(socket), self?.isRefusing.withLock({ $0 }) == false else { continue }
                if let answer = self?.probeAnswer.withLock({ $0 }), owned.isProbe {
                    _ = socket.send(Array(answer.utf8), from: 0)
                } else if let peer = try? FakePeer(owned) {
                    peers.put(peer)
                }
            }
        }
    }

    /// Has connections closed as they come.
    func refuse(_ isRefusing: Bool) { self.isRefusing.withLock { $0 = isRefusing } }

    /// What connections are told that ask whether this server is read-only; until then they are taken for clients.
    func answerProbes(_ answer: String) { probeAnswer.withLock { $0 = answer } }

    /// Refuses new connections and ends the others.
    func stop() {
        listener.shutDown()
        for peer in kept.withLock({ $0 }) { peer.cut() }
    }

    /// The next connection, as it comes.
    func connection() async -> FakePeer {
        let peer = await peers.next()
        kept.withLock { $0.append(peer) }
        return peer
    }

    /// The next connection, with a session.
    func session(
        timeout: Int32 = 30_000, _ session: SessionID = FakeServer.session
    ) async throws -> (peer: FakePeer, request: ConnectRequest) {
        let peer = await connection()
        let request = try await peer.connectRequest()
        peer.accept(timeout: timeout, session)
        return (peer, request)
    }

    /// A client connected to this server, and the server's side of its connection.
    ///
    /// - Parameter timeout: what the server decides. The client asks for more, so that it is patient while it connects.
    func client(
        timeout: Int32 = 30_000, chroot: String = "", _ configure: (inout ZooKeeperClient.Options) -> Void = { _ in }
    ) async throws -> (ZooKeeperClient, FakePeer) {
        var options = ZooKeeperClient.Options()
        options.sessionTimeout = .seconds(30)
        options.connectTimeout = .seconds(30)
        configure(&options)
        async let client = ZooKeeperClient.connect(to: connectString + chroot, options: options)
        let (peer, _) = try await session(timeout: timeout)
        return (try await client, peer)
    }
}

/// One connection of a ``FakeServer``.
final class FakePeer: Sendable {
    private let owned: OwnedSocket
    /// `nil`: the client has closed.
    private let frames = Mailbox<[UInt8]?>()
    private let gate = Gate()

    struct Closed: Error {}

    init(_ owned: OwnedSocket) throws {
        self.owned = owned
        try owned.socket.setNoDelay()
        let (frames, gate) = (frames, gate)
        _ = try ThreadHandle(name: "fake peer") {
            var decoder = FrameDecoder()
            let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 8)
            defer { memory.deallocate() }
            while case .bytes(let count) = owned.socket.receive(into: memory), count > 0 {
                gate.wait()
                decoder.append(UnsafeBufferPointer(rebasing: memory.bindMemory(to: UInt8.self)[..<count]).span)
                while let frame = try? decoder.nextFrame() { frames.put(Array(decoder.buffer[frame])) }
            }
            frames.put(nil)
        }
    }

    // MARK: From the client

    func frame() async throws -> [UInt8] {
        guard let frame = await frames.next() else { throw Closed() }
        return frame
    }

    func connectRequest() async throws -> ConnectRequest {
        var reader = ByteReader(try await frame())
        return try ConnectRequest(from: &reader)
    }

    /// The next request that is no ping.
    func request() async throws -> (xid: Int32, body: ClientRequest) {
        while true {
            var reader = ByteReader(try await frame())
            let header = try RequestHeader(from: &reader)
            if header.operation == .ping {
                reply(ReservedXid.ping)
                continue
            }
            return (header.xid, try ClientRequest.decode(header.operation, from: &reader))
        }
    }

    /// Whether the client closes without another request.
    func isClosed() async -> Bool {
        do {
            _ = try await request()
            return false
        } catch {
            return true
        }
    }

    // MARK: To the client

    func accept(timeout: Int32 = 30_000, _ session: SessionID = FakeServer.session, readOnly: Bool = false) {
        var writer = ByteWriter()
        writer.writeConnectFrame(
            ConnectResponse(
                timeoutMilliseconds: timeout, session: session, password: FakeServer.password, readOnly: readOnly))
        send(writer.bytes)
    }

    func expire() {
        var writer = ByteWriter()
        writer.writeConnectFrame(.sessionGone(readOnly: false))
        send(writer.bytes)
    }

    func reply(_ xid: Int32, zxid: Int64 = 1, _ body: ReplyBody = .none, to operation: OperationCode = .delete) {
        send(Self.replyFrame(xid, zxid: zxid, body, to: operation))
    }

    static func replyFrame(
        _ xid: Int32, zxid: Int64 = 1, _ body: ReplyBody = .none, to operation: OperationCode = .delete
    ) -> [UInt8] {
        var writer = ByteWriter()
        let start = writer.openReplyFrame(xid: xid, zxid: Zxid(rawValue: zxid))
        body.encode(for: operation, into: &writer)
        writer.closeLength(at: start)
        return writer.bytes
    }

    func refuse(_ xid: Int32, _ code: ZooKeeperError.Code) {
        var writer = ByteWriter()
        writer.writeReplyFrame(xid: xid, zxid: Zxid(rawValue: 1), error: code)
        send(writer.bytes)
    }

    func event(_ kind: WatchEvent.Kind, _ path: String) {
        var writer = ByteWriter()
        writer.writeEventFrame(type: kind.rawValue, path: NodePath(path))
        send(writer.bytes)
    }

    func send(_ bytes: [UInt8]) {
        var offset = 0
        while offset < bytes.count, case .bytes(let count) = owned.socket.send(bytes, from: offset) { offset += count }
    }

    /// Stops reading after the bytes under way, until ``resumeReading()``.
    func pauseReading() { gate.close() }

    func resumeReading() { gate.open() }

    /// Ends the connection in both directions.
    func cut() { owned.shutDown() }
}

/// Holds a thread while it is closed.
final class Gate: Sendable {
    // NSCondition is safe for threads; the flag is touched under its lock only.
    private let condition = NSCondition()
    nonisolated(unsafe) private var isOpen = true

    func close() { condition.withLock { isOpen = false } }

    func open() {
        condition.withLock {
            isOpen = true
            condition.broadcast()
        }
    }

    func wait() {
        condition.withLock {
            while !isOpen { condition.wait() }
        }
    }
}

/// A blocking socket that is closed when no thread uses it any more, so that its number never means another one.
final class OwnedSocket: Sendable {
    let socket: Socket

    init(_ socket: Socket) throws {
        self.socket = socket
        try socket.descriptor.setNonBlocking(false)
    }

    deinit { socket.close() }

    /// Whether the first bytes are the word `isro`; they are not taken.
    var isProbe: Bool {
        var word: [UInt8] = [0, 0, 0, 0]
        let count = recv(socket.descriptor.rawValue, &word, 4, Int32(MSG_PEEK) | Int32(MSG_WAITALL))
        return count == 4 && word == Array("isro".utf8)
    }

    /// Ends both directions and wakes the threads that wait for it.
    func shutDown() { shutdown(socket.descriptor.rawValue, Int32(SHUT_RDWR)) }
}

extension Stat {
    static func owned(by session: SessionID = .none, czxid: Int64 = 1) -> Stat {
        Stat(
            czxid: Zxid(rawValue: czxid), mzxid: Zxid(rawValue: czxid), ctime: 0, mtime: 0, version: 0, cversion: 0,
            aversion: 0, ephemeralOwner: session, dataLength: 0, numChildren: 0, pzxid: Zxid(rawValue: czxid))
    }
}
