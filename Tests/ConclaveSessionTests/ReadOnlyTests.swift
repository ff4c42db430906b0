import ConclaveCore
import ConclaveSession
import ConclaveWire
import Testing

/// A client at a server that has lost its quorum; how it looks for another is in ``IdentityTests``.
struct ReadOnlyTests {
    private static func talk() throws -> Conversation {
        var talk = try Conversation("a:1,b:2", { $0.allowsReadOnly = true })
        talk.start()
        talk.openConnection()
        talk.accept(readOnly: true)
        _ = talk.actions()
        return talk
    }

    @Test("A write that is refused fails alone; reads go on")
    func refusedWrite() throws {
        var talk = try Self.talk()
        let write = try talk.submit(.setData(path: "/a", data: [], version: -1))
        let read = try talk.submit(.exists(path: "/a", watch: false))
        #expect(talk.requests().map(\.xid) == [1, 2])
        talk.refuse(1, .notReadOnly)
        talk.reply(2, .stat(.sample), to: .exists)
        let done: [SessionAction] = [.complete(write, .refused(.notReadOnly)), .complete(read, .reply(.stat(.sample)))]
        #expect(talk.actions().completions == done)
        #expect(talk.machine.status == .readOnly)
    }

    @Test(
        "What it has seen there it takes along, so that no server that is behind will do; the session it leaves behind")
    func nothingOlder() throws {
        var talk = try Self.talk()
        _ = try talk.submit(.exists(path: "/a", watch: false))
        _ = talk.requests()
        talk.reply(1, zxid: 0x5_0000_0007, .stat(.sample), to: .exists)
        let request = talk.reconnect()
        #expect(request?.lastZxidSeen == Zxid(rawValue: 0x5_0000_0007))
        #expect(request?.session == SessionID.none && request?.readOnly == true)
        talk.accept(session: SessionID(rawValue: 5))
        #expect(talk.machine.status == .connected && talk.machine.identity.session == SessionID(rawValue: 5))
        // From now on it is a session like any other.
        #expect(talk.reconnect()?.session == SessionID(rawValue: 5))
    }

    @Test("Its watches are armed again in the new session, since what was seen last")
    func watches() throws {
        var talk = try Self.talk()
        _ = try talk.arm(.data, "/a")
        talk.reconnect()
        talk.accept(session: SessionID(rawValue: 5))
        let sent = talk.requests()
        guard case .setWatches(let watches)? = sent.first?.request else { return #expect(Bool(false), "\(sent)") }
        #expect(watches.data == ["/a"] && watches.relativeZxid == Zxid(rawValue: 1))
    }

    @Test("A server with a quorum that is found too late, after the connection was lost, changes nothing")
    func lateAnswer() throws {
        var talk = try Self.talk()
        talk.pass(100)
        guard case .probe(let host)? = talk.actions().first else { return #expect(Bool(false)) }
        talk.lose()
        let before = talk.machine.currentLink
        talk.machine.probed(host, hasQuorum: true, now: talk.now)
        #expect(talk.machine.currentLink == before && talk.machine.status == .suspended)
    }
}
