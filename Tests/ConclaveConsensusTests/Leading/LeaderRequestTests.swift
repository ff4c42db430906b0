import ConclaveConsensus
import ConclaveCore
import ConclaveWire
import Testing

/// What learners ask of an active leader, and what they must not ask: quorum-protocol 7.4.
struct LeaderRequestTests {
    // MARK: Syncs

    @Test("A sync is answered at once if nothing is under way")
    func syncAtOnce() throws {
        var leader = try LeaderHarness()
        let links = leader.lead(with: [2, 3])
        leader.sync(links[0])
        #expect(leader.packets(links[0]) == [QuorumPacket(.sync, zxid: .zero)])
        #expect(leader.packets(links[1]) == [])
        #expect(leader.actions() == [])
    }

    @Test("A sync waits for the newest proposal under way, and comes behind its commit")
    func syncWaits() throws {
        var leader = try LeaderHarness()
        let links = leader.lead(with: [2, 3])
        leader.propose(count: 2)
        leader.sync(links[0])
        leader.sync(links[0])
        leader.propose()
        leader.sync(links[0])
        _ = leader.packets(links[0])
        leader.synced(zxid(1, 3))
        leader.ack(links[1], zxid(1, 1))
        #expect(leader.sent(links[0]) == [Sent(.commit, zxid(1, 1))])
        leader.ack(links[1], zxid(1, 2))
        #expect(
            leader.sent(links[0]) == [Sent(.commit, zxid(1, 2)), Sent(.sync, .zero), Sent(.sync, .zero)])
        leader.ack(links[1], zxid(1, 3))
        #expect(leader.sent(links[0]) == [Sent(.commit, zxid(1, 3)), Sent(.sync, .zero)])
    }

    // MARK: Requests

    @Test("Requests are handed on with the client's identities")
    func requests() throws {
        var leader = try LeaderHarness()
        let links = leader.lead(with: [2])
        let request = ForwardedRequest(
            session: SessionID(rawValue: 5), cxid: 7, operation: .create, body: [1, 2, 3])
        let identities = [Identity(scheme: "ip", id: "127.0.0.1")]
        leader.deliver(QuorumPacket(.request, data: request.data, identities: identities), on: links[0])
        leader.deliver(QuorumPacket(.request, data: request.data), on: links[0])
        #expect(
            leader.actions() == [.forwarded(links[0], request, identities), .forwarded(links[0], request, [])])
    }

    @Test("Requests before UPTODATE, and packets that only leaders send, end the connection")
    func unexpected() throws {
        var leader = try LeaderHarness()
        _ = leader.lead(with: [2])
        let request = ForwardedRequest(session: .none, cxid: 0, operation: .create, body: [])
        let three = leader.join(3)
        leader.deliver(QuorumPacket(.request, data: request.data), on: three)
        #expect(leader.actions() == [.close(three, .unexpected(.request))])
        for kind in QuorumPacket.Kind.allCases {
            guard ![.request, .ack, .ping, .revalidate].contains(kind) else { continue }
            let link = leader.join(3)
            leader.ack(link, zxid(1, 0))
            _ = leader.actions()
            leader.deliver(QuorumPacket(kind, data: request.data), on: link)
            #expect(leader.actions() == [.close(link, .unexpected(kind))])
        }
    }

    @Test("Sessions are asked for and confirmed")
    func revalidation() throws {
        var leader = try LeaderHarness()
        let links = leader.lead(with: [2])
        let session = SessionID(rawValue: 77)
        let request = RevalidationRequest(session: session, timeoutMilliseconds: 4000)
        leader.deliver(QuorumPacket(.revalidate, data: request.data), on: links[0])
        #expect(leader.actions() == [.revalidate(links[0], session, timeoutMilliseconds: 4000)])
        let answer = RevalidationAnswer(session: session, isValid: true)
        leader.perform { $0.answer(answer, on: links[0], now: $1) }
        #expect(leader.packets(links[0]) == [QuorumPacket(.revalidate, data: answer.data)])
        leader.close(links[0])
        leader.perform { $0.answer(answer, on: links[0], now: $1) }
        #expect(leader.packets(links[0]) == [])
    }

    @Test("Bytes that are no packets end that connection and disturb no other")
    func hostileBytes() throws {
        var leader = try LeaderHarness()
        let links = leader.lead(with: [2, 3])
        var random = SeededRandom(seed: 4)
        for _ in 0..<300 {
            let link = leader.connect()
            let count = Int(random.next() % 200)
            var bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            // Half of them begin like packets that exist.
            if random.next() & 1 == 0, count > 4 {
                bytes.replaceSubrange(0..<4, with: [0, 0, 0, UInt8(random.next() % 24)])
            }
            leader.deliver(bytes, on: link)
            leader.close(link)
        }
        #expect(!leader.actions().contains { if case .stepDown = $0 { true } else { false } })
        leader.propose()
        leader.synced(zxid(1, 1))
        leader.ack(links[0], zxid(1, 1))
        #expect(leader.actions() == [.commit(through: zxid(1, 1))])
    }

    @Test("Payloads that are cut end the connection")
    func cutPayloads() throws {
        var leader = try LeaderHarness()
        _ = leader.lead(with: [2])
        for kind: QuorumPacket.Kind in [.request, .revalidate, .ping] {
            let three = leader.join(3)
            leader.ack(three, zxid(1, 0))
            _ = leader.actions()
            leader.deliver(QuorumPacket(kind, data: [1, 2, 3]), on: three)
            guard case .close(three, .badPacket)? = leader.actions().first else {
                Issue.record("\(kind) with three bytes was understood")
                continue
            }
        }
    }

    @Test("More connections than the limit are closed at once, at the limit and one past")
    func linkLimit() throws {
        var leader = try LeaderHarness { $0.learnerLinkLimit = 2 }
        let first = leader.connect()
        let second = leader.introduce(8)
        #expect(leader.actions() == [])
        let third = leader.connect()
        #expect(leader.actions() == [.close(first, .tooManyLinks(2))])
        let fourth = leader.introduce(9)
        #expect(leader.actions() == [.close(third, .tooManyLinks(2))])
        let fifth = leader.connect()
        #expect(leader.actions() == [.close(fifth, .tooManyLinks(2))])
        leader.close(second)
        _ = leader.connect()
        #expect(leader.actions() == [])
        leader.close(fourth)
    }
}
