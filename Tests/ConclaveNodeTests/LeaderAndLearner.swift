import ConclaveCore
import ConclaveNode
import ConclaveTree
import ConclaveWire
import Testing

/// The client sides of a leader and of one of its followers, with nothing between them but calls.
struct LeaderAndLearner {
    static let place = SessionPlace.learner(1)

    var leader: MachineHarness
    var learner: MachineHarness
    /// How many of the leader's transactions the learner has.
    private var sent = 0
    /// What the learner asked for since the last look.
    private(set) var calls: [LeaderCall] = []
    /// Every transaction that the learner got.
    private(set) var replicated: [Transaction] = []

    /// - Parameter configure: changes the options of both.
    init(_ configure: (inout ServerOptions) -> Void = { _ in }) {
        self.init(leader: configure, learner: configure)
    }

    init(leader: (inout ServerOptions) -> Void, learner: (inout ServerOptions) -> Void) {
        var options = ServerOptions()
        leader(&options)
        options.serverID = 1
        self.leader = MachineHarness(options)
        options = ServerOptions()
        learner(&options)
        options.serverID = 2
        self.learner = MachineHarness(options)
        serve(as: .follower)
    }

    /// Both begin an epoch.
    mutating func serve(as role: ServingRole) {
        let start = Zxid(epoch: leader.machine.tree.lastProcessed.epoch + 1, counter: 0)
        leader.machine.startServing(as: .leader, epochStart: start, now: leader.now, wall: leader.wall)
        learner.machine.startServing(as: role, epochStart: start, now: learner.now, wall: learner.wall)
        leader.drain()
        learner.drain()
        settle()
    }

    /// Hands on everything that there is to hand on.
    mutating func settle() {
        while true {
            let asked = learner.machine.takeLeaderCalls()
            for call in asked { take(call) }
            leader.drain()
            leader.sync()
            let transactions = leader.log.dropFirst(sent)
            sent = leader.log.count
            for transaction in transactions { learner.machine.enqueue(Proposal(transaction)) }
            if let last = transactions.last {
                learner.machine.committed(through: last.header.zxid, now: learner.now, wall: learner.wall)
            }
            replicated += transactions
            learner.drain()
            if asked.isEmpty, transactions.isEmpty { return }
        }
    }

    private mutating func take(_ call: LeaderCall) {
        calls.append(call)
        switch call {
        case .request(let request, let identities):
            leader.machine.forwarded(
                request, identities: identities, from: Self.place, now: leader.now, wall: leader.wall)
        case .revalidate(let session, _, let isPing):
            let isValid = leader.machine.revalidate(
                session, at: Self.place, isPing: isPing, now: leader.now, wall: leader.wall)
            learner.machine.revalidated(session, isValid: isValid, now: learner.now, wall: learner.wall)
        }
    }

    mutating func takeCalls() -> [LeaderCall] {
        defer { calls = [] }
        return calls
    }

    /// Lets time pass at both, with the touches that the leader asks for.
    mutating func advance(milliseconds: Int64) {
        learner.advance(milliseconds: milliseconds)
        let touches = learner.machine.takeTouchedSessions()
        leader.now = learner.now
        leader.wall = learner.wall
        leader.machine.touched(touches.map { ($0.session, $0.timeoutMilliseconds) }, now: leader.now)
        leader.advance(milliseconds: 0)
        settle()
    }

    /// A connection of the learner with a new session.
    mutating func connect(timeout: Int32 = 10_000) throws -> (id: ConnectionID, session: ConnectResponse) {
        let id = learner.open()
        learner.handshake(id, .new(timeout: timeout))
        settle()
        return (id, try #require(try learner.connectResponse(id)))
    }

    /// A connection that brings a session to the learner; what it is told, `nil` if nothing.
    mutating func reattach(_ session: ConnectResponse) throws -> (id: ConnectionID, answer: ConnectResponse?) {
        let id = learner.open()
        learner.handshake(id, .again(session))
        settle()
        return (id, try learner.connectResponse(id))
    }

    /// Asks the learner, and returns its answer.
    mutating func perform(_ request: ClientRequest, on id: ConnectionID) throws -> MachineHarness.Reply {
        learner.send(request, on: id)
        settle()
        guard case .reply(let reply)? = try learner.next(id, for: request.operation) else {
            throw MachineHarness.HarnessError.noReply
        }
        return reply
    }
}

extension ConnectRequest {
    static func new(timeout: Int32 = 10_000, lastZxidSeen: Zxid = .zero, readOnly: Bool? = false) -> ConnectRequest {
        ConnectRequest(
            lastZxidSeen: lastZxidSeen, timeoutMilliseconds: timeout, session: .none,
            password: [UInt8](repeating: 0, count: 16), readOnly: readOnly)
    }

    static func again(
        _ session: ConnectResponse, lastZxidSeen: Zxid = .zero, readOnly: Bool? = false
    ) -> ConnectRequest {
        ConnectRequest(
            lastZxidSeen: lastZxidSeen, timeoutMilliseconds: 10_000, session: session.session,
            password: session.password, readOnly: readOnly)
    }
}
