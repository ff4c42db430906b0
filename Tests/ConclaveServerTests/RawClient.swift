import ConclaveCore
import ConclaveSystem
import ConclaveWire

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A client that sends what it is told, right or wrong, and blocks until something comes.
final class RawClient {
    enum Failure: Error { case timedOut, closed }

    /// How long anything may take at the most; nothing depends on it but how soon a broken test ends.
    private static let patienceMilliseconds: Int32 = 20_000

    private let socket: Socket
    private var decoder = FrameDecoder(maximumBytes: 256 << 20)
    private var xid: Int32 = 0
    private(set) var session = ConnectResponse.sessionGone(readOnly: nil)

    /// Opens a connection and sends nothing.
    init(port: Int) throws {
        socket = try Socket.stream(.ipv4)
        if try socket.connect(to: .loopback(port: UInt16(port))) == .inProgress {
            try wait(for: POLLOUT)
            try socket.finishConnecting()
        }
    }

    deinit { socket.close() }

    /// Opens a connection with a new session.
    static func connected(port: Int, timeout: Int32 = 20_000) throws -> RawClient {
        let client = try RawClient(port: port)
        try client.handshake(timeout: timeout)
        return client
    }

    func handshake(timeout: Int32 = 20_000, session: ConnectResponse? = nil) throws {
        var writer = ByteWriter()
        writer.writeConnectFrame(
            ConnectRequest(
                lastZxidSeen: .zero, timeoutMilliseconds: timeout, session: session?.session ?? .none,
                password: session?.password ?? [UInt8](repeating: 0, count: 16), readOnly: false))
        try send(writer.bytes)
        var reader = ByteReader(try frame())
        self.session = try ConnectResponse(from: &reader)
    }

    // MARK: Bytes

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            switch socket.send(bytes, from: sent) {
            case .bytes(let count): sent += count
            case .wouldBlock: try wait(for: POLLOUT)
            case .failed: throw Failure.closed
            }
        }
    }

    /// Sends as much as the system takes without waiting.
    /// - Returns: how much that was.
    func sendWithoutWaiting(_ bytes: [UInt8]) -> Int {
        guard case .bytes(let count) = socket.send(bytes, from: 0) else { return 0 }
        return count
    }

    /// The payload of the next frame.
    func frame() throws -> [UInt8] {
        while true {
            if let range = try decoder.nextFrame() { return Array(decoder.buffer[range]) }
            guard try receive() else { throw Failure.closed }
        }
    }

    /// Everything up to the end of the stream, as text.
    func text() throws -> String {
        while try receive() {}
        return String(decoding: decoder.buffer.suffix(decoder.pendingBytes), as: UTF8.self)
    }

    /// Whether the server ends the connection without sending anything more.
    func isClosedWithoutAnswer() throws -> Bool { try !receive() && decoder.pendingBytes == 0 }

    private func receive() throws -> Bool {
        try wait(for: POLLIN)
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let result = buffer.withUnsafeMutableBytes { socket.descriptor.read(into: $0) }
        switch result {
        case .bytes(let count):
            decoder.append(buffer.span.extracting(0..<count))
            return count > 0
        case .wouldBlock: return true
        case .failed: return false
        }
    }

    private func wait(for events: Int32) throws {
        var descriptor = pollfd(fd: socket.descriptor.rawValue, events: Int16(events), revents: 0)
        guard poll(&descriptor, 1, Self.patienceMilliseconds) == 1 else { throw Failure.timedOut }
    }

    // MARK: Requests

    /// Sends a request and returns the reply to it; events before it are dropped.
    @discardableResult
    func perform(_ request: ClientRequest) throws -> (header: ReplyHeader, body: ReplyBody) {
        try reply(to: try post(request), request.operation)
    }

    /// Sends a request and does not wait.
    func post(_ request: ClientRequest) throws -> Int32 {
        xid += 1
        var writer = ByteWriter()
        writer.writeRequestFrame(xid: xid, request)
        try send(writer.bytes)
        return xid
    }

    func reply(to xid: Int32, _ operation: OperationCode) throws -> (header: ReplyHeader, body: ReplyBody) {
        while true {
            var reader = ByteReader(try frame())
            let header = try ReplyHeader(from: &reader)
            guard header.xid == xid else { continue }
            return (header, header.error == .ok ? try ReplyBody.decode(for: operation, from: &reader) : .none)
        }
    }

    func create(_ path: NodePath, _ data: [UInt8] = [], flags: Int32 = 0) throws {
        let request = CreateRequest(
            operation: .create2, path: path, data: data, acl: .open, flags: flags, timeToLiveMilliseconds: 0)
        let (header, _) = try perform(.create(request))
        guard header.error == .ok else { throw ZooKeeperError(header.error, path: path.text) }
    }

    func data(at path: NodePath) throws -> [UInt8]? {
        let (header, body) = try perform(.getData(path: path, watch: false))
        guard case .data(let data, _) = body else { throw ZooKeeperError(header.error, path: path.text) }
        return data
    }
}

/// A four-letter word and its answer.
func ask(_ word: String, port: Int) throws -> String {
    let client = try RawClient(port: port)
    try client.send(Array(word.utf8))
    return try client.text()
}
