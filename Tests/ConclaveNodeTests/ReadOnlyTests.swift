import ConclaveCore
import ConclaveNode
import ConclaveTree
import ConclaveWire
import Testing

/// What a server without a leader does for clients that have asked for it (wire-protocol, section 12).
struct ReadOnlyTests {
    /// A server that has served, has lost its leader and is read-only now.
    private struct Lonely {
        var pair: LeaderAndLearner
        /// A session that all servers know, and its last connection.
        let global: (id: ConnectionID, session: ConnectResponse)

        init(_ configure: (inout ServerOptions) -> Void = { $0.readOnlyMode = true }) throws {
            pair = LeaderAndLearner(configure)
            global = try pair.connect()
            #expect(try pair.perform(.create("/a", [7]), on: global.id).header.error == .ok)
            change(to: .readOnly)
        }

        mutating func change(to role: ServingRole) {
            pair.learner.machine.stopServing(now: pair.learner.now, wall: pair.learner.wall)
            if role == .readOnly {
                pair.learner.machine.startServing(as: role, now: pair.learner.now, wall: pair.learner.wall)
                pair.learner.drain()
            } else {
                pair.serve(as: role)
            }
        }

        mutating func greet(_ request: ConnectRequest) throws -> (id: ConnectionID, answer: ConnectResponse?) {
            let id = pair.learner.open()
            pair.learner.handshake(id, request)
            return (id, try pair.learner.connectResponse(id))
        }

        mutating func connect() throws -> (id: ConnectionID, session: ConnectResponse) {
            let (id, answer) = try greet(.new(readOnly: true))
            return (id, try #require(answer))
        }

        func reason(_ id: ConnectionID) -> DropReason? { pair.learner.closed[id] }
    }

    @Test(
        "Clients that asked for it are told that the server is read-only, and read; nobody else hears of their sessions"
    )
    func reads() throws {
        var server = try Lonely()
        let (id, session) = try server.connect()
        #expect(session.readOnly == true && session.timeoutMilliseconds == 10_000 && session.session != .none)
        let get = try server.pair.learner.perform(.getData(path: "/a", watch: true), on: id)
        guard case .data([7], _) = get.body else { return #expect(Bool(false), "\(get)") }
        let missing = try server.pair.learner.perform(.exists(path: "/b", watch: true), on: id)
        #expect(missing.header.error == .noNode)
        #expect(try server.pair.learner.perform(.ping, on: id).header.error == .ok)
        let both = try server.pair.learner.perform(.multiRead([.getData(path: "/a", watch: false)]), on: id)
        #expect(both.header.error == .ok)
        #expect(try server.pair.learner.perform(.closeSession, on: id).header.error == .ok)
        #expect(server.reason(id) == .sessionEnded(session.session))
        #expect(server.pair.learner.machine.takeLeaderCalls().isEmpty && server.pair.learner.unsynced.isEmpty)
    }

    @Test(
        "Whatever needs a quorum is refused, with the last zxid that the server knows",
        arguments: [
            .create("/b"), .create("/b", flags: 1), .create("/b", flags: 4), .delete(path: "/a", version: -1),
            .setData(path: "/a", data: [], version: -1), .setACL(path: "/a", acl: .open, version: -1),
            .multi([.create("/b")]), .sync(path: "/"), .check(path: "/a", version: -1),
            .reconfig(joining: nil, leaving: "1", newMembers: nil, version: -1),
        ] as [ClientRequest])
    func writes(request: ClientRequest) throws {
        var server = try Lonely {
            $0.readOnlyMode = true
            $0.localSessions = true
            $0.upgradesLocalSessions = true
        }
        let (id, _) = try server.connect()
        let xid = server.pair.learner.send(request, on: id)
        guard case .reply(let reply)? = try server.pair.learner.next(id) else { return #expect(Bool(false)) }
        let zxid = server.pair.learner.machine.tree.lastProcessed
        #expect(reply.header == ReplyHeader(xid: xid, zxid: zxid, error: .notReadOnly))
        #expect(server.reason(id) == nil)
        #expect(server.pair.learner.machine.takeLeaderCalls().isEmpty && server.pair.learner.unsynced.isEmpty)
    }

    @Test("Clients that did not ask for it are turned away without a word", arguments: [false, nil] as [Bool?])
    func others(readOnly: Bool?) throws {
        var server = try Lonely()
        let (id, answer) = try server.greet(.new(readOnly: readOnly))
        #expect(answer == nil && server.reason(id) == .onlyReadOnly)
    }

    @Test("Nobody goes back in time")
    func ahead() throws {
        var server = try Lonely()
        let last = server.pair.learner.machine.tree.lastProcessed
        let ahead = Zxid(rawValue: last.rawValue + 1)
        let (id, answer) = try server.greet(.new(lastZxidSeen: ahead, readOnly: true))
        #expect(answer == nil && server.reason(id) == .clientIsAhead(client: ahead, server: last))
        #expect(try server.greet(.new(lastZxidSeen: last, readOnly: true)).answer?.readOnly == true)
    }

    @Test("Of sessions that are not its own it says nothing: neither that they live nor that they have ended")
    func strangers() throws {
        var server = try Lonely()
        let (id, answer) = try server.greet(.again(server.global.session, readOnly: true))
        #expect(answer == nil && server.reason(id) == .judgedElsewhere(server.global.session.session))
        var unknown = server.global.session
        unknown.session = SessionID(rawValue: 2 << 56 | 5)
        unknown.password = SessionPassword.make(for: unknown.session)
        let (other, silence) = try server.greet(.again(unknown, readOnly: true))
        #expect(silence == nil && server.reason(other) == .judgedElsewhere(unknown.session))
        // A global session is as it was when there is a leader again.
        server.change(to: .follower)
        #expect(try server.pair.reattach(server.global.session).answer?.session == server.global.session.session)
    }

    @Test("A session of its own comes back, with its password only")
    func own() throws {
        var server = try Lonely()
        let (first, session) = try server.connect()
        let (second, answer) = try server.greet(.again(session, readOnly: true))
        #expect(answer?.session == session.session && answer?.readOnly == true)
        #expect(server.reason(first) == .sessionMoved(session.session))
        var wrong = session
        wrong.password[3] ^= 1
        #expect(try server.greet(.again(wrong, readOnly: true)).answer?.session == SessionID.none)
        #expect(server.reason(second) == nil)
    }

    @Test("A session that is not heard of ends")
    func expiry() throws {
        var server = try Lonely()
        let (id, session) = try server.connect()
        server.pair.learner.advance(milliseconds: 9_000)
        #expect(try server.pair.learner.perform(.ping, on: id).header.error == .ok)
        server.pair.learner.advance(milliseconds: 9_000)
        #expect(server.reason(id) == nil)
        server.pair.learner.advance(milliseconds: 4_000)
        #expect(server.reason(id) == .sessionEnded(session.session))
    }

    @Test("When a leader is found everybody is dropped, and sessions that nobody else knows are forgotten")
    func back() throws {
        var server = try Lonely()
        let (id, session) = try server.connect()
        server.change(to: .follower)
        #expect(server.reason(id) == .notServing)
        #expect(server.pair.learner.machine.localSessionCount == 0)
        #expect(try server.pair.reattach(session).answer?.session == SessionID.none)
        let (other, writer) = try server.pair.connect()
        #expect(writer.readOnly == false)
        #expect(try server.pair.perform(.create("/b"), on: other).header.error == .ok)
    }

    @Test("With local sessions a session goes on through both kinds of serving, at this one server")
    func localThrough() throws {
        var server = try Lonely {
            $0.readOnlyMode = true
            $0.localSessions = true
        }
        let (_, again) = try server.greet(.again(server.global.session, readOnly: true))
        #expect(again?.session == server.global.session.session && again?.readOnly == true)
        server.change(to: .follower)
        let (id, answer) = try server.pair.reattach(server.global.session)
        #expect(answer?.session == server.global.session.session && answer?.readOnly == false)
        #expect(try server.pair.perform(.create("/b"), on: id).header.error == .ok)
    }
}
