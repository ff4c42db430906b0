import ConclaveCore
import ConclaveNode
import ConclaveTree
import ConclaveWire
import Testing

/// Sessions that only one server knows (wire-protocol, section 12; quorum-protocol, section 8).
struct LocalSessionTests {
    private static func local(_ options: inout ServerOptions) { options.localSessions = true }

    private static func upgrading(_ options: inout ServerOptions) {
        options.localSessions = true
        options.upgradesLocalSessions = true
    }

    private static let ephemeral = ClientRequest.create("/e", flags: 1)

    // MARK: Kept to itself

    @Test("A session at a learner is made and ended without the leader and without a transaction")
    func noTransaction() throws {
        var pair = LeaderAndLearner(Self.local)
        let (id, session) = try pair.connect()
        #expect(session.session != .none && session.timeoutMilliseconds == 10_000 && session.readOnly == false)
        #expect(pair.learner.machine.localSessionCount == 1 && pair.learner.machine.tree.sessions.isEmpty)
        #expect(try pair.perform(.ping, on: id).header.error == .ok)
        #expect(try pair.perform(.closeSession, on: id).header.error == .ok)
        #expect(pair.learner.closed[id] == .sessionEnded(session.session))
        #expect(pair.learner.machine.localSessionCount == 0)
        #expect(pair.calls.isEmpty && pair.replicated.isEmpty)
    }

    @Test("A leader keeps the sessions of its own clients to itself as well")
    func atLeader() throws {
        var pair = LeaderAndLearner(Self.local)
        let (id, session) = try pair.leader.connect()
        #expect(pair.leader.machine.localSessionCount == 1)
        #expect(try pair.leader.perform(.create("/a"), on: id).header.error == .ok)
        #expect(try pair.leader.perform(.closeSession, on: id).header.error == .ok)
        #expect(pair.leader.closed[id] == .sessionEnded(session.session))
        #expect(pair.leader.log.count == 1)
    }

    @Test("Without the option sessions are global")
    func off() throws {
        var pair = LeaderAndLearner()
        let (_, session) = try pair.connect()
        #expect(pair.learner.machine.tree.sessions.keys.contains(session.session))
        #expect(pair.learner.machine.localSessionCount == 0)
    }

    @Test("Writes of a session that it does not know a leader carries out for another server")
    func writes() throws {
        var pair = LeaderAndLearner(Self.local)
        let (id, _) = try pair.connect()
        #expect(try pair.perform(.create("/a", [1]), on: id).header.error == .ok)
        #expect(try pair.perform(.setData(path: "/a", data: [2], version: 0), on: id).header.error == .ok)
        let get = try pair.perform(.getData(path: "/a", watch: false), on: id)
        guard case .data([2], _) = get.body else { return #expect(Bool(false), "\(get)") }
    }

    @Test("A leader without local sessions refuses them: it knows every session that there is")
    func leaderWithout() throws {
        var pair = LeaderAndLearner(leader: { _ in }, learner: Self.local)
        let (id, _) = try pair.connect()
        #expect(try pair.perform(.create("/a"), on: id).header.error == .sessionExpired)
    }

    @Test("A leader refuses unknown sessions of its own number, and those that it has seen end")
    func ended() throws {
        var pair = LeaderAndLearner(Self.upgrading)
        let own = SessionID(rawValue: 1 << 56 | 77)
        func asks(_ session: SessionID, _ request: ClientRequest = .create("/x")) -> ForwardedRequest {
            var body = ByteWriter()
            request.encodeBody(into: &body)
            return ForwardedRequest(session: session, cxid: 9, operation: request.operation, body: body.bytes)
        }
        func answer(_ request: ForwardedRequest) -> Change? {
            pair.leader.machine.forwarded(
                request, identities: [], from: LeaderAndLearner.place, now: pair.leader.now, wall: pair.leader.wall)
            pair.leader.drain()
            pair.settle()
            return pair.replicated.last?.change
        }
        let expired = Change.error(code: ZooKeeperError.Code.sessionExpired.rawValue)
        #expect(answer(asks(own)) == expired)
        #expect(answer(asks(SessionID(rawValue: 2 << 56 | 77), Self.ephemeral)) == expired)
        let (id, session) = try pair.connect()
        #expect(try pair.perform(Self.ephemeral, on: id).header.error == .ok)
        #expect(try pair.perform(.closeSession, on: id).header.error == .ok)
        #expect(answer(asks(session.session)) == expired)
        guard case .create? = answer(asks(SessionID(rawValue: 2 << 56 | 78))) else { return #expect(Bool(false)) }
    }

    // MARK: Ending and moving

    @Test("The server ends a local session by itself that is not heard of; pings keep it")
    func expiry() throws {
        var pair = LeaderAndLearner(Self.local)
        let (id, session) = try pair.connect(timeout: 10_000)
        for _ in 0..<5 {
            pair.advance(milliseconds: 6_000)
            #expect(try pair.perform(.ping, on: id).header.error == .ok)
        }
        #expect(pair.learner.closed[id] == nil)
        pair.advance(milliseconds: 13_000)
        #expect(pair.learner.closed[id] == .sessionEnded(session.session))
        #expect(pair.learner.machine.localSessionCount == 0 && pair.learner.machine.statistics.sessionsExpired == 1)
        #expect(try pair.reattach(session).answer?.session == SessionID.none)
        #expect(pair.replicated.isEmpty)
    }

    @Test("Its own server takes it back, and closes the connection that had it")
    func reattach() throws {
        var pair = LeaderAndLearner(Self.local)
        let (first, session) = try pair.connect()
        let (second, answer) = try pair.reattach(session)
        #expect(answer?.session == session.session)
        #expect(pair.learner.closed[first] == .sessionMoved(session.session))
        #expect(try pair.perform(.create("/a"), on: second).header.error == .ok)
        #expect(pair.learner.machine.localSessionCount == 1)
    }

    @Test("At any other server it has ended")
    func moved() throws {
        var pair = LeaderAndLearner(Self.local)
        let (_, session) = try pair.connect()
        let id = pair.leader.open()
        pair.leader.handshake(id, .again(session))
        #expect(try pair.leader.connectResponse(id)?.session == SessionID.none)
        #expect(pair.leader.closed[id] == .unknownSession(session.session))
        let (_, other) = try pair.leader.connect()
        #expect(try pair.reattach(other).answer?.session == SessionID.none)
    }

    @Test("It outlives its server's role, with its full time, if the client comes back there")
    func roleEnds() throws {
        var pair = LeaderAndLearner(Self.local)
        let (id, session) = try pair.connect()
        pair.learner.machine.stopServing(now: pair.learner.now, wall: pair.learner.wall)
        pair.learner.drain()
        #expect(pair.learner.closed[id] == .notServing)
        // As long as nobody is served, nobody's time is over.
        pair.learner.advance(milliseconds: 60_000)
        pair.serve(as: .follower)
        pair.learner.advance(milliseconds: 9_000)
        #expect(try pair.reattach(session).answer?.session == session.session)
    }

    @Test("Local sessions count towards the limit of sessions")
    func limit() throws {
        var pair = LeaderAndLearner {
            $0.localSessions = true
            $0.sessionLimit = 2
        }
        _ = try pair.connect()
        _ = try pair.connect()
        let id = pair.learner.open()
        pair.learner.handshake(id, .new())
        #expect(pair.learner.closed[id] == .sessionLimit(2))
    }

    @Test("A client's close waits for what it has asked for before")
    func closeBehindWrite() throws {
        var pair = LeaderAndLearner(Self.local)
        let (id, _) = try pair.connect()
        let write = pair.learner.send(.create("/a"), on: id)
        let close = pair.learner.send(.closeSession, on: id)
        #expect(try pair.learner.next(id) == nil)
        pair.settle()
        guard case .reply(let first)? = try pair.learner.next(id, for: .create2),
            case .reply(let second)? = try pair.learner.next(id, for: .closeSession)
        else { return #expect(Bool(false)) }
        #expect(first.header.xid == write && second.header.xid == close)
    }

    // MARK: Ephemeral nodes

    @Test("Ephemeral nodes are refused, in a multi too, and nobody else hears of it", arguments: [1, 3] as [Int32])
    func refused(flags: Int32) throws {
        var pair = LeaderAndLearner(Self.local)
        let (id, _) = try pair.connect()
        let create = try pair.perform(.create("/e", flags: flags), on: id)
        #expect(create.header.error == .ephemeralOnLocalSession)
        let multi = try pair.perform(
            .multi([.create("/a"), .create("/e", flags: flags), .delete(path: "/b", version: -1)]), on: id)
        #expect(multi.header.error == .ok)
        #expect(
            multi.body
                == .multi([.failed(.ok), .failed(.ephemeralOnLocalSession), .failed(.runtimeInconsistency)]))
        #expect(pair.calls.isEmpty && pair.replicated.isEmpty)
        let (own, _) = try pair.leader.connect()
        #expect(try pair.leader.perform(Self.ephemeral, on: own).header.error == .ephemeralOnLocalSession)
        #expect(pair.leader.log.isEmpty)
    }

    @Test("A refusal waits for what was asked for before")
    func refusedInOrder() throws {
        var pair = LeaderAndLearner(Self.local)
        let (id, _) = try pair.connect()
        let write = pair.learner.send(.create("/a"), on: id)
        let refused = pair.learner.send(Self.ephemeral, on: id)
        #expect(try pair.learner.next(id) == nil)
        pair.settle()
        guard case .reply(let first)? = try pair.learner.next(id, for: .create2),
            case .reply(let second)? = try pair.learner.next(id)
        else { return #expect(Bool(false)) }
        #expect(first.header.xid == write && first.header.error == .ok)
        #expect(second.header.xid == refused && second.header.error == .ephemeralOnLocalSession)
    }

    @Test(
        "With upgrading, the first ephemeral node makes the session a global one, with a transaction in front of its own"
    )
    func upgrade() throws {
        var pair = LeaderAndLearner(Self.upgrading)
        let (id, session) = try pair.connect()
        #expect(try pair.perform(.create("/p"), on: id).header.error == .ok)
        #expect(pair.learner.machine.localSessionCount == 1)
        #expect(try pair.perform(Self.ephemeral, on: id).header.error == .ok)
        #expect(pair.replicated.dropFirst().first?.change == .createSession(timeoutMilliseconds: 10_000))
        #expect(pair.replicated.map(\.header.session) == [session.session, session.session, session.session])
        #expect(pair.learner.machine.localSessionCount == 0)
        #expect(pair.learner.machine.tree.ephemerals(of: session.session) == ["/e"])
        // The next ones find it so, and so does any server that it goes to.
        #expect(try pair.perform(.create("/f", flags: 1), on: id).header.error == .ok)
        #expect(pair.replicated.count == 4)
        let other = pair.leader.open()
        pair.leader.handshake(other, .again(session))
        #expect(try pair.leader.connectResponse(other)?.session == session.session)
        #expect(try pair.leader.perform(.closeSession, on: other).header.error == .ok)
        pair.settle()
        #expect(pair.learner.machine.tree.ephemeralCount == 0)
    }

    @Test("When the last local session has gone its server need not be woken for it any more")
    func rest() throws {
        var pair = LeaderAndLearner(Self.upgrading)
        let (id, _) = try pair.connect()
        #expect(try pair.perform(Self.ephemeral, on: id).header.error == .ok)
        let (other, _) = try pair.connect()
        #expect(try pair.perform(.closeSession, on: other).header.error == .ok)
        #expect(pair.learner.machine.localSessionCount == 0)
        pair.advance(milliseconds: 60_000)
        #expect(pair.learner.machine.nextDeadline > pair.learner.now)
    }

    @Test("A multi with an ephemeral node upgrades as well, and so does a leader for its own clients")
    func upgradeByMulti() throws {
        var pair = LeaderAndLearner(Self.upgrading)
        let (id, session) = try pair.connect()
        let multi = try pair.perform(.multi([.create("/a"), Self.ephemeral]), on: id)
        #expect(multi.header.error == .ok)
        #expect(pair.learner.machine.tree.ephemerals(of: session.session) == ["/e"])
        let (own, other) = try pair.leader.connect()
        #expect(try pair.leader.perform(.create("/g", flags: 1), on: own).header.error == .ok)
        #expect(pair.leader.machine.tree.ephemerals(of: other.session) == ["/g"])
        #expect(pair.leader.machine.localSessionCount == 0)
    }

    @Test("An upgraded session ends by the leader's clock, and its pings mean that the leader has heard")
    func upgradedExpiry() throws {
        var pair = LeaderAndLearner(Self.upgrading)
        let (id, session) = try pair.connect()
        #expect(try pair.perform(Self.ephemeral, on: id).header.error == .ok)
        _ = pair.takeCalls()
        #expect(try pair.perform(.ping, on: id).header.error == .ok)
        #expect(pair.takeCalls() == [.revalidate(session.session, timeoutMilliseconds: 10_000, isPing: true)])
        // The leader is told of what was heard, and of nothing later.
        pair.advance(milliseconds: 1_000)
        #expect(pair.learner.closed[id] == nil)
        pair.advance(milliseconds: 14_000)
        #expect(pair.learner.closed[id] == .sessionEnded(session.session))
        #expect(pair.learner.machine.tree.ephemeralCount == 0 && pair.learner.machine.tree.sessions.isEmpty)
    }

    @Test("A ping during the upgrade is answered when the leader knows the session")
    func pingDuringUpgrade() throws {
        var pair = LeaderAndLearner(Self.upgrading)
        let (id, session) = try pair.connect()
        pair.learner.send(Self.ephemeral, on: id)
        pair.learner.send(.ping, on: id, xid: ReservedXid.ping)
        #expect(try pair.learner.next(id) == nil)
        pair.settle()
        guard case .reply(let create)? = try pair.learner.next(id, for: .create2),
            case .reply(let ping)? = try pair.learner.next(id)
        else { return #expect(Bool(false)) }
        #expect(create.header.error == .ok && ping.header.xid == ReservedXid.ping)
        #expect(pair.calls.last == .revalidate(session.session, timeoutMilliseconds: 10_000, isPing: true))
    }

    @Test("A client that comes back during the upgrade waits for its end")
    func reattachDuringUpgrade() throws {
        var pair = LeaderAndLearner(Self.upgrading)
        let (first, session) = try pair.connect()
        pair.learner.send(Self.ephemeral, on: first)
        let second = pair.learner.open()
        pair.learner.handshake(second, .again(session))
        #expect(try pair.learner.connectResponse(second) == nil)
        #expect(pair.learner.closed[first] == .sessionMoved(session.session))
        pair.settle()
        #expect(try pair.learner.connectResponse(second)?.session == session.session)
        #expect(try pair.perform(.exists(path: "/e", watch: false), on: second).header.error == .ok)
        #expect(!pair.calls.contains(.revalidate(session.session, timeoutMilliseconds: 10_000)))
    }

    @Test("A leader that has no room for the session refuses the node, and the session is over")
    func refusedUpgrade() throws {
        var pair = LeaderAndLearner(
            leader: {
                Self.upgrading(&$0)
                $0.sessionLimit = 0
            }, learner: Self.upgrading)
        let (id, session) = try pair.connect()
        #expect(try pair.perform(Self.ephemeral, on: id).header.error == .sessionExpired)
        #expect(pair.learner.closed[id] == .sessionEnded(session.session))
        #expect(try pair.reattach(session).answer?.session == SessionID.none)
    }

    @Test("If the role ends during the upgrade the session is not local again: the transaction may still come")
    func roleEndsDuringUpgrade() throws {
        var pair = LeaderAndLearner(Self.upgrading)
        let (id, session) = try pair.connect()
        pair.learner.send(Self.ephemeral, on: id)
        // The leader never hears of it.
        _ = pair.learner.machine.takeLeaderCalls()
        pair.learner.machine.stopServing(now: pair.learner.now, wall: pair.learner.wall)
        pair.serve(as: .follower)
        #expect(pair.learner.machine.localSessionCount == 0)
        #expect(try pair.reattach(session).answer?.session == SessionID.none)
    }
}
