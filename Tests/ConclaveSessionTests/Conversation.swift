import ConclaveCore
import ConclaveSession
import ConclaveWire

/// Plays shell and server for a session machine: one call per event, time as a number.
struct Conversation {
    var machine: SessionMachine
    /// Milliseconds.
    var time: Int64 = 1_000

    static let session = SessionID(rawValue: 0x1_0000_0000_0001)
    static let password = [UInt8](1...16)

    init(_ servers: String = "a:1", _ configure: (inout SessionOptions) -> Void = { _ in }, seed: UInt64 = 1) throws {
        var options = SessionOptions()
        options.timeoutMilliseconds = 9_000
        configure(&options)
        machine = SessionMachine(options, servers: try ConnectString(servers), seed: seed)
    }

    var now: Instant { Instant(milliseconds: time) }

    /// What the machine wants done since the last question.
    mutating func actions() -> [SessionAction] {
        var actions: [SessionAction] = []
        machine.takeActions(into: &actions)
        return actions
    }

    // MARK: Events

    mutating func start() { machine.start(now: now) }

    mutating func pass(_ milliseconds: Int64) {
        time += milliseconds
        machine.tick(now: now)
    }

    /// Follows the machine's wishes to its next connection: resolves to one address and connects.
    /// - Returns: the request for a session.
    @discardableResult
    mutating func openConnection() -> ConnectRequest? {
        for _ in 0..<64 {
            let wanted = actions()
            var isWaiting = true
            for action in wanted {
                switch action {
                case .resolve(let attempt, _):
                    machine.resolved(attempt, addresses: 1, now: now)
                    isWaiting = false
                case .connect(let link, _):
                    machine.connected(link, now: now)
                    return connectRequest()
                default: break
                }
            }
            if isWaiting { pass(machine.nextDeadline.milliseconds(since: now) + 1) }
        }
        return nil
    }

    mutating func accept(
        timeout: Int32 = 9_000, session: SessionID = Conversation.session, readOnly: Bool = false
    ) {
        var writer = ByteWriter()
        writer.writeConnectFrame(
            ConnectResponse(
                timeoutMilliseconds: timeout, session: session, password: Self.password, readOnly: readOnly))
        receive(writer.bytes)
    }

    /// Connected, with nothing left over.
    mutating func establish() {
        start()
        openConnection()
        accept()
        _ = actions()
        _ = requests()
    }

    /// Loses the connection and gets the next one up to the handshake.
    @discardableResult
    mutating func reconnect() -> ConnectRequest? {
        lose()
        return openConnection()
    }

    mutating func lose() { machine.connectionLost(machine.currentLink, reason: "gone", now: now) }

    mutating func receive(_ bytes: [UInt8]) { machine.received(machine.currentLink, bytes.span, now: now) }

    mutating func reply(_ xid: Int32, zxid: Int64 = 1, _ body: ReplyBody = .none, to operation: OperationCode = .delete)
    {
        var writer = ByteWriter()
        let start = writer.openReplyFrame(xid: xid, zxid: Zxid(rawValue: zxid))
        body.encode(for: operation, into: &writer)
        writer.closeLength(at: start)
        receive(writer.bytes)
    }

    mutating func refuse(_ xid: Int32, _ code: ZooKeeperError.Code, zxid: Int64 = 1) {
        var writer = ByteWriter()
        writer.writeReplyFrame(xid: xid, zxid: Zxid(rawValue: zxid), error: code)
        receive(writer.bytes)
    }

    mutating func event(_ kind: WatchEvent.Kind, _ path: String) {
        var writer = ByteWriter()
        writer.writeEventFrame(type: kind.rawValue, path: NodePath(path))
        receive(writer.bytes)
    }

    // MARK: Requests

    @discardableResult
    mutating func submit(_ request: ClientRequest) throws -> RequestID { try machine.submit(request, now: now) }

    /// Submits a request that arms a watch.
    mutating func watch(_ kind: WatcherKind, _ path: String) throws -> (RequestID, WatcherID) {
        let watcher = machine.takeWatcherID()
        let node = NodePath(path)
        let request: ClientRequest =
            switch kind {
            case .data: .getData(path: node, watch: true)
            case .existence: .exists(path: node, watch: true)
            case .children: .getChildren2(path: node, watch: true)
            case .persistent: .addWatch(path: node, mode: 0)
            case .recursive: .addWatch(path: node, mode: 1)
            }
        let id = try machine.submit(request, watching: WatchInterest(kind, at: node, watcher: watcher), now: now)
        return (id, watcher)
    }

    /// Arms a watch and answers it.
    mutating func arm(_ kind: WatcherKind, _ path: String) throws -> WatcherID {
        let (_, watcher) = try watch(kind, path)
        guard let sent = requests().last else { return watcher }
        switch kind {
        case .data: reply(sent.xid, .data([], .sample), to: .getData)
        case .existence: refuse(sent.xid, .noNode)
        case .children: reply(sent.xid, .children([], .sample), to: .getChildren2)
        case .persistent, .recursive: reply(sent.xid, to: .addWatch)
        }
        _ = actions()
        return watcher
    }

    /// The request for a session that is to be sent.
    mutating func connectRequest() -> ConnectRequest? {
        var bytes: [UInt8] = []
        machine.takeOutput(into: &bytes)
        guard !bytes.isEmpty else { return nil }
        var reader = ByteReader(bytes)
        guard (try? reader.readInt32()) != nil else { return nil }
        return try? ConnectRequest(from: &reader)
    }

    /// The requests that are to be sent.
    mutating func requests() -> [SentFrame] {
        var bytes: [UInt8] = []
        machine.takeOutput(into: &bytes)
        var reader = ByteReader(bytes)
        var frames: [SentFrame] = []
        while !reader.isAtEnd {
            guard (try? reader.readInt32()) != nil, let header = try? RequestHeader(from: &reader),
                let request = try? ClientRequest.decode(header.operation, from: &reader)
            else { break }
            frames.append(SentFrame(xid: header.xid, request: request))
        }
        return frames
    }
}

struct SentFrame: Equatable {
    let xid: Int32
    let request: ClientRequest

    init(xid: Int32, request: ClientRequest) {
        self.xid = xid
        self.request = request
    }
}

extension Stat {
    static let sample = Stat(
        czxid: Zxid(rawValue: 1), mzxid: Zxid(rawValue: 1), ctime: 0, mtime: 0, version: 0, cversion: 0, aversion: 0,
        ephemeralOwner: .none, dataLength: 0, numChildren: 0, pzxid: Zxid(rawValue: 1))
}

extension [SessionAction] {
    /// What became of requests.
    var completions: [SessionAction] {
        filter { if case .complete = $0 { true } else { false } }
    }

    /// Changes of status.
    var statuses: [SessionStatus] {
        compactMap { if case .changed(let status) = $0 { status } else { nil } }
    }

    var fired: [SessionAction] {
        filter { if case .fire = $0 { true } else { false } }
    }
}

extension SessionAction {
    static func lost(_ id: RequestID, reason: String = "gone") -> SessionAction {
        .complete(id, .failed(RequestFailure(.connectionLoss, wasSent: true, reason: reason)))
    }

    static func done(_ id: RequestID) -> SessionAction { .complete(id, .reply(.none)) }
}
