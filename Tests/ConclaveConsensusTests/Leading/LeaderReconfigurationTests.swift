import ConclaveConsensus
import ConclaveCore
import ConclaveWire
import Testing

/// Changing the ensemble while it runs: quorum-protocol 11, and what a new leader does with a change it finds.
struct LeaderReconfigurationTests {
    /// Proposes a change to other voters.
    private func change(_ leader: inout LeaderHarness, to coming: EnsembleConfiguration) {
        guard let next = leader.machine.nextZxid else { return }
        leader.perform { machine, _ in machine.reconfigure(to: coming, at: next) }
        leader.propose()
    }

    @Test("With changes allowed, the first leader gives the configuration its own epoch as version")
    func firstVersion() throws {
        var leader = try LeaderHarness { $0.reconfigEnabled = true }
        let two = leader.join(2)
        let expected = try ensemble(voters: [1, 2, 3]).with(version: zxid(1, 0).rawValue)
        #expect(leader.packets(two).last?.data == Array(expected.text.utf8))
        #expect(leader.machine.configuration.version == 0)
        leader.ack(two, zxid(1, 0))
        #expect(
            leader.actions().suffix(3) == [
                .adopt(expected, leader: server(1)), .activate(epoch: 1), .synchronised(two, server(2)),
            ])
        #expect(leader.machine.configuration == expected)
        #expect(leader.machine.pending == nil)
    }

    @Test("A configuration that has a version keeps it")
    func laterVersion() throws {
        var leader = try LeaderHarness(configuration: try ensemble(voters: [1, 2, 3], version: 77)) {
            $0.reconfigEnabled = true
        }
        let two = leader.introduce(2, version: 77)
        leader.ackEpoch(two, current: 0, last: .zero)
        leader.ack(two, zxid(1, 0))
        #expect(leader.machine.configuration.version == 77)
        #expect(!leader.actions().contains { if case .adopt = $0 { true } else { false } })
    }

    @Test("A change that was found needs both quorums from the first step on")
    func foundChange() throws {
        let coming = try ensemble(voters: [1, 4, 5], version: 9)
        var leader = try LeaderHarness(lastSeen: coming)
        let two = leader.introduce(2)
        #expect(leader.actions() == [])
        let four = leader.introduce(4)
        #expect(leader.actions() == [.saveAcceptedEpoch(1)])
        leader.ackEpoch(two, current: 0, last: .zero)
        #expect(leader.actions() == [])
        leader.ackEpoch(four, current: 0, last: .zero)
        #expect(leader.actions() == [.saveCurrentEpoch(1)])
        #expect(leader.packets(two).last?.data == Array(coming.text.utf8))
        leader.ack(two, zxid(1, 0))
        #expect(leader.actions() == [])
        leader.ack(four, zxid(1, 0))
        #expect(leader.actions().prefix(2) == [.adopt(coming, leader: server(1)), .activate(epoch: 1)])
        #expect(leader.sent(two).last == .upToDate)
        #expect(leader.machine.configuration == coming)
    }

    @Test("A found change that removes the leader is brought into force, and then another one leads")
    func foundChangeWithoutMe() throws {
        let coming = try ensemble(voters: [2, 3], version: 9)
        var leader = try LeaderHarness(lastSeen: coming)
        let two = leader.introduce(2)
        let three = leader.introduce(3)
        for link in [two, three] { leader.ackEpoch(link, current: 0, last: .zero) }
        _ = leader.actions()
        leader.ack(three, zxid(1, 0))
        leader.ack(two, zxid(1, 0))
        #expect(
            leader.actions() == [
                .synchronised(two, server(2)), .synchronised(three, server(3)), .adopt(coming, leader: server(2)),
            ])
        #expect(leader.sent(two).last == .upToDate)
        #expect(leader.machine.phase == .retiring)
        leader.close(two)
        leader.close(three)
        leader.advance(milliseconds: 1000)
        #expect(leader.actions() == [.stepDown(reason: "another server leads under the new configuration")])
    }

    @Test("A change, and what follows it, needs both quorums; what came before does not")
    func bothQuorums() throws {
        var leader = try LeaderHarness()
        let links = leader.lead(with: [2, 3])
        let four = leader.join(4)
        let five = leader.join(5)
        for link in [four, five] {
            leader.ack(link, zxid(1, 0))
            _ = leader.packets(link)
        }
        _ = leader.actions()
        leader.propose()
        let coming = try ensemble(voters: [1, 4, 5], version: zxid(1, 2).rawValue)
        change(&leader, to: coming)
        leader.propose()
        leader.synced(zxid(1, 3))
        leader.ack(links[0], zxid(1, 3))
        #expect(leader.actions() == [.commit(through: zxid(1, 1))])
        _ = leader.packets(four)
        leader.ack(four, zxid(1, 2))
        #expect(leader.actions() == [.commit(through: zxid(1, 2)), .adopt(coming, leader: server(1))])
        let activation = Activation(leader: server(1), body: nil).data
        #expect(leader.packets(four) == [QuorumPacket(.commitAndActivate, zxid: zxid(1, 2), data: activation)])
        #expect(leader.packets(links[1]).last == QuorumPacket(.commitAndActivate, zxid: zxid(1, 2), data: activation))
        // From now on only the new one decides.
        leader.ack(links[1], zxid(1, 3))
        #expect(leader.actions() == [])
        leader.ack(five, zxid(1, 3))
        #expect(leader.actions() == [.commit(through: zxid(1, 3))])
        #expect(leader.sent(links[1]) == [Sent(.commit, zxid(1, 3))])
    }

    @Test("Observers get the proposal with the activation")
    func observers() throws {
        var leader = try LeaderHarness(observers: [6])
        let links = leader.lead(with: [2])
        let observer = leader.join(6, observer: true)
        leader.ack(observer, zxid(1, 0))
        _ = leader.packets(observer)
        change(&leader, to: try ensemble(voters: [1, 2], version: zxid(1, 1).rawValue))
        leader.synced(zxid(1, 1))
        leader.ack(links[0], zxid(1, 1))
        let data = Activation(leader: server(1), body: proposal(1, 1).body).data
        #expect(leader.packets(observer) == [QuorumPacket(.informAndActivate, zxid: zxid(1, 1), data: data)])
    }

    @Test("A leader that is removed names the voter that has logged the most, and commits nothing more")
    func removesItself() throws {
        var leader = try LeaderHarness(voters: [1, 2, 3, 4])
        let links = leader.lead(with: [2, 3, 4])
        let coming = try ensemble(voters: [2, 3, 4], version: zxid(1, 1).rawValue)
        change(&leader, to: coming)
        leader.propose(count: 2)
        leader.ack(links[2], zxid(1, 1))
        leader.ack(links[1], zxid(1, 3))
        #expect(leader.actions() == [])
        leader.ack(links[0], zxid(1, 1))
        #expect(leader.actions() == [.commit(through: zxid(1, 1)), .adopt(coming, leader: server(3))])
        #expect(leader.sent(links[0]).last == Sent(.commitAndActivate, zxid(1, 1)))
        leader.ack(links[0], zxid(1, 3))
        leader.ack(links[2], zxid(1, 3))
        leader.propose()
        #expect(leader.actions() == [])
        for link in links { leader.close(link) }
        leader.advance(milliseconds: 1000)
        #expect(leader.actions() == [.stepDown(reason: "another server leads under the new configuration")])
    }

    @Test("A leader that retires does not wait for ever for its learners to leave")
    func retiresInTime() throws {
        var leader = try LeaderHarness()
        let links = leader.lead(with: [2, 3])
        change(&leader, to: try ensemble(voters: [2, 3], version: zxid(1, 1).rawValue))
        for link in links { leader.ack(link, zxid(1, 1)) }
        _ = leader.actions()
        for _ in 0..<9 {
            leader.advance(milliseconds: 1000)
            for link in links { leader.deliver(QuorumPacket(.ping, zxid: .zero), on: link) }
        }
        #expect(leader.actions() == [])
        leader.advance(milliseconds: 1000)
        #expect(leader.actions() == [.stepDown(reason: "another server leads under the new configuration")])
    }

    @Test("A leader whose quorum address changes does not go on under it")
    func newAddress() throws {
        var leader = try LeaderHarness()
        let links = leader.lead(with: [2, 3])
        var members = try ensemble(voters: [1, 2, 3]).members
        members[0].addresses[0].quorumPort = 9999
        let coming = try EnsembleConfiguration(members: members, version: zxid(1, 1).rawValue)
        change(&leader, to: coming)
        leader.synced(zxid(1, 1))
        leader.ack(links[1], zxid(1, 1))
        #expect(leader.actions() == [.commit(through: zxid(1, 1)), .adopt(coming, leader: server(3))])
    }

    @Test("The acknowledgements of a removed server do not count, but it is still served")
    func removedServer() throws {
        var leader = try LeaderHarness(voters: [1, 2, 3, 4])
        let links = leader.lead(with: [2, 3, 4])
        change(&leader, to: try ensemble(voters: [1, 2, 3], version: zxid(1, 1).rawValue))
        leader.synced(zxid(1, 1))
        leader.ack(links[0], zxid(1, 1))
        leader.ack(links[2], zxid(1, 1))
        _ = leader.actions()
        _ = leader.packets(links[2])
        leader.propose()
        leader.synced(zxid(1, 2))
        leader.ack(links[2], zxid(1, 2))
        #expect(leader.actions() == [])
        leader.ack(links[1], zxid(1, 2))
        #expect(leader.actions() == [.commit(through: zxid(1, 2))])
        #expect(leader.sent(links[2]) == [Sent(.proposal, zxid(1, 2)), Sent(.commit, zxid(1, 2))])
    }

    @Test("A learner that joins while a change is under way is told the configuration in force")
    func joinsMeanwhile() throws {
        var leader = try LeaderHarness()
        _ = leader.lead(with: [2])
        change(&leader, to: try ensemble(voters: [1, 2, 3, 4], version: zxid(1, 1).rawValue))
        let three = leader.join(3)
        let packets = leader.packets(three)
        #expect(packets.suffix(2).map(\.kind) == [.proposal, .newLeader])
        #expect(packets.last?.data == Array(try ensemble(voters: [1, 2, 3]).text.utf8))
    }

    @Test("Whether a coming configuration has its quorum is known beforehand")
    func quorumOfComing() throws {
        var leader = try LeaderHarness(observers: [6])
        let links = leader.lead(with: [2])
        let observer = leader.join(6, observer: true)
        leader.ack(observer, zxid(1, 0))
        #expect(leader.machine.hasQuorum(of: try ensemble(voters: [1, 2, 4])))
        #expect(!leader.machine.hasQuorum(of: try ensemble(voters: [1, 4, 5])))
        #expect(!leader.machine.hasQuorum(of: try ensemble(voters: [1, 5, 6])))
        let four = leader.join(4)
        #expect(!leader.machine.hasQuorum(of: try ensemble(voters: [1, 4, 5])))
        leader.ack(four, zxid(1, 0))
        #expect(leader.machine.hasQuorum(of: try ensemble(voters: [1, 4, 5])))
        leader.close(links[0])
        #expect(!leader.machine.hasQuorum(of: try ensemble(voters: [1, 2, 5])))
    }
}
