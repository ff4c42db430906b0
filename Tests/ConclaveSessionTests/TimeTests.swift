import ConclaveCore
import ConclaveSession
import ConclaveWire
import Testing

@Suite struct TimeTests {
    @Test(
        "A ping goes out after a third of the timeout without sending what proves the session, a second earlier, and again after its like"
    )
    func pings() throws {
        var talk = try Conversation()
        talk.establish()
        talk.pass(1_999)
        #expect(talk.requests().isEmpty)
        talk.pass(1)
        #expect(talk.requests() == [SentFrame(xid: ReservedXid.ping, request: .ping)])
        talk.reply(ReservedXid.ping)
        talk.pass(1_000)
        try talk.submit(.delete(path: "/a", version: -1))
        talk.reply(1, .none, to: .delete)
        _ = talk.requests()
        talk.pass(1_999)
        #expect(talk.requests().isEmpty)
        talk.pass(1)
        #expect(talk.requests() == [SentFrame(xid: ReservedXid.ping, request: .ping)])
    }

    @Test(
        "Pings come at least every ten seconds, and for short timeouts after a third",
        arguments: [
            (Int32(90_000), Int64(10_000)), (40_000, 10_000), (30_000, 9_000), (6_000, 1_000), (4_500, 1_000),
            (1_500, 500), (300, 100), (1, 1),
        ])
    func pingInterval(_ timeout: Int32, _ interval: Int64) throws {
        var talk = try Conversation()
        talk.start()
        talk.openConnection()
        talk.accept(timeout: timeout)
        _ = talk.actions()
        talk.pass(interval - 1)
        #expect(talk.requests().isEmpty)
        talk.pass(1)
        // A millisecond's session is read-timed-out at once.
        if timeout > 1 { #expect(talk.requests().count == 1) }
    }

    @Test("Two thirds of the timeout without a byte are a lost connection, a byte earlier is not")
    func readTimeout() throws {
        var talk = try Conversation()
        talk.establish()
        talk.pass(5_999)
        #expect(talk.machine.status == .connected)
        talk.receive([0])
        talk.pass(5_999)
        #expect(talk.machine.status == .connected)
        let link = talk.machine.currentLink
        talk.pass(1)
        // By now the hold window has lapsed too: nothing was answered since the connection was made.
        #expect(
            talk.actions().filter { $0 != .holdLapsed }.prefix(2) == [.disconnect(link: link), .changed(.suspended)])
    }

    @Test("The hold window counts from the sending of the last answered write and ends before the timeout")
    func holdWindow() throws {
        var talk = try Conversation()
        #expect(talk.machine.validUntil == .start)
        talk.start()
        talk.openConnection()
        talk.time += 100
        talk.accept()
        // Sent at 1,000; 9,000 ms less a twentieth.
        #expect(talk.machine.validUntil == Instant(milliseconds: 1_000 + 8_550))
        talk.time = 1_500
        try talk.submit(.sync(path: "/"))
        talk.time = 2_000
        try talk.submit(.delete(path: "/a", version: -1))
        talk.time = 2_500
        try talk.submit(.delete(path: "/b", version: -1))
        talk.time = 3_000
        // A leader that leads no more answers a sync all the same.
        talk.reply(1, .path("/"), to: .sync)
        #expect(talk.machine.validUntil == Instant(milliseconds: 1_000 + 8_550))
        talk.reply(2, .none, to: .delete)
        #expect(talk.machine.validUntil == Instant(milliseconds: 2_000 + 8_550))
        talk.refuse(3, .noNode)
        #expect(talk.machine.validUntil == Instant(milliseconds: 2_500 + 8_550))
    }

    @Test("An answered ping moves the window, an unanswered one, an event and a credential do not")
    func whatProves() throws {
        var talk = try Conversation()
        talk.establish()
        let before = talk.machine.validUntil
        talk.pass(2_000)
        talk.event(.created, "/a")
        _ = try talk.machine.authenticate(SessionCredential(scheme: "digest", secret: []), now: talk.now)
        talk.reply(ReservedXid.auth)
        #expect(talk.machine.validUntil == before)
        let sentAt = talk.time
        talk.time += 700
        talk.reply(ReservedXid.ping)
        #expect(talk.machine.validUntil == Instant(milliseconds: sentAt + 8_550))
    }

    @Test("Reads neither move the window nor put off the pings: a follower answers them by itself")
    func reads() throws {
        var talk = try Conversation()
        talk.establish()
        let before = talk.machine.validUntil
        talk.pass(1_500)
        try talk.submit(.exists(path: "/a", watch: false))
        talk.refuse(1, .noNode)
        #expect(talk.machine.validUntil == before)
        _ = talk.requests()
        talk.pass(500)
        #expect(talk.requests() == [SentFrame(xid: ReservedXid.ping, request: .ping)])
    }

    @Test("Answers that come late never move the window back")
    func monotonic() throws {
        var talk = try Conversation()
        talk.establish()
        talk.pass(2_000)
        talk.time += 10
        try talk.submit(.delete(path: "/a", version: -1))
        talk.reply(1, .none, to: .delete)
        let later = talk.machine.validUntil
        talk.reply(ReservedXid.ping)
        #expect(talk.machine.validUntil == later)
    }

    @Test("The lapse is told once, at its moment, and again only after the window has opened anew")
    func lapse() throws {
        var talk = try Conversation("a:1", { $0.holdMarginMilliseconds = 1_000 })
        talk.establish()
        talk.lose()
        _ = talk.actions()
        talk.pass(7_999)
        #expect(!talk.actions().contains(.holdLapsed))
        talk.pass(1)
        #expect(talk.actions().filter { $0 == .holdLapsed }.count == 1)
        talk.pass(10)
        #expect(!talk.actions().contains(.holdLapsed))
    }

    @Test("A reattached session holds from the sending of the request for it")
    func holdAfterReconnect() throws {
        var talk = try Conversation()
        talk.establish()
        talk.time = 5_000
        talk.lose()
        talk.openConnection()
        let asked = talk.time
        talk.time += 300
        talk.accept()
        #expect(talk.machine.validUntil == Instant(milliseconds: asked + 8_550))
    }

    @Test("Without any server the session counts as expired after four thirds of the timeout of silence")
    func localExpiry() throws {
        var talk = try Conversation()
        talk.establish()
        talk.pass(6_000)
        #expect(talk.machine.status == .suspended)
        while talk.machine.end == nil, talk.time < 100_000 {
            for case .resolve(let attempt, _) in talk.actions() {
                talk.machine.resolutionFailed(attempt, reason: "down", now: talk.now)
            }
            talk.pass(1)
        }
        #expect(talk.time == 1_000 + 12_000)
        #expect(talk.machine.end?.cause == .expired)
    }

    @Test("A client that was stopped for long first asks a server before it gives its session up")
    func stoppedForLong() throws {
        var talk = try Conversation()
        talk.establish()
        talk.pass(60_000)
        #expect(talk.machine.status == .suspended)
        #expect(talk.machine.end == nil)
        talk.pass(5_999)
        #expect(talk.machine.end == nil)
        talk.pass(1)
        #expect(talk.machine.end?.cause == .expired)
    }

    @Test("A request without an answer in time fails as such and takes the connection with it")
    func requestTimeout() throws {
        var talk = try Conversation("a:1", { $0.requestTimeoutMilliseconds = 500 })
        talk.establish()
        let first = try talk.submit(.sync(path: "/a"))
        talk.time += 100
        let second = try talk.submit(.sync(path: "/b"))
        #expect(talk.machine.nextDeadline == Instant(milliseconds: 1_500))
        talk.pass(399)
        #expect(talk.actions().isEmpty)
        talk.pass(1)
        let codes = talk.actions().compactMap { action -> ZooKeeperError.Code? in
            if case .complete(let id, .failed(let failure)) = action, id == first || id == second {
                failure.code
            } else {
                nil
            }
        }
        #expect(codes == [.requestTimeout, .connectionLoss])
    }

    @Test("A request that waits for a connection longer than allowed fails unsent")
    func queuedTimeout() throws {
        var talk = try Conversation("a:1", { $0.requestTimeoutMilliseconds = 500 })
        let id = try talk.submit(.sync(path: "/a"))
        talk.start()
        talk.pass(500)
        #expect(
            talk.actions().completions == [
                .complete(
                    id, .failed(RequestFailure(.requestTimeout, wasSent: false, reason: "no connection came in time")))
            ])
    }

    @Test("Closing sends the request, waits for its answer after all others, and ends")
    func closing() throws {
        var talk = try Conversation()
        talk.establish()
        let before = try talk.submit(.sync(path: "/a"))
        let link = talk.machine.currentLink
        talk.machine.close(now: talk.now)
        talk.machine.close(now: talk.now)
        #expect(talk.requests().map(\.request) == [.sync(path: "/a"), .closeSession])
        #expect(throws: RequestFailure.self) { try talk.submit(.sync(path: "/b")) }
        talk.reply(1, .path("/a"), to: .sync)
        talk.reply(2, to: .closeSession)
        let end = SessionEnd(.closed, reason: "the client is closed")
        #expect(
            talk.actions() == [
                .complete(before, .reply(.path("/a"))), .disconnect(link: link), .changed(.over(end)),
            ])
        #expect(talk.machine.validUntil == .start)
        #expect(talk.machine.nextDeadline == .distantFuture)
    }

    @Test("From the close on nothing is believed, whatever answers still come")
    func closingEndsTheHold() throws {
        var talk = try Conversation()
        talk.establish()
        _ = try talk.submit(.sync(path: "/a"))
        talk.pass(5)
        #expect(talk.machine.validUntil > talk.now)
        talk.machine.close(now: talk.now)
        #expect(talk.machine.validUntil == .start)
        talk.reply(1, .path("/a"), to: .sync)
        #expect(talk.machine.validUntil == .start)
    }

    @Test("Closing ends after three seconds or with the connection, whatever the server does")
    func closingUnanswered() throws {
        var silent = try Conversation()
        silent.establish()
        let lost = try silent.submit(.sync(path: "/a"))
        silent.machine.close(now: silent.now)
        var cut = silent
        silent.pass(2_999)
        #expect(silent.machine.end == nil)
        silent.pass(1)
        #expect(silent.machine.end?.cause == .closed)
        cut.lose()
        #expect(cut.machine.end?.cause == .closed)
        guard case .complete(lost, .failed(let failure))? = cut.actions().completions.first else {
            return #expect(Bool(false))
        }
        #expect(failure.code == .closed)
        #expect(failure.wasSent)
    }

    @Test("Closing without a connection ends at once, whatever the state")
    func closingEarly() throws {
        var idle = try Conversation()
        idle.machine.close(now: idle.now)
        #expect(idle.machine.end?.cause == .closed)
        var connecting = try Conversation()
        connecting.start()
        let id = try connecting.submit(.sync(path: "/"))
        connecting.openConnection()
        connecting.machine.close(now: connecting.now)
        let actions = connecting.actions()
        #expect(actions.first == .disconnect(link: 1))
        #expect(
            actions.completions == [
                .complete(id, .failed(RequestFailure(.closed, wasSent: false, reason: "the client is closed")))
            ])
    }
}
