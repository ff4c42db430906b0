import ConclaveCore
import ConclaveSession
import ConclaveWire

/// A client's session with a server whose answers are made here.
private struct SampleSession {
    var machine: SessionMachine
    let now = Instant(milliseconds: 1_000)
    private var actions: [SessionAction] = []
    private var output: [UInt8] = []
    private var xid: Int32 = 0

    init() throws {
        machine = SessionMachine(SessionOptions(), servers: try ConnectString("a:1"), seed: 1)
        machine.start(now: now)
        // Every wish is granted at once: resolved to one address, connected, accepted.
        for _ in 0..<8 {
            for action in taken() {
                switch action {
                case .resolve(let attempt, _): machine.resolved(attempt, addresses: 1, now: now)
                case .connect(let link, _):
                    machine.connected(link, now: now)
                    machine.takeOutput(into: &output)
                    var writer = ByteWriter()
                    writer.writeConnectFrame(
                        ConnectResponse(
                            timeoutMilliseconds: 30_000, session: SessionID(rawValue: 7),
                            password: [UInt8](repeating: 1, count: 16), readOnly: false))
                    machine.received(link, writer.bytes.span, now: now)
                default: break
                }
            }
        }
        guard case .connected = machine.status else { throw MicroError("no session: \(machine.status)") }
    }

    private mutating func taken() -> [SessionAction] {
        var taken: [SessionAction] = []
        machine.takeActions(into: &taken)
        return taken
    }

    /// Submits so many requests, and hands their replies in together.
    mutating func perform(_ request: ClientRequest, _ count: Int) throws {
        var replies = ByteWriter(capacity: count * 256)
        for _ in 0..<count {
            keep(try machine.submit(request, now: now).hashValue)
            xid += 1
            let start = replies.openReplyFrame(xid: xid, zxid: Zxid(rawValue: 9))
            replies.writeBuffer(Sample.value)
            replies.writeStat(Sample.stat)
            replies.closeLength(at: start)
        }
        machine.takeOutput(into: &output)
        machine.received(machine.currentLink, replies.bytes.span, now: now)
        actions.removeAll(keepingCapacity: true)
        machine.takeActions(into: &actions)
        guard actions.count == count else { throw MicroError("\(actions.count) of \(count) replies matched") }
    }
}

/// What a request costs the client's session, both ways.
let sessionCases: [MicroCase] = [
    MicroCase("session-get-1", "getData submitted and its reply matched, alone", operations: 256) {
        var session = try SampleSession()
        return { for _ in 0..<256 { try session.perform(.getData(path: "/bench", watch: false), 1) } }
    },
    MicroCase("session-get-64", "getData among 64 in flight", operations: 1_024) {
        var session = try SampleSession()
        return { for _ in 0..<16 { try session.perform(.getData(path: "/bench", watch: false), 64) } }
    },
]
