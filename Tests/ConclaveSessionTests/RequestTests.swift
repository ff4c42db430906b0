import ConclaveCore
import ConclaveSession
import ConclaveWire
import Testing

@Suite struct RequestTests {
    @Test("Requests go out in call order with growing numbers, and answers find their callers")
    func order() throws {
        var talk = try Conversation()
        talk.establish()
        let first = try talk.submit(.sync(path: "/a"))
        let second = try talk.submit(.delete(path: "/b", version: 3))
        #expect(
            talk.requests() == [
                SentFrame(xid: 1, request: .sync(path: "/a")),
                SentFrame(xid: 2, request: .delete(path: "/b", version: 3)),
            ])
        talk.reply(1, .path("/a"), to: .sync)
        talk.refuse(2, .badVersion)
        #expect(
            talk.actions() == [.complete(first, .reply(.path("/a"))), .complete(second, .refused(.badVersion))])
        #expect(talk.machine.sentCount == 0)
    }

    @Test("Requests made before there is a connection wait and go out in order")
    func queued() throws {
        var talk = try Conversation()
        let first = try talk.submit(.sync(path: "/a"))
        let second = try talk.submit(.sync(path: "/b"))
        talk.start()
        talk.openConnection()
        #expect(talk.requests().isEmpty)
        talk.accept()
        #expect(talk.requests().map(\.request) == [.sync(path: "/a"), .sync(path: "/b")])
        talk.reply(1, .path("/a"), to: .sync)
        talk.reply(2, .path("/b"), to: .sync)
        #expect(
            talk.actions().completions == [
                .complete(first, .reply(.path("/a"))), .complete(second, .reply(.path("/b"))),
            ])
    }

    @Test("An answer out of order breaks the connection; what was sent fails with an unknown outcome")
    func outOfOrder() throws {
        var talk = try Conversation()
        talk.establish()
        let link = talk.machine.currentLink
        let first = try talk.submit(.sync(path: "/a"))
        let second = try talk.submit(.sync(path: "/b"))
        talk.reply(2, .path("/b"), to: .sync)
        let actions = talk.actions()
        let reason = "answer 2 came where 1 was due"
        #expect(
            actions.prefix(4) == [
                .disconnect(link: link), .changed(.suspended), .lost(first, reason: reason),
                .lost(second, reason: reason),
            ])
    }

    @Test("An answer that nobody waits for breaks the connection", arguments: [Int32(5), -2, -4, -8])
    func unasked(_ xid: Int32) throws {
        var talk = try Conversation()
        talk.establish()
        let link = talk.machine.currentLink
        talk.reply(xid)
        #expect(talk.actions().first == .disconnect(link: link))
        #expect(talk.machine.status == .suspended)
    }

    @Test("A lost connection fails what was sent and keeps what was not")
    func lossFailsSent() throws {
        var talk = try Conversation()
        talk.establish()
        let sent = try talk.submit(.sync(path: "/a"))
        talk.time += 2_000
        talk.lose()
        let kept = try talk.submit(.sync(path: "/b"))
        #expect(talk.actions().completions == [.lost(sent)])
        #expect(talk.requests().isEmpty)
        talk.machine.resolved(2, addresses: 1, now: talk.now)
        talk.machine.connected(talk.machine.currentLink, now: talk.now)
        _ = talk.connectRequest()
        talk.accept()
        let again = talk.requests()
        #expect(again.map(\.request) == [.sync(path: "/b")])
        talk.reply(again[0].xid, .path("/b"), to: .sync)
        #expect(talk.actions().completions == [.complete(kept, .reply(.path("/b")))])
    }

    @Test("A frame cut at any byte and then the loss of the connection lose that one request")
    func cutMidFrame() throws {
        var writer = ByteWriter()
        let start = writer.openReplyFrame(xid: 2, zxid: Zxid(rawValue: 4))
        ReplyBody.path("/b").encode(for: .sync, into: &writer)
        writer.closeLength(at: start)
        for length in 0..<writer.count {
            var talk = try Conversation()
            talk.establish()
            let first = try talk.submit(.sync(path: "/a"))
            let second = try talk.submit(.sync(path: "/b"))
            talk.reply(1, .path("/a"), to: .sync)
            talk.receive(Array(writer.bytes[..<length]))
            talk.lose()
            #expect(talk.actions().completions == [.complete(first, .reply(.path("/a"))), .lost(second)])
        }
    }

    @Test("Many frames in one piece are all read, and none behind the end of the session")
    func manyFrames() throws {
        var talk = try Conversation()
        talk.establish()
        for _ in 0..<100 { try talk.submit(.delete(path: "/a", version: -1)) }
        var writer = ByteWriter()
        for xid in 1...100 { writer.writeReplyFrame(xid: Int32(xid), zxid: Zxid(rawValue: 5)) }
        writer.writeReplyFrame(xid: ReservedXid.auth, zxid: .zero)
        talk.receive(writer.bytes)
        #expect(talk.actions().completions.count == 100)
    }

    @Test(
        "A length that cannot be breaks the connection", arguments: [[0xFF, 0, 0, 0], [0x7F, 0, 0, 0]] as [[UInt8]])
    func badLength(_ bytes: [UInt8]) throws {
        var talk = try Conversation()
        talk.establish()
        talk.receive(bytes)
        #expect(talk.machine.status == .suspended)
    }

    @Test("An answer that cannot be read fails its own request only")
    func unreadableBody() throws {
        var talk = try Conversation()
        talk.establish()
        let first = try talk.submit(.getData(path: "/a", watch: false))
        let second = try talk.submit(.delete(path: "/b", version: -1))
        talk.reply(1)
        talk.reply(2)
        let completions = talk.actions().completions
        guard case .complete(first, .failed(let failure))? = completions.first else { return #expect(Bool(false)) }
        #expect(failure.code == .marshallingError)
        #expect(completions.last == .done(second))
    }

    @Test("A cancelled request that was sent has its answer swallowed; one that waits is never sent")
    func cancelled() throws {
        var talk = try Conversation()
        let waiting = try talk.submit(.sync(path: "/never"))
        #expect(talk.machine.cancel(waiting) == false)
        #expect(talk.machine.cancel(waiting) == false || talk.machine.cancel(waiting) == nil)
        talk.establish()
        #expect(talk.machine.sentCount == 0)
        let sent = try talk.submit(.sync(path: "/a"))
        let next = try talk.submit(.sync(path: "/b"))
        #expect(talk.machine.cancel(sent) == true)
        talk.reply(1, .path("/a"), to: .sync)
        talk.reply(2, .path("/b"), to: .sync)
        #expect(talk.actions() == [.complete(next, .reply(.path("/b")))])
        #expect(talk.machine.cancel(sent) == nil)
    }

    @Test("A request longer than a frame may be is refused and leaves nothing behind")
    func tooLong() throws {
        var talk = try Conversation("a:1", { $0.maximumFrameBytes = 100 })
        let atLimit = [UInt8](repeating: 0, count: 100 - 8 - 4 - 2 - 4 - 4)
        #expect(throws: RequestFailure.self) {
            try talk.submit(.setData(path: "/a", data: atLimit + [0], version: 0))
        }
        talk.establish()
        #expect(throws: RequestFailure.self) {
            try talk.submit(.setData(path: "/a", data: atLimit + [0], version: 0))
        }
        #expect(talk.requests().isEmpty)
        #expect(talk.machine.sentCount == 0)
        try talk.submit(.setData(path: "/a", data: atLimit, version: 0))
        #expect(talk.requests().count == 1)
    }

    @Test("More requests than the limit are refused, at the limit they are not")
    func tooMany() throws {
        var talk = try Conversation("a:1", { $0.maximumPendingRequests = 2 })
        try talk.submit(.sync(path: "/a"))
        talk.establish()
        try talk.submit(.sync(path: "/b"))
        do {
            try talk.submit(.sync(path: "/c"))
            Issue.record("the limit does not hold")
        } catch let failure as RequestFailure {
            #expect(failure.code == .throttled)
            #expect(!failure.wasSent)
        }
        talk.reply(1, .path("/a"), to: .sync)
        try talk.submit(.sync(path: "/c"))
    }

    @Test("Numbers of requests start again at 1 after 2^31 - 2")
    func wrap() throws {
        var talk = try Conversation()
        talk.machine.startNumbering(at: Int32.max - 2)
        talk.establish()
        for _ in 0..<4 { try talk.submit(.sync(path: "/")) }
        let xids = talk.requests().map(\.xid)
        #expect(xids == [Int32.max - 2, Int32.max - 1, 1, 2])
        for xid in xids { talk.reply(xid, .path("/"), to: .sync) }
        #expect(talk.actions().completions.count == 4)
    }

    @Test("A server that says the session has expired ends it; the request and all others hear so")
    func expiredByReply() throws {
        var talk = try Conversation()
        talk.establish()
        let first = try talk.submit(.sync(path: "/a"))
        let second = try talk.submit(.sync(path: "/b"))
        talk.refuse(1, .sessionExpired)
        let actions = talk.actions()
        #expect(actions.first == .complete(first, .refused(.sessionExpired)))
        #expect(actions.statuses.count == 1)
        guard case .complete(second, .failed(let failure))? = actions.last else { return #expect(Bool(false)) }
        #expect(failure.code == .sessionExpired)
        #expect(failure.wasSent)
    }

    @Test("Random conversations complete every request exactly once", arguments: 1...50)
    func everyRequestOnce(_ seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed))
        var talk = try Conversation("a:1,b:2", seed: UInt64(seed))
        var open: Set<RequestID> = []
        var outstanding: [Int32] = []
        var mayConnect = false
        func note(_ actions: [SessionAction]) {
            for case .complete(let id, _) in actions {
                #expect(open.remove(id) != nil, "\(id) completed twice or unasked, seed \(seed)")
            }
        }
        talk.start()
        for _ in 0..<300 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0...3: open.insert(try talk.submit(.delete(path: "/x", version: -1)))
            case 4:
                if let id = open.sorted().randomElement(using: &random), talk.machine.cancel(id) != nil {
                    open.remove(id)
                }
            case 5...7:
                if !outstanding.isEmpty { talk.reply(outstanding.removeFirst()) }
            case 8: talk.pass(Int64.random(in: 0..<200, using: &random))
            default:
                if Bool.random(using: &random) { talk.lose() }
            }
            let actions = talk.actions()
            note(actions)
            for action in actions {
                switch action {
                case .resolve(let attempt, _): talk.machine.resolved(attempt, addresses: 1, now: talk.now)
                case .changed(.suspended): outstanding = []
                default: break
                }
            }
            for case .connect(let link, _) in talk.actions() {
                talk.machine.connected(link, now: talk.now)
                mayConnect = talk.connectRequest() != nil
            }
            if mayConnect {
                talk.accept()
                mayConnect = false
            }
            outstanding += talk.requests().map(\.xid).filter { $0 > 0 }
        }
        talk.machine.abandon(reason: "over")
        note(talk.actions())
        #expect(open.isEmpty)
    }
}
