import ConclaveConsensus
import ConclaveCore
import ConclaveWire
import Testing

/// The end of a leader's term: quorum-protocol 7.5.
struct LeaderQuorumLossTests {
    /// Lets time pass in steps of half a tick while some learners answer pings.
    private func pass(
        _ leader: inout LeaderHarness, milliseconds: Int64, answering links: [LinkID]
    ) {
        var left = milliseconds
        while left > 0 {
            for link in links {
                leader.deliver(QuorumPacket(.ping, zxid: leader.machine.lastProposed, data: []), on: link)
            }
            let step = min(left, 1000)
            leader.advance(milliseconds: step)
            left -= step
        }
    }

    private func stepsDown(_ leader: inout LeaderHarness) -> Bool {
        leader.actions().contains { if case .stepDown = $0 { true } else { false } }
    }

    @Test("A leader with too few followers steps down at the next tick")
    func quorumLost() throws {
        var leader = try LeaderHarness()
        let links = leader.lead(with: [2, 3])
        leader.close(links[0])
        pass(&leader, milliseconds: 4000, answering: [links[1]])
        #expect(leader.actions() == [])
        leader.close(links[1])
        leader.advance(milliseconds: 1000)
        #expect(leader.actions() == [])
        leader.advance(milliseconds: 1000)
        #expect(leader.actions() == [.stepDown(reason: "too few followers are left")])
    }

    @Test("Observers and unlisted followers do not keep a leader")
    func observersDoNotKeep() throws {
        var leader = try LeaderHarness(observers: [4])
        let links = leader.lead(with: [2])
        let observer = leader.join(4, observer: true)
        let unlisted = leader.join(9)
        leader.ack(observer, zxid(1, 0))
        leader.ack(unlisted, zxid(1, 0))
        leader.close(links[0])
        pass(&leader, milliseconds: 2000, answering: [observer, unlisted])
        #expect(stepsDown(&leader))
    }

    @Test("A follower that comes back before the tick saves the leader")
    func backInTime() throws {
        var leader = try LeaderHarness()
        let links = leader.lead(with: [2])
        leader.advance(milliseconds: 1500)
        leader.close(links[0])
        leader.advance(milliseconds: 400)
        let again = leader.introduce(2, acceptedEpoch: 1)
        leader.advance(milliseconds: 2000)
        #expect(!stepsDown(&leader))
        #expect(leader.sent(again) == [Sent(.leaderInfo, zxid(1, 0))])
    }

    @Test("A leader that has stepped down does nothing any more")
    func afterwards() throws {
        var leader = try LeaderHarness()
        let links = leader.lead(with: [2])
        leader.close(links[0])
        leader.advance(milliseconds: 1000)
        leader.advance(milliseconds: 1000)
        _ = leader.actions()
        let link = leader.introduce(2)
        leader.propose()
        leader.synced(zxid(1, 1))
        leader.ack(link, zxid(1, 1))
        leader.advance(milliseconds: 100_000)
        leader.perform { $0.savedAcceptedEpoch(now: $1) }
        leader.perform { $0.savedCurrentEpoch(now: $1) }
        leader.perform { $0.voterIsLooking(server(2), now: $1) }
        leader.perform { $0.historyRead(link, proposals: nil, now: $1) }
        #expect(leader.actions() == [])
        #expect(leader.packets(link) == [])
    }

    @Test("The deadline is the next pass, or the end of the step if that comes first")
    func deadlines() throws {
        var leader = try LeaderHarness { $0.initLimit = 1 }
        #expect(leader.machine.nextDeadline == leader.now.advanced(byMilliseconds: 1000))
        leader.advance(milliseconds: 1500)
        #expect(leader.machine.nextDeadline == leader.now.advanced(byMilliseconds: 500))
        leader.advance(milliseconds: 500)
        #expect(stepsDown(&leader))
    }

    @Test("A long pause of the whole server costs one pass, not many")
    func pause() throws {
        var leader = try LeaderHarness()
        let links = leader.lead(with: [2])
        leader.now = leader.now.advanced(byMilliseconds: 9500)
        leader.deliver(QuorumPacket(.ping, zxid: .zero), on: links[0])
        leader.perform { $0.tick(now: $1) }
        #expect(leader.sent(links[0]) == [Sent(.ping, zxid(1, 0))])
        #expect(leader.machine.nextDeadline == leader.now.advanced(byMilliseconds: 1000))
    }
}
