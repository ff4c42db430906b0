import ConclaveCore
import ConclaveNode
import ConclaveStorage
import ConclaveTree
import ConclaveWire

/// A standalone server without sockets, on a log in memory, with one session.
private struct SampleServer {
    var machine: ServerMachine
    var store = Store(disk: MemoryDisk(), dataDirectory: "/data", logDirectory: "/data")
    var batch = LogBatch()
    let connection: ConnectionID
    let now = Instant(milliseconds: 1_000_000)
    let wall = WallTime(milliseconds: 1_700_000_000_000)
    private(set) var sentBytes = 0

    init() throws {
        machine = ServerMachine(
            options: ServerOptions(), tree: DataTree(), commandWords: [], now: now, wall: wall)
        var target = EmptyTarget()
        _ = try store.recover(into: &target)
        connection = machine.connectionOpened(peer: "127.0.0.1:4000", peerAddress: "127.0.0.1", now: now, wall: wall)
        var writer = ByteWriter()
        writer.writeConnectFrame(
            ConnectRequest(
                lastZxidSeen: .zero, timeoutMilliseconds: 30_000, session: .none,
                password: [UInt8](repeating: 0, count: 16), readOnly: false))
        try deliver(writer.bytes)
        let create = CreateRequest(
            path: "/bench", data: Sample.value, acl: .open, mode: .persistent, wantsStat: false)
        try deliver(Sample.frame(.create(create)))
        guard sentBytes > 60 else { throw MicroError("the server opened no session") }
    }

    /// One turn of a server's loop: bytes in, log, receipt, bytes out.
    mutating func deliver(_ bytes: [UInt8]) throws {
        machine.received(bytes.span, on: connection, now: now, wall: wall)
        let proposals = machine.takeProposals()
        if !proposals.isEmpty {
            for transaction in proposals { batch.append(transaction) }
            let receipt = try store.append(batch)
            batch.removeAll(keepingCapacity: true)
            machine.synced(receipt, now: now, wall: wall)
        }
        _ = machine.takeActions()
        for id in machine.takeFlushable() {
            var count = 0
            machine.takeOutput(of: id) { count += $0.count }
            sentBytes += count
        }
    }
}

private struct EmptyTarget: RecoveryTarget {
    func beginSnapshot() {}
    func session(_ session: SessionID, timeoutMilliseconds: Int32) {}
    func acl(key: Int64, _ acl: [ACL]) {}
    func node(path: Span<UInt8>, data: Span<UInt8>?, aclKey: Int64, stat: StoredStat) -> Bool { true }
    func endSnapshot(zxid: Zxid, digest: (zxid: Zxid, digest: TreeDigest)?) {}
    func replay(_ transaction: Transaction) {}
}

/// What a request costs a whole server without its sockets and its disk.
let serverCases: [MicroCase] = [
    serverCase("server-get-1", "getData alone in its turn", .getData(path: "/bench", watch: false), at: 1),
    serverCase("server-get-64", "getData among 64 of one turn", .getData(path: "/bench", watch: false), at: 64),
    serverCase(
        "server-set-1", "setData alone in its turn", .setData(path: "/bench", data: Sample.value, version: -1), at: 1),
    serverCase(
        "server-set-64", "setData among 64 of one turn", .setData(path: "/bench", data: Sample.value, version: -1),
        at: 64),
]

private func serverCase(_ name: String, _ text: String, _ request: ClientRequest, at once: Int) -> MicroCase {
    let turns = max(8, 256 / once)
    return MicroCase(name, text, operations: turns * once) {
        var server = try SampleServer()
        let bytes = [UInt8]((0..<once).map { _ in Sample.frame(request) }.joined())
        return {
            let before = server.sentBytes
            for _ in 0..<turns { try server.deliver(bytes) }
            guard server.sentBytes - before >= turns * once * 20 else { throw MicroError("replies are missing") }
        }
    }
}
