import ConclaveCore
import ConclaveSession
import ConclaveWire
import Testing

@Suite struct ConnectingTests {
    @Test("A session comes to be: resolve, connect, ask, connected")
    func firstSession() throws {
        var talk = try Conversation()
        talk.start()
        #expect(talk.actions() == [.resolve(attempt: 1, HostAddress(host: "a", port: 1))])
        talk.machine.resolved(1, addresses: 1, now: talk.now)
        #expect(talk.actions() == [.connect(link: 1, address: 0)])
        talk.machine.connected(1, now: talk.now)
        let request = talk.connectRequest()
        #expect(request?.session == SessionID.none)
        #expect(request?.timeoutMilliseconds == 9_000)
        #expect(request?.password == [UInt8](repeating: 0, count: 16))
        #expect(request?.readOnly == false)
        talk.accept(timeout: 6_000)
        #expect(talk.actions() == [.changed(.connected)])
        #expect(talk.machine.timeoutMilliseconds == 6_000)
        #expect(
            talk.machine.identity == SessionIdentity(session: Conversation.session, password: Conversation.password))
    }

    @Test("Each address of a host is tried before the next host, and each host before a pause")
    func addressesThenHosts() throws {
        var talk = try Conversation("a:1,b:2")
        talk.start()
        guard case .resolve(1, let first) = talk.actions().first else { return #expect(Bool(false)) }
        talk.machine.resolved(1, addresses: 2, now: talk.now)
        guard case .connect(1, let one) = talk.actions().first else { return #expect(Bool(false)) }
        talk.machine.connectionLost(1, reason: "refused", now: talk.now)
        #expect(talk.actions() == [.connect(link: 2, address: 1 - one)])
        talk.machine.connectionLost(2, reason: "refused", now: talk.now)
        guard case .resolve(2, let second) = talk.actions().first else { return #expect(Bool(false)) }
        #expect(Set([first.host, second.host]) == ["a", "b"])
        talk.machine.resolutionFailed(2, reason: "unknown", now: talk.now)
        // A whole round failed: a pause of 25 to 50 ms.
        #expect(talk.actions().isEmpty)
        let pause = talk.machine.nextDeadline.milliseconds(since: talk.now)
        #expect((25...50).contains(pause))
        talk.pass(pause)
        #expect(talk.actions() == [.resolve(attempt: 3, first)])
    }

    @Test("A server that does not answer the handshake is left when its share of the timeout has passed")
    func handshakeTimeout() throws {
        var talk = try Conversation("a:1,b:2,c:3")
        talk.start()
        talk.openConnection()
        talk.pass(2_999)
        #expect(talk.actions().isEmpty)
        talk.pass(1)
        let actions = talk.actions()
        #expect(actions.first == .disconnect(link: 1))
        guard case .resolve(2, _)? = actions.last else { return #expect(Bool(false)) }
    }

    @Test("A name that is not resolved in time counts as a failed attempt, and its late answer is ignored")
    func slowResolution() throws {
        var talk = try Conversation("a:1,b:2")
        talk.start()
        _ = talk.actions()
        talk.pass(4_500)
        guard case .resolve(2, _)? = talk.actions().first else { return #expect(Bool(false)) }
        talk.machine.resolved(1, addresses: 3, now: talk.now)
        #expect(talk.actions().isEmpty)
        #expect(talk.machine.isResolving(2))
    }

    @Test("No session within the connect timeout ends the client as unreachable and names the last cause")
    func unreachable() throws {
        var talk = try Conversation("a:1", { $0.connectTimeoutMilliseconds = 1_000 })
        talk.start()
        while talk.machine.end == nil, talk.time < 10_000 {
            for action in talk.actions() {
                if case .resolve(let attempt, _) = action {
                    talk.machine.resolutionFailed(attempt, reason: "no such host", now: talk.now)
                }
            }
            talk.pass(10)
        }
        #expect(talk.machine.end?.cause == .unreachable)
        #expect(talk.machine.end?.reason.contains("no such host") == true)
        #expect((2_000...2_010).contains(talk.time))
    }

    @Test("A connection cut at each byte of the server's first answer leads to the next attempt")
    func cutHandshake() throws {
        var writer = ByteWriter()
        writer.writeConnectFrame(
            ConnectResponse(
                timeoutMilliseconds: 9_000, session: Conversation.session, password: Conversation.password,
                readOnly: false))
        for length in 0..<writer.count {
            var talk = try Conversation("a:1,b:2")
            talk.start()
            talk.openConnection()
            talk.receive(Array(writer.bytes[..<length]))
            #expect(talk.actions().isEmpty)
            talk.lose()
            guard case .resolve(2, _)? = talk.actions().first else {
                Issue.record("no attempt after \(length) bytes")
                continue
            }
        }
    }

    @Test("The server's first answer may come byte by byte")
    func bytewise() throws {
        var writer = ByteWriter()
        writer.writeConnectFrame(
            ConnectResponse(
                timeoutMilliseconds: 9_000, session: Conversation.session, password: Conversation.password,
                readOnly: false))
        var talk = try Conversation()
        talk.start()
        talk.openConnection()
        for byte in writer.bytes { talk.receive([byte]) }
        #expect(talk.actions() == [.changed(.connected)])
    }

    @Test("An error frame in place of the first answer is a failed attempt")
    func garbageHandshake() throws {
        var talk = try Conversation("a:1,b:2")
        talk.start()
        talk.openConnection()
        talk.refuse(0, .systemError)
        #expect(talk.actions().first == .disconnect(link: 1))
        #expect(talk.machine.end == nil)
    }

    @Test("A loss is followed by an attempt at once, with the session, its password and the last zxid")
    func reattaches() throws {
        var talk = try Conversation()
        talk.establish()
        let id = try talk.submit(.sync(path: "/"))
        talk.reply(1, zxid: 77, .path("/"), to: .sync)
        #expect(talk.actions() == [.complete(id, .reply(.path("/")))])
        talk.time += 2_000
        talk.lose()
        let actions = talk.actions()
        #expect(actions.first == .changed(.suspended))
        guard case .resolve(let attempt, _)? = actions.last else { return #expect(Bool(false)) }
        talk.machine.resolved(attempt, addresses: 1, now: talk.now)
        talk.machine.connected(talk.machine.currentLink, now: talk.now)
        let request = talk.connectRequest()
        #expect(request?.session == Conversation.session)
        #expect(request?.password == Conversation.password)
        #expect(request?.lastZxidSeen == Zxid(rawValue: 77))
        talk.accept()
        #expect(talk.actions().statuses == [.reconnected])
    }

    @Test("A server that keeps accepting and dropping is asked less and less often")
    func flapping() throws {
        var talk = try Conversation()
        talk.establish()
        var pauses: [Int64] = []
        for _ in 0..<6 {
            talk.lose()
            let before = talk.time
            talk.openConnection()
            pauses.append(talk.time - before)
            talk.accept()
        }
        #expect(pauses[5] > 400)
        #expect(pauses.allSatisfy { $0 <= 1_001 })
    }

    @Test("Timeout 0 in the answer ends the session as expired")
    func expiredOnReconnect() throws {
        var talk = try Conversation()
        talk.establish()
        talk.reconnect()
        talk.accept(timeout: 0, session: .none)
        let actions = talk.actions()
        #expect(actions.first == .disconnect(link: talk.machine.currentLink - 1))
        #expect(talk.machine.end?.cause == .expired)
        #expect(throws: RequestFailure.self) { try talk.submit(.ping) }
    }

    @Test("Another session than one's own is never taken up in silence")
    func otherSession() throws {
        var talk = try Conversation()
        talk.establish()
        talk.reconnect()
        talk.accept(session: SessionID(rawValue: 99))
        #expect(talk.machine.end?.cause == .expired)
    }

    @Test("A resumed session is asked for with its password, and its end is told")
    func resumed() throws {
        let identity = SessionIdentity(session: Conversation.session, password: Conversation.password)
        var talk = try Conversation("a:1", { $0.resumed = identity })
        talk.start()
        let request = talk.openConnection()
        #expect(request?.session == identity.session)
        #expect(request?.password == identity.password)
        var gone = talk
        talk.accept()
        #expect(talk.actions().statuses == [.connected] || talk.machine.status == .connected)
        gone.accept(timeout: 0, session: .none)
        #expect(gone.machine.end?.cause == .expired)
    }

    @Test("News of a connection that was given up are ignored")
    func staleNews() throws {
        var talk = try Conversation()
        talk.establish()
        let old = talk.machine.currentLink
        talk.reconnect()
        talk.accept()
        _ = talk.actions()
        talk.machine.connectionLost(old, reason: "late", now: talk.now)
        talk.machine.received(old, [0, 0, 0, 1, 9].span, now: talk.now)
        talk.machine.connected(old, now: talk.now)
        #expect(talk.actions().isEmpty)
        #expect(talk.machine.status == .reconnected)
    }
}
