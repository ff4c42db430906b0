import ConclaveCore
import ConclaveNode
import ConclaveTree
import ConclaveWire
import Testing

struct SessionTests {
    @Test(
        "Time-outs are held within the server's bounds", arguments: [(1, 6000), (10_000, 10_000), (1_000_000, 60_000)])
    func negotiation(asked: Int32, granted: Int32) throws {
        var server = MachineHarness()
        #expect(try server.connect(timeout: asked).session.timeoutMilliseconds == granted)
    }

    @Test("Old clients without the read-only byte get an answer without it")
    func oldHandshake() throws {
        var server = MachineHarness()
        let id = server.open()
        server.handshake(
            id,
            ConnectRequest(
                lastZxidSeen: .zero, timeoutMilliseconds: 10_000, session: .none, password: [], readOnly: nil))
        server.sync()
        #expect(try server.connectResponse(id)?.readOnly == nil)
    }

    @Test("Passwords are the reference's")
    func passwords() {
        func hex(_ id: UInt64) -> String {
            SessionPassword.make(for: SessionID(rawValue: Int64(bitPattern: id)))
                .map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        }
        #expect(hex(1) == "054cc74a37327db215e702e20c73f005")
        #expect(hex(0x0100_0000_0000_0000) == "f22acd4a97e69d6d20a49bb638eadb38")
        #expect(hex(.max) == "20f62cb5648dc2d771471c8a2486a9ee")
    }

    @Test("A session moves to the connection that knows its password; the old one is closed")
    func reattach() throws {
        var server = MachineHarness()
        let (first, session) = try server.connect()
        let second = server.open()
        server.handshake(
            second,
            ConnectRequest(
                lastZxidSeen: .zero, timeoutMilliseconds: 10_000, session: session.session, password: session.password,
                readOnly: false))
        #expect(try server.connectResponse(second)?.session == session.session)
        #expect(server.closed[first] == .sessionMoved(session.session))
        #expect(try server.perform(.create("/a", flags: 1), on: second).header.error == .ok)
    }

    @Test("A wrong password gets zeroes, and the connection that holds the session stays")
    func wrongPassword() throws {
        var server = MachineHarness()
        let (first, session) = try server.connect()
        let second = server.open()
        server.handshake(
            second,
            ConnectRequest(
                lastZxidSeen: .zero, timeoutMilliseconds: 10_000, session: session.session,
                password: [UInt8](repeating: 1, count: 16), readOnly: false))
        let response = try #require(try server.connectResponse(second))
        #expect(response.timeoutMilliseconds == 0 && response.session == .none)
        #expect(response.password == [UInt8](repeating: 0, count: 16))
        #expect(server.closed[second] == .unknownSession(session.session))
        #expect(server.closed[first] == nil)
    }

    @Test("A client that has seen more than this server is closed without an answer")
    func clientAhead() throws {
        var server = MachineHarness()
        let id = server.open()
        server.handshake(
            id,
            ConnectRequest(
                lastZxidSeen: Zxid(rawValue: 99), timeoutMilliseconds: 10_000, session: .none, password: [],
                readOnly: false))
        #expect(try server.nextFrame(id) == nil)
        #expect(server.closed[id] != nil)
    }

    @Test("A silent session expires between its time-out and a tick later, and its ephemerals go")
    func expiry() throws {
        var server = MachineHarness()
        let (client, session) = try server.connect(timeout: 6000)
        let watcher = try server.connect(timeout: 60_000).id
        _ = try server.perform(.create("/e", flags: 1), on: client)
        _ = try server.perform(.exists(path: "/e", watch: true), on: watcher)
        var elapsed: Int64 = 0
        while server.unsynced.isEmpty {
            server.advance(milliseconds: 500)
            elapsed += 500
            server.send(.ping, on: watcher, xid: ReservedXid.ping)
            _ = try server.next(watcher)
        }
        #expect((6000...9500).contains(elapsed))
        #expect(server.unsynced.first?.change == .closeSession(paths: ["/e"]))
        server.sync()
        #expect(try server.events(watcher).map(\.type) == [WatchEvent.Kind.deleted.rawValue])
        #expect(server.closed[client] == .sessionEnded(session.session))
        #expect(server.machine.tree.sessions[session.session] == nil)
    }

    @Test("Requests behind a close of their session are refused, and its ephemerals in flight go with it")
    func closing() throws {
        var server = MachineHarness()
        let (client, session) = try server.connect()
        server.send(.create("/e", flags: 1), on: client)
        server.send(.closeSession, on: client)
        server.send(.create("/late", flags: 1), on: client)
        server.sync()
        #expect(server.log.contains { $0.change == .closeSession(paths: ["/e"]) })
        #expect(server.machine.tree.find(NodePath("/e")) == nil)
        #expect(server.machine.tree.find(NodePath("/late")) == nil)
        #expect(server.machine.tree.ephemerals(of: session.session).isEmpty)
        #expect(server.closed[client] == .sessionEnded(session.session))
    }

    @Test("A connection that says nothing is closed after ten seconds")
    func sessionless() throws {
        var server = MachineHarness()
        let id = server.open()
        server.advance(milliseconds: 9000)
        #expect(server.closed[id] == nil)
        server.advance(milliseconds: 1500)
        #expect(server.closed[id] == .noSessionInTime)
    }

    @Test("Four-letter words are seen on fresh connections only")
    func commands() throws {
        var server = MachineHarness()
        let id = server.open()
        server.deliver(Array("ru".utf8), on: id)
        #expect(server.commands.isEmpty)
        server.deliver(Array("ok".utf8), on: id)
        #expect(server.commands.map(\.word) == ["ruok"])
        let other = server.open()
        server.deliver(Array("nope".utf8), on: other)
        #expect(server.closed[other] != nil)
    }

    @Test("Sessions found in the tree get a full time-out, owners without a session lose their nodes")
    func restart() throws {
        var server = MachineHarness()
        let (client, session) = try server.connect(timeout: 6000)
        _ = try server.perform(.create("/e", flags: 1), on: client)
        var restarted = MachineHarness(tree: server.machine.tree)
        #expect(restarted.unsynced.isEmpty)
        restarted.advance(milliseconds: 5999)
        #expect(restarted.unsynced.isEmpty)
        let again = restarted.open()
        restarted.handshake(
            again,
            ConnectRequest(
                lastZxidSeen: .zero, timeoutMilliseconds: 6000, session: session.session, password: session.password,
                readOnly: false))
        #expect(try restarted.connectResponse(again)?.session == session.session)
    }
}
