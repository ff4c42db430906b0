import ConclaveCore
import ConclaveSession
import ConclaveWire
import Testing

@Suite struct IdentityTests {
    static let credential = SessionCredential(scheme: "digest", secret: Array("u:p".utf8))

    @Test("A credential is sent at once, its answer told, and it is sent again on the next connection before all else")
    func authenticate() throws {
        var talk = try Conversation()
        talk.establish()
        let id = try talk.machine.authenticate(Self.credential, now: talk.now)
        let auth = SentFrame(
            xid: ReservedXid.auth, request: .auth(scheme: "digest", credential: Self.credential.secret))
        #expect(talk.requests() == [auth])
        talk.reply(ReservedXid.auth)
        #expect(talk.actions() == [.done(id)])
        talk.lose()
        try talk.submit(.sync(path: "/"))
        talk.openConnection()
        talk.accept()
        #expect(talk.requests().first == auth)
    }

    @Test("The answer to a credential survives the loss of the connection")
    func lostAnswer() throws {
        var talk = try Conversation()
        talk.establish()
        let id = try talk.machine.authenticate(Self.credential, now: talk.now)
        talk.reconnect()
        talk.accept()
        #expect(talk.actions().completions.isEmpty)
        talk.reply(ReservedXid.auth)
        #expect(talk.actions().completions == [.done(id)])
    }

    @Test("A refused credential ends the client for good: no further attempt")
    func refused() throws {
        var talk = try Conversation("a:1,b:2", { $0.credentials = [Self.credential] })
        talk.start()
        talk.openConnection()
        talk.accept()
        let waiting = try talk.submit(.sync(path: "/"))
        talk.refuse(ReservedXid.auth, .authenticationFailed)
        #expect(talk.machine.end?.cause == .authenticationFailed)
        let completions = talk.actions().completions
        guard case .complete(waiting, .failed(let failure))? = completions.first else { return #expect(Bool(false)) }
        #expect(failure.code == .authenticationFailed)
        #expect(talk.machine.nextDeadline == .distantFuture)
    }

    @Test("A server that insists on SASL ends the client too")
    func saslRequired() throws {
        var talk = try Conversation()
        talk.establish()
        try talk.submit(.sync(path: "/"))
        talk.refuse(1, .saslRequired)
        #expect(talk.machine.end?.cause == .authenticationFailed)
    }

    @Test("Only so many credentials are taken")
    func limit() throws {
        var talk = try Conversation()
        talk.establish()
        for _ in 0..<SessionCredential.limit { _ = try talk.machine.authenticate(Self.credential, now: talk.now) }
        #expect(throws: RequestFailure.self) { try talk.machine.authenticate(Self.credential, now: talk.now) }
    }

    @Test("A read-only server is refused unless allowed")
    func readOnlyRefused() throws {
        var talk = try Conversation("a:1,b:2")
        talk.start()
        talk.openConnection()
        talk.accept(readOnly: true)
        #expect(talk.actions().first == .disconnect(link: 1))
        #expect(talk.machine.status == .connecting)
    }

    @Test("With a read-only server nothing is held, and others are asked for a quorum after 100, 200, 400 ms")
    func readOnly() throws {
        var talk = try Conversation("a:1,b:2", { $0.allowsReadOnly = true })
        talk.start()
        #expect(talk.openConnection()?.readOnly == true)
        talk.accept(readOnly: true)
        #expect(talk.actions() == [.changed(.readOnly)])
        #expect(talk.machine.validUntil == .start)
        var other: HostAddress?
        for pause in [Int64(100), 200, 400] {
            talk.pass(pause - 1)
            #expect(talk.actions().isEmpty)
            talk.pass(1)
            guard case .probe(let host)? = talk.actions().first else { return #expect(Bool(false)) }
            #expect(other == nil || other == host)
            other = host
            talk.machine.probed(host, hasQuorum: false, now: talk.now)
        }
        talk.pass(800)
        _ = talk.actions()
        guard let other else { return }
        talk.machine.probed(other, hasQuorum: true, now: talk.now)
        let actions = talk.actions()
        #expect(actions.prefix(2) == [.disconnect(link: 1), .changed(.suspended)])
        guard case .resolve(let attempt, other)? = actions.last else { return #expect(Bool(false)) }
        talk.machine.resolved(attempt, addresses: 1, now: talk.now)
        talk.machine.connected(talk.machine.currentLink, now: talk.now)
        // A session that no quorum knows is not asked for again.
        #expect(talk.connectRequest()?.session == SessionID.none)
        talk.accept(session: SessionID(rawValue: 5))
        #expect(talk.machine.status == .connected)
        #expect(talk.machine.validUntil > .start)
    }

    @Test("A session that a quorum knows keeps its number through a read-only server")
    func readOnlyBetween() throws {
        var talk = try Conversation("a:1,b:2", { $0.allowsReadOnly = true })
        talk.establish()
        talk.reconnect()
        talk.accept(readOnly: true)
        #expect(talk.machine.status == .readOnly)
        #expect(talk.reconnect()?.session == Conversation.session)
        talk.accept()
        #expect(talk.machine.status == .reconnected)
    }
}
