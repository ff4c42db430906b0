import ConclaveClient
import ConclaveCore
import ConclaveWire
import TestLanes
import Testing

/// A client whose server is played by the test.
@Suite(.live) struct LostConnectionTests {
    @Test("Attempts that are refused, cut or answered with nonsense are followed by others until one succeeds")
    func stubbornConnect() async throws {
        let server = try FakeServer()
        defer { server.stop() }
        async let connecting = ZooKeeperClient.connect(to: server.connectString)
        let first = await server.connection()
        first.cut()
        let second = await server.connection()
        _ = try await second.connectRequest()
        second.send([0, 0, 0, 20, 1, 2])
        second.cut()
        let third = await server.connection()
        third.send([0xFF, 0xFF, 0xFF, 0xFF])
        _ = try await server.session()
        let client = try await connecting
        #expect(client.state == .connected)
        #expect(client.sessionID == FakeServer.session)
        #expect(client.ticket.password == FakeServer.password)
    }

    @Test("A call whose answer is cut off at any byte throws connection loss with its path, outcome unknown")
    func cutAnswer() async throws {
        let server = try FakeServer()
        defer { server.stop() }
        var (client, peer) = try await server.client()
        let whole = FakePeer.replyFrame(1, .data([1, 2, 3], .owned()), to: .getData)
        for length in [0, 3, 22, whole.count - 1] {
            async let call = Self.error { _ = try await client.data(at: "/a/b") }
            let (xid, _) = try await peer.request()
            peer.send(Array(FakePeer.replyFrame(xid, .data([1, 2, 3], .owned()), to: .getData).prefix(length)))
            peer.cut()
            let error = await call
            #expect(error?.code == .connectionLoss)
            #expect(error?.isOutcomeUnknown == true)
            #expect(error?.path == "/a/b")
            #expect(error?.message.hasPrefix("getData: ") == true)
            let (next, request) = try await server.session()
            #expect(request.session == FakeServer.session)
            peer = next
        }
    }

    @Test("Calls made without a connection wait for the next one, behind credentials and watches")
    func waiting() async throws {
        let server = try FakeServer()
        defer { server.stop() }
        let (client, peer) = try await server.client { $0.credentials = [.digest(user: "u", password: "p")] }
        let (auth, _) = try await peer.request()
        peer.reply(auth)
        async let armed = client.watchChildren(of: "/w")
        let (xid, _) = try await peer.request()
        peer.reply(xid, zxid: 9, .children(["b", "a"], .owned()), to: .getChildren2)
        let (children, change) = try await armed
        #expect(children.names == ["a", "b"])
        peer.cut()
        await Self.wait(for: .suspended, of: client)
        async let stat = client.exists("/late")
        let (next, request) = try await server.session()
        #expect(request.lastZxidSeen == Zxid(rawValue: 9))
        #expect(try await next.request().body == .auth(scheme: "digest", credential: Array("u:p".utf8)))
        #expect(
            try await next.request().body == .setWatches(SetWatches(relativeZxid: Zxid(rawValue: 9), child: ["/w"])))
        let (late, body) = try await next.request()
        #expect(body == .exists(path: "/late", watch: false))
        next.reply(ReservedXid.auth)
        next.event(.childrenChanged, "/w")
        next.reply(ReservedXid.setWatches)
        next.refuse(late, .noNode)
        #expect(try await change.fired() == WatchEvent(.childrenChanged, path: "/w"))
        #expect(try await stat == nil)
        #expect(client.state == .reconnected)
    }

    @Test("An expired session is told to every call, watch, hold and reader of states, and is never replaced")
    func expiry() async throws {
        let server = try FakeServer()
        defer { server.stop() }
        let (client, peer) = try await server.client()
        async let states = Self.collect(client.states)
        async let sameStates = Self.collect(client.states)
        async let armed = client.watchExists("/w")
        let (xid, _) = try await peer.request()
        peer.refuse(xid, .noNode)
        let (stat, change) = try await armed
        #expect(stat == nil)
        async let persisting = client.watch("/p", recursive: true)
        peer.reply(try await peer.request().xid, to: .addWatch)
        let persistent = try await persisting
        #expect(client.isHolding)
        async let hold = client.holdEnd()
        async let fired = Self.error { _ = try await change.fired() }
        async let events = Self.error { for try await _ in persistent {} }
        peer.cut()
        let next = await server.connection()
        async let call = Self.error { _ = try await client.data(at: "/a") }
        #expect(try await next.connectRequest().session == FakeServer.session)
        next.expire()
        #expect(await call?.code == .sessionExpired)
        #expect(await fired?.code == .sessionExpired)
        #expect(await fired?.path == "/w")
        #expect(await events?.code == .sessionExpired)
        #expect(try await hold == .sessionOver(ZooKeeperError(.sessionExpired)))
        #expect(client.state == .expired)
        #expect(!client.isHolding)
        let told = await states
        #expect(told.last == .expired)
        #expect(told.dropLast().allSatisfy { $0 == .connected || $0 == .suspended })
        #expect(await sameStates.last == .expired)
        #expect(await Self.collect(client.states) == [.expired])
        #expect(await Self.error { try await client.delete("/a") }?.code == .sessionExpired)
        #expect(try await client.holdEnd() == .sessionOver(ZooKeeperError(.sessionExpired)))
        await client.close()
    }

    @Test("Closing ends holds before the server has answered: others may hold by then")
    func closingEndsHolds() async throws {
        let server = try FakeServer()
        defer { server.stop() }
        let (client, peer) = try await server.client()
        #expect(client.isHolding)
        async let hold = client.holdEnd()
        async let closing: Void = client.close()
        let (xid, request) = try await peer.request()
        #expect(request == .closeSession)
        #expect(!client.isHolding)
        // The first is told with the close, or has come after it and finds that nothing is held.
        let end = try await hold
        #expect(end == .sessionOver(ZooKeeperError(.closed)) || end == .lapsed)
        peer.reply(xid, to: .closeSession)
        await closing
    }

    @Test("A server that falls silent lapses the hold and then ends the session by the client's own clock")
    func silence() async throws {
        let server = try FakeServer()
        defer { server.stop() }
        let (client, _) = try await server.client(timeout: 2_000)
        // A machine that is so busy that the client's loop runs only after the whole time-out tells the end of the session.
        let end = try await client.holdEnd()
        #expect(end == .lapsed || client.state == .expired, "\(String(describing: end))")
        #expect(!client.isHolding)
        #expect(client.validUntil <= ContinuousClock.now)
        await Self.wait(for: .expired, of: client)
        let error = await Self.error { _ = try await client.exists("/") }
        #expect(error?.code == .sessionExpired)
        #expect(error?.message.contains("no server was reached") == true)
    }

    @Test("A refused credential ends the client: connecting fails or the next call does, and nothing is tried again")
    func authenticationFailure() async throws {
        let server = try FakeServer()
        defer { server.stop() }
        let (client, peer) = try await server.client()
        async let call = Self.error { try await client.authenticate(Credential(scheme: "odd", secret: [1])) }
        let (xid, body) = try await peer.request()
        #expect(body == .auth(scheme: "odd", credential: [1]))
        peer.refuse(xid, .authenticationFailed)
        let error = await call
        #expect(error?.code == .authenticationFailed)
        #expect(error?.message.contains("odd") == true)
        #expect(client.state == .authenticationFailed)
        #expect(await peer.isClosed())
    }

    @Test("An address where nobody listens is unreachable, in time and with the cause")
    func unreachable() async throws {
        let server = try FakeServer()
        server.stop()
        var options = ZooKeeperClient.Options()
        options.connectTimeout = .milliseconds(100)
        let error = await Self.error {
            _ = try await ZooKeeperClient.connect(to: server.connectString, options: options)
        }
        #expect(error?.code == .unreachable)
    }

    @Test("Connecting can be cancelled")
    func cancelledConnect() async throws {
        let server = try FakeServer()
        defer { server.stop() }
        let task = Task { await Self.error { _ = try await ZooKeeperClient.connect(to: server.connectString) } }
        let peer = await server.connection()
        _ = try await peer.connectRequest()
        task.cancel()
        #expect(await task.value?.code == .cancelled)
        #expect(await peer.isClosed())
    }

    static func error(_ body: () async throws -> Void) async -> ZooKeeperError? {
        do {
            try await body()
            return nil
        } catch {
            return error as? ZooKeeperError
        }
    }

    static func collect(_ states: SessionStates) async -> [SessionState] {
        var all: [SessionState] = []
        for await state in states { all.append(state) }
        return all
    }

    static func wait(for state: SessionState, of client: ZooKeeperClient) async {
        for await next in client.states where next == state { return }
    }
}
