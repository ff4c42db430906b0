import ConclaveCore
import ConclaveWire
import Testing

@testable import ConclaveConsensus

/// Activation, proposals and commits: quorum-protocol 7.4.
struct LeaderBroadcastTests {
    @Test("The leader is active when a quorum has acknowledged NEWLEADER, and not before")
    func activation() throws {
        var leader = try LeaderHarness(voters: [1, 2, 3, 4, 5])
        let links = ([2, 3, 4] as [Int64]).map { leader.introduce($0) }
        for link in links { leader.ackEpoch(link, current: 0, last: .zero) }
        for link in links { _ = leader.packets(link) }
        _ = leader.actions()
        leader.ack(links[0], zxid(1, 0))
        #expect(leader.actions() == [])
        #expect(leader.sent(links[0]) == [])
        leader.ack(links[1], zxid(1, 0))
        #expect(
            leader.actions() == [
                .activate(epoch: 1), .synchronised(links[0], server(2)), .synchronised(links[1], server(3)),
            ])
        #expect(leader.sent(links[0]) == [.upToDate])
        #expect(leader.sent(links[1]) == [.upToDate])
        #expect(leader.sent(links[2]) == [])
        #expect(leader.machine.lastCommitted == zxid(1, 0))
        #expect(leader.machine.nextZxid == zxid(1, 1))
        leader.ack(links[2], zxid(1, 0))
        #expect(leader.actions() == [.synchronised(links[2], server(4))])
        #expect(leader.sent(links[2]) == [.upToDate])
    }

    @Test("Observers do not count, neither by their own word nor as voters that came as observers")
    func observersDoNotCount() throws {
        var leader = try LeaderHarness(observers: [4])
        leader.savesAtOnce = true
        let four = leader.introduce(4, observer: true)
        let two = leader.introduce(2)
        leader.ackEpoch(four, current: 0, last: .zero)
        leader.ackEpoch(two, current: 0, last: .zero)
        leader.ack(four, zxid(1, 0))
        #expect(leader.machine.phase == .awaitingAcks)
        leader.ack(two, zxid(1, 0))
        #expect(leader.machine.phase == .leading)
        _ = leader.actions()
        leader.propose()
        leader.synced(zxid(1, 1))
        leader.ack(four, zxid(1, 1))
        #expect(leader.actions() == [])
    }

    @Test("NEWLEADER acknowledged for another epoch counts for nothing")
    func foreignAcknowledgement() throws {
        var leader = try LeaderHarness()
        let two = leader.join(2)
        leader.ack(two, zxid(2, 0))
        leader.ack(two, .zero)
        #expect(leader.machine.phase == .awaitingAcks)
    }

    @Test("A proposal goes to all followers in the same bytes, to no observer")
    func proposals() throws {
        var leader = try LeaderHarness(observers: [4])
        let observer = leader.introduce(4, observer: true)
        let links = leader.lead(with: [2, 3])
        leader.ackEpoch(observer, current: 0, last: .zero)
        leader.ack(observer, zxid(1, 0))
        _ = leader.packets(observer)
        leader.propose(data: [1, 2, 3])
        let expected = QuorumPacket(.proposal, zxid: zxid(1, 1), data: proposal(1, 1, data: [1, 2, 3]).body)
        #expect(leader.packets(links[0]) == [expected])
        #expect(leader.packets(links[1]) == [expected])
        #expect(leader.packets(observer) == [])
    }

    @Test("A commit needs a quorum; the own acknowledgement is the own log's receipt, in any order")
    func commits() throws {
        for ownFirst in [true, false] {
            var leader = try LeaderHarness()
            let links = leader.lead(with: [2, 3])
            leader.propose()
            _ = leader.packets(links[0])
            if ownFirst { leader.synced(zxid(1, 1)) } else { leader.ack(links[0], zxid(1, 1)) }
            #expect(leader.actions() == [])
            if ownFirst { leader.ack(links[1], zxid(1, 1)) } else { leader.synced(zxid(1, 1)) }
            #expect(leader.actions() == [.commit(through: zxid(1, 1))])
            #expect(leader.sent(links[0]) == [Sent(.commit, zxid(1, 1))])
        }
    }

    @Test("Followers alone may be a quorum, before the own log is durable")
    func withoutOwn() throws {
        var leader = try LeaderHarness()
        let links = leader.lead(with: [2, 3])
        leader.propose()
        for link in links { leader.ack(link, zxid(1, 1)) }
        #expect(leader.actions() == [.commit(through: zxid(1, 1))])
    }

    @Test("Observers are informed of what is committed, with the proposal's bytes")
    func informs() throws {
        var leader = try LeaderHarness(observers: [4])
        let links = leader.lead(with: [2])
        let observer = leader.join(4, observer: true)
        leader.ack(observer, zxid(1, 0))
        _ = leader.packets(observer)
        leader.propose(count: 2)
        leader.synced(zxid(1, 2))
        leader.ack(links[0], zxid(1, 2))
        #expect(
            leader.packets(observer) == [
                QuorumPacket(.inform, zxid: zxid(1, 1), data: proposal(1, 1).body),
                QuorumPacket(.inform, zxid: zxid(1, 2), data: proposal(1, 2).body),
            ])
    }

    @Test("Who observes hears of commits with others, unless its clients have just asked for something")
    func haste() throws {
        var leader = try LeaderHarness(observers: [4])
        let links = leader.lead(with: [2])
        let observer = leader.join(4, observer: true)
        func commit(_ counter: UInt32) {
            leader.propose()
            leader.synced(zxid(1, counter))
            leader.ack(links[0], zxid(1, counter))
        }
        // It does not serve yet.
        commit(1)
        #expect(leader.laterCount == 0)
        leader.ack(observer, zxid(1, 0))
        commit(2)
        #expect(leader.laterCount == 1)
        leader.sync(observer)
        commit(3)
        leader.now = leader.now.advanced(byMilliseconds: 100)
        commit(4)
        #expect(leader.laterCount == 1)
        leader.now = leader.now.advanced(byMilliseconds: 1)
        commit(5)
        #expect(leader.laterCount == 2)
        #expect(leader.sent(observer).filter { $0.kind == .inform } == (1...5).map { Sent(.inform, zxid(1, $0)) })
    }

    @Test("Commits are strictly in order; an acknowledgement covers everything before it")
    func inOrder() throws {
        var leader = try LeaderHarness()
        let links = leader.lead(with: [2, 3])
        leader.propose(count: 4)
        _ = leader.packets(links[0])
        leader.synced(zxid(1, 2))
        leader.ack(links[0], zxid(1, 3))
        #expect(leader.actions() == [.commit(through: zxid(1, 2))])
        #expect(leader.sent(links[0]) == [Sent(.commit, zxid(1, 1)), Sent(.commit, zxid(1, 2))])
        leader.ack(links[1], zxid(1, 4))
        #expect(leader.actions() == [.commit(through: zxid(1, 3))])
        leader.synced(zxid(1, 4))
        #expect(leader.actions() == [.commit(through: zxid(1, 4))])
        #expect(leader.machine.outstandingCount == 0)
    }

    @Test("Acknowledgements of the past, of the future and of nothing are ignored")
    func strangeAcknowledgements() throws {
        var leader = try LeaderHarness()
        let links = leader.lead(with: [2])
        leader.propose(count: 2)
        leader.synced(zxid(1, 2))
        for zxid in [zxid(1, 3), zxid(2, 1), Zxid(rawValue: .max), zxid(0, 7), zxid(1, 0), Zxid(rawValue: .min)] {
            leader.ack(links[0], zxid)
        }
        #expect(leader.actions() == [])
        leader.ack(links[0], zxid(1, 1))
        leader.ack(links[0], zxid(1, 1))
        #expect(leader.actions() == [.commit(through: zxid(1, 1))])
    }

    @Test("What was logged before NEWLEADER was acknowledged counts only from then on")
    func loggedBeforeEpoch() throws {
        var leader = try LeaderHarness(voters: [1, 2, 3, 4, 5])
        let links = leader.lead(with: [2, 3])
        let four = leader.join(4)
        leader.propose()
        leader.synced(zxid(1, 1))
        leader.ack(links[0], zxid(1, 1))
        leader.ack(four, zxid(1, 1))
        #expect(leader.actions() == [])
        leader.ack(four, zxid(1, 0))
        #expect(
            leader.actions() == [.synchronised(LinkID(rawValue: 3), server(4)), .commit(through: zxid(1, 1))])
    }

    @Test("A follower that comes back has to acknowledge again what it may have cut off")
    func comesBack() throws {
        var leader = try LeaderHarness(voters: [1, 2, 3, 4, 5])
        let links = leader.lead(with: [2, 3])
        leader.propose()
        leader.synced(zxid(1, 1))
        leader.ack(links[0], zxid(1, 1))
        leader.close(links[0])
        let again = leader.join(2, acceptedEpoch: 1, current: 1, last: zxid(1, 1))
        #expect(
            leader.sent(again).dropFirst()
                == [Sent(.truncate, .zero), Sent(.proposal, zxid(1, 1)), .newLeader(1)])
        leader.ack(links[1], zxid(1, 1))
        #expect(!leader.actions().contains(.commit(through: zxid(1, 1))))
        leader.ack(again, zxid(1, 0))
        leader.ack(again, zxid(1, 1))
        #expect(leader.actions().last == .commit(through: zxid(1, 1)))
    }

    @Test("What comes late over a follower's old connection does not stand for what it may have cut off since")
    func lateAcknowledgement() throws {
        var leader = try LeaderHarness()
        let old = leader.lead(with: [2])[0]
        leader.propose()
        leader.synced(zxid(1, 1))
        // It was killed behind its acknowledgement, and is quicker than that.
        let again = leader.join(2, acceptedEpoch: 1, current: 1, last: zxid(1, 1))
        #expect(leader.sent(again)[1] == Sent(.truncate, .zero))
        leader.ack(old, zxid(1, 1))
        leader.ack(again, zxid(1, 0))
        #expect(!leader.actions().contains(.commit(through: zxid(1, 1))))
        leader.ack(again, zxid(1, 1))
        #expect(leader.actions().last == .commit(through: zxid(1, 1)))
    }

    @Test("A stranger under a follower's name does not take its voice away")
    func strangersName() throws {
        var leader = try LeaderHarness()
        let link = leader.lead(with: [2])[0]
        leader.propose()
        _ = leader.join(2, acceptedEpoch: 1, current: 1)
        leader.propose()
        leader.synced(zxid(1, 2))
        leader.ack(link, zxid(1, 1))
        leader.ack(link, zxid(1, 2))
        #expect(leader.actions().last == .commit(through: zxid(1, 2)))
    }

    @Test("What a follower acknowledged counts after it has gone")
    func goneAfterwards() throws {
        var leader = try LeaderHarness()
        let links = leader.lead(with: [2, 3])
        leader.propose()
        leader.ack(links[0], zxid(1, 1))
        leader.close(links[0])
        leader.synced(zxid(1, 1))
        #expect(leader.actions() == [.commit(through: zxid(1, 1))])
    }

    @Test("The last zxid of an epoch is proposed and committed; then the leader steps down")
    func lastZxid() throws {
        var leader = try LeaderHarness(voters: [1])
        _ = leader.actions()
        leader.machine.lastProposed = zxid(1, UInt32.max - 3)
        leader.propose(count: 5)
        #expect(leader.machine.nextZxid == nil)
        leader.synced(zxid(1, UInt32.max - 1))
        #expect(
            leader.actions() == [
                .commit(through: zxid(1, UInt32.max - 1)), .stepDown(reason: "the zxids of epoch 1 are used up"),
            ])
    }
}
