import ConclaveCore
import ConclaveNode
import ConclaveTree
import ConclaveWire
import Testing

/// A session whose client has gone from one learner to another server, while things of it are still on their way.
@Suite struct MovedSessionTests {
    private static let node = ClientRequest.create(
        CreateRequest(path: "/late", data: [], acl: .open, mode: .persistent, wantsStat: true))

    /// What the leader tells another learner about the session.
    private static func ask(_ pair: inout LeaderAndLearner, _ session: ConnectResponse, isPing: Bool = false) -> Bool {
        let (now, wall) = (pair.leader.now, pair.leader.wall)
        return pair.leader.machine.revalidate(
            session.session, at: .learner(9), isPing: isPing, now: now, wall: wall)
    }

    @Test("A ping that was long on its way does not take a session back, and so no write behind it is done")
    func latePing() throws {
        var pair = LeaderAndLearner()
        let (id, session) = try pair.connect()
        // The client goes elsewhere; this learner has not heard of it yet.
        let hasMoved = Self.ask(&pair, session)
        #expect(hasMoved)
        pair.learner.send(.ping, on: id, xid: ReservedXid.ping)
        pair.learner.send(Self.node, on: id)
        pair.settle()
        #expect(pair.calls.contains(.revalidate(session.session, timeoutMilliseconds: 10_000, isPing: true)))
        #expect(pair.leader.log.allSatisfy { if case .create = $0.change { false } else { true } })
        #expect(pair.learner.closed[id] != nil)
        // Where the client is now its pings go on proving the session.
        let isThere = Self.ask(&pair, session, isPing: true)
        #expect(isThere)
    }

    @Test("A client that comes back takes its session along")
    func comesBack() throws {
        var pair = LeaderAndLearner()
        let (_, session) = try pair.connect()
        let hasMoved = Self.ask(&pair, session)
        #expect(hasMoved)
        let (id, answer) = try pair.reattach(session)
        #expect(answer?.session == session.session)
        #expect(try pair.perform(Self.node, on: id).header.error == .ok)
    }
}
