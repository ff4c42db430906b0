import ConclaveCore
import ConclaveNode
import ConclaveTree
import ConclaveWire
import Testing

/// A server machine on a manual clock, with a log that is synced when the test says so.
struct MachineHarness {
    var machine: ServerMachine
    var now = Instant(milliseconds: 1_000_000)
    var wall = WallTime(milliseconds: 1_700_000_000_000)
    /// Transactions that were proposed and not synced yet.
    var unsynced: [Transaction] = []
    /// Every transaction that was proposed.
    var log: [Transaction] = []
    var closed: [ConnectionID: DropReason] = [:]
    var paused: Set<ConnectionID> = []
    var commands: [(word: String, connection: ConnectionID)] = []
    var notes: [LogEvent] = []
    private var received: [ConnectionID: FrameDecoder] = [:]
    private var cxid: Int32 = 0

    init(_ options: ServerOptions = ServerOptions(), tree: DataTree? = nil) {
        var treeOptions = TreeOptions()
        treeOptions.extendedTypes = options.extendedTypes
        machine = ServerMachine(
            options: options, tree: tree ?? DataTree(options: treeOptions), commandWords: ["ruok", "srvr"], now: now,
            wall: wall)
        drain()
    }

    // MARK: Driving

    mutating func open(address: String = "127.0.0.1") -> ConnectionID {
        machine.connectionOpened(peer: address + ":4000", peerAddress: address, now: now, wall: wall)
    }

    mutating func deliver(_ bytes: [UInt8], on id: ConnectionID) {
        machine.received(bytes.span, on: id, now: now, wall: wall)
        drain()
    }

    mutating func disconnect(_ id: ConnectionID) {
        machine.connectionClosed(id, now: now, wall: wall)
        drain()
    }

    /// Makes everything proposed so far durable, or only the first `count` transactions.
    mutating func sync(_ count: Int? = nil) {
        let part = unsynced.prefix(count ?? unsynced.count)
        guard let last = part.last else { return }
        unsynced.removeFirst(part.count)
        machine.synced(DurableReceipt(syncedThrough: last.header.zxid), now: now, wall: wall)
        drain()
    }

    mutating func advance(milliseconds: Int64) {
        now = now.advanced(byMilliseconds: milliseconds)
        wall = WallTime(milliseconds: wall.milliseconds + milliseconds)
        machine.tick(now: now, wall: wall)
        drain()
    }

    /// Takes what the machine has for its shell.
    mutating func drain() {
        if machine.role == .leader { confirmSessions() }
        let proposals = machine.takeProposals()
        unsynced += proposals
        log += proposals
        for action in machine.takeActions() {
            switch action {
            case .close(let id, let reason): closed[id] = reason
            case .pauseReading(let id): paused.insert(id)
            case .resumeReading(let id): paused.remove(id)
            case .command(let word, let id): commands.append((word, id))
            case .note(let event): notes.append(event)
            }
        }
        for id in machine.takeFlushable() {
            machine.takeOutput(of: id) { received[id, default: FrameDecoder(maximumBytes: 64 << 20)].append($0) }
        }
    }

    /// What a leader asks itself about sessions, when its quorum says at once that it leads.
    private mutating func confirmSessions() {
        for call in machine.takeLeaderCalls() {
            guard case .revalidate(let session, _, let isPing) = call else { continue }
            let isValid = machine.revalidate(session, at: .here, isPing: isPing, now: now, wall: wall)
            machine.revalidated(session, isValid: isValid, now: now, wall: wall)
        }
    }

    // MARK: Clients

    /// A connection with a new session.
    mutating func connect(
        timeout: Int32 = 10_000, address: String = "127.0.0.1"
    ) throws -> (id: ConnectionID, session: ConnectResponse) {
        let id = open(address: address)
        handshake(
            id,
            ConnectRequest(
                lastZxidSeen: .zero, timeoutMilliseconds: timeout, session: .none,
                password: [UInt8](repeating: 0, count: 16), readOnly: false))
        sync()
        return (id, try #require(try connectResponse(id)))
    }

    mutating func handshake(_ id: ConnectionID, _ request: ConnectRequest) {
        var writer = ByteWriter()
        writer.writeConnectFrame(request)
        deliver(writer.bytes, on: id)
    }

    mutating func connectResponse(_ id: ConnectionID) throws -> ConnectResponse? {
        guard let frame = try nextFrame(id) else { return nil }
        var reader = ByteReader(frame)
        return try ConnectResponse(from: &reader)
    }

    /// Sends a request and returns its xid.
    @discardableResult
    mutating func send(_ request: ClientRequest, on id: ConnectionID, xid: Int32? = nil) -> Int32 {
        cxid += 1
        var writer = ByteWriter()
        writer.writeRequestFrame(xid: xid ?? cxid, request)
        deliver(writer.bytes, on: id)
        return xid ?? cxid
    }

    /// Sends a request, syncs, and returns the reply with the events before it.
    mutating func perform(_ request: ClientRequest, on id: ConnectionID) throws -> Reply {
        send(request, on: id)
        sync()
        var events: [WatcherEvent] = []
        while let message = try next(id, for: request.operation) {
            switch message {
            case .event(let event): events.append(event)
            case .reply(var reply):
                reply.events = events
                return reply
            }
        }
        throw HarnessError.noReply
    }

    enum HarnessError: Error { case noReply }

    struct Reply: Equatable {
        var header: ReplyHeader
        var body: ReplyBody
        var events: [WatcherEvent] = []
    }

    enum Message: Equatable {
        case event(WatcherEvent)
        case reply(Reply)
    }

    /// The next message that the server has sent, or `nil`.
    mutating func next(_ id: ConnectionID, for operation: OperationCode = .ping) throws -> Message? {
        guard let frame = try nextFrame(id) else { return nil }
        var reader = ByteReader(frame)
        let header = try ReplyHeader(from: &reader)
        if header.xid == ReservedXid.notification { return .event(try WatcherEvent(from: &reader)) }
        let body: ReplyBody = header.error == .ok ? try ReplyBody.decode(for: operation, from: &reader) : .none
        return .reply(Reply(header: header, body: body))
    }

    mutating func events(_ id: ConnectionID) throws -> [WatcherEvent] {
        var events: [WatcherEvent] = []
        while case .event(let event)? = try next(id) { events.append(event) }
        return events
    }

    mutating func nextFrame(_ id: ConnectionID) throws -> [UInt8]? {
        guard let range = try received[id]?.nextFrame(), let buffer = received[id]?.buffer else { return nil }
        return Array(buffer[range])
    }
}

extension ClientRequest {
    static func create(
        _ path: NodePath, _ data: [UInt8]? = [], flags: Int32 = 0, acl: [ACL] = .open, timeToLive: Int64? = nil
    ) -> ClientRequest {
        let operation: OperationCode = timeToLive != nil ? .createTTL : flags == 4 ? .createContainer : .create2
        return .create(
            CreateRequest(
                operation: operation, path: path, data: data, acl: acl, flags: flags,
                timeToLiveMilliseconds: timeToLive ?? 0))
    }
}
