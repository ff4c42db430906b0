import ConclaveConsensus
import ConclaveCore
import ConclaveWire
import Testing

/// Agreeing on the epoch: the leader's column of quorum-protocol 7.1.
struct LeaderDiscoveryTests {
    @Test("The epoch is one above everything that a quorum has promised")
    func epochIsAboveAll() throws {
        var leader = try LeaderHarness(acceptedEpoch: 4)
        #expect(leader.actions() == [])
        _ = leader.introduce(2, acceptedEpoch: 6)
        #expect(leader.actions() == [.saveAcceptedEpoch(7)])
        #expect(leader.machine.phase == .awaitingEpochAcks)
    }

    @Test("The own promise counts as well")
    func ownPromise() throws {
        var leader = try LeaderHarness(acceptedEpoch: 9)
        _ = leader.introduce(2, acceptedEpoch: 6)
        #expect(leader.actions() == [.saveAcceptedEpoch(10)])
    }

    @Test("Nothing is told before the promise is stored")
    func storedFirst() throws {
        var leader = try LeaderHarness()
        leader.savesAtOnce = false
        let two = leader.introduce(2)
        let three = leader.introduce(3)
        #expect(leader.actions() == [.saveAcceptedEpoch(1)])
        #expect(leader.sent(two) == [])
        leader.perform { $0.savedAcceptedEpoch(now: $1) }
        let expected = QuorumPacket(.leaderInfo, zxid: zxid(1, 0), data: [0, 1, 0, 0])
        #expect(leader.packets(two) == [expected])
        #expect(leader.packets(three) == [expected])
    }

    @Test("LEADERINFO looks as captured")
    func captured() throws {
        var leader = try LeaderHarness()
        let two = leader.introduce(2)
        let packet = try #require(leader.packets(two).first)
        let hex = "0000001100000001000000000000000400010000ffffffff"
        #expect(packet.bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined() == hex)
    }

    @Test("Observers raise the epoch while it is open, but are no part of the quorum")
    func observersRaise() throws {
        var leader = try LeaderHarness(observers: [4])
        let observer = leader.introduce(4, acceptedEpoch: 8, observer: true)
        #expect(leader.actions() == [])
        _ = leader.introduce(2)
        #expect(leader.actions() == [.saveAcceptedEpoch(9)])
        #expect(leader.sent(observer) == [Sent(.leaderInfo, zxid(9, 0))])
    }

    @Test("A server that nobody lists is no part of the quorum, as whatever it comes")
    func unlisted() throws {
        var leader = try LeaderHarness()
        _ = leader.introduce(9)
        _ = leader.introduce(3, observer: true)
        #expect(leader.actions() == [])
        #expect(leader.machine.phase == .gatheringEpochs)
    }

    @Test(
        "A server that nobody lists does not raise the epoch, however much it has promised", arguments: [false, true])
    func unlistedEpoch(isObserver: Bool) throws {
        var leader = try LeaderHarness()
        let stranger = leader.introduce(9, acceptedEpoch: 0x7FFF_FFFE, observer: isObserver)
        let two = leader.introduce(2, acceptedEpoch: 4)
        #expect(leader.actions() == [.saveAcceptedEpoch(5)])
        #expect(leader.sent(two) == [Sent(.leaderInfo, zxid(5, 0))])
        #expect(leader.sent(stranger) == [Sent(.leaderInfo, zxid(5, 0))], "It may follow if it can, or leave.")
    }

    @Test("A server of the configuration to come raises the epoch like any other")
    func comingEpoch() throws {
        let coming = try ensemble(voters: [1, 2, 3, 4]).with(version: 7)
        var leader = try LeaderHarness(lastSeen: coming)
        _ = leader.introduce(4, acceptedEpoch: 8)
        _ = leader.introduce(2)
        _ = leader.introduce(3)
        #expect(leader.actions().contains(.saveAcceptedEpoch(9)))
    }

    @Test("Late learners get the epoch as it is, whatever they promised")
    func lateLearner() throws {
        var leader = try LeaderHarness()
        _ = leader.introduce(2)
        let three = leader.introduce(3, acceptedEpoch: 12)
        #expect(leader.sent(three) == [Sent(.leaderInfo, zxid(1, 0))])
        #expect(leader.actions() == [.saveAcceptedEpoch(1)])
    }

    @Test("A voter that has promised a later epoch, and is missing, has the leader make way for another election")
    func promisedLater() throws {
        func leading() throws -> LeaderHarness {
            var leader = try LeaderHarness(acceptedEpoch: 4)
            _ = leader.lead(with: [2])
            return leader
        }
        var leader = try leading()
        _ = leader.introduce(3, acceptedEpoch: 6)
        #expect(leader.machine.phase == .steppedDown)
        // What it promised is this epoch; or it does not vote; or it is here under the same name; or there is no later one.
        leader = try leading()
        _ = leader.introduce(3, acceptedEpoch: 5)
        _ = leader.introduce(9, acceptedEpoch: 6)
        _ = leader.introduce(2, acceptedEpoch: 6)
        _ = leader.introduce(3, acceptedEpoch: 0x7FFF_FFFF)
        #expect(leader.machine.phase == .leading)
    }

    @Test("An ensemble of one needs nobody")
    func single() throws {
        var leader = try LeaderHarness(voters: [1], acceptedEpoch: 2)
        #expect(
            leader.actions() == [.saveAcceptedEpoch(3), .saveCurrentEpoch(3), .activate(epoch: 3)])
        leader.propose()
        leader.synced(zxid(3, 1))
        #expect(leader.actions() == [.commit(through: zxid(3, 1))])
    }

    @Test("A learner with a newer epoch or a newer zxid is sent away, one with the same history is not")
    func learnerAhead() throws {
        for (current, last, isAhead): (Int64, Zxid, Bool) in [
            (3, zxid(2, 5), false), (3, zxid(2, 6), true), (4, zxid(1, 1), true), (2, zxid(9, 9), false),
        ] {
            var leader = try LeaderHarness(
                voters: [1, 2, 3, 4, 5], acceptedEpoch: 3, currentEpoch: 3, lastZxid: zxid(2, 5))
            let two = leader.introduce(2)
            _ = leader.introduce(3)
            _ = leader.actions()
            leader.ackEpoch(two, current: current, last: last)
            #expect(leader.actions() == (isAhead ? [.close(two, .historyIsNewer(epoch: current, last))] : []))
        }
    }

    @Test("Once a quorum has acknowledged, a learner ahead is brought into line instead")
    func learnerAheadLater() throws {
        var leader = try LeaderHarness(acceptedEpoch: 3, currentEpoch: 3, lastZxid: zxid(2, 5))
        _ = leader.join(2, current: 3, last: zxid(2, 5))
        let three = leader.join(3, current: 3, last: zxid(2, 8))
        #expect(leader.sent(three).dropFirst().first == Sent(.truncate, zxid(2, 5)))
    }

    @Test("A learner that has promised this epoch before is not counted, but not sent away either")
    func promisedBefore() throws {
        var leader = try LeaderHarness()
        let two = leader.introduce(2)
        _ = leader.actions()
        leader.ackEpoch(two, current: nil, last: zxid(7, 7))
        #expect(leader.actions() == [])
        #expect(leader.machine.phase == .awaitingEpochAcks)
        _ = leader.join(3)
        #expect(leader.actions() == [.saveCurrentEpoch(1)])
    }

    @Test("A learner without a database is not counted")
    func blankLearner() throws {
        var leader = try LeaderHarness()
        _ = leader.join(2, last: Zxid(rawValue: -1))
        #expect(leader.machine.phase == .awaitingEpochAcks)
    }

    @Test("Nothing is synchronised before the current epoch is stored")
    func currentEpochFirst() throws {
        var leader = try LeaderHarness()
        leader.savesAtOnce = false
        let two = leader.introduce(2)
        leader.perform { $0.savedAcceptedEpoch(now: $1) }
        leader.ackEpoch(two, current: 0, last: .zero)
        let three = leader.join(3)
        #expect(leader.actions() == [.saveAcceptedEpoch(1), .saveCurrentEpoch(1)])
        #expect(leader.sent(two) == [Sent(.leaderInfo, zxid(1, 0))])
        leader.perform { $0.savedCurrentEpoch(now: $1) }
        #expect(leader.sent(two) == [.diff(0, 0), .newLeader(1)])
        #expect(leader.sent(three).suffix(2) == [.diff(0, 0), .newLeader(1)])
    }

    @Test("Receipts that nobody waits for are ignored")
    func strayReceipts() throws {
        var leader = try LeaderHarness()
        leader.perform { $0.savedAcceptedEpoch(now: $1) }
        leader.perform { $0.savedCurrentEpoch(now: $1) }
        leader.synced(zxid(1, 1))
        #expect(leader.machine.phase == .gatheringEpochs)
        #expect(leader.actions() == [])
    }

    @Test("A learner with a newer configuration is sent away")
    func newerConfiguration() throws {
        var leader = try LeaderHarness(configuration: try ensemble(voters: [1, 2, 3], version: 5))
        let same = leader.introduce(2, version: 5)
        #expect(leader.sent(same).count == 1)
        _ = leader.actions()
        let newer = leader.introduce(3, version: 6)
        #expect(leader.actions() == [.close(newer, .configurationIsNewer(6))])
    }

    @Test("A learner that calls itself by the leader's number is sent away")
    func myself() throws {
        var leader = try LeaderHarness()
        let link = leader.introduce(1)
        #expect(leader.actions() == [.close(link, .isMyself)])
        #expect(leader.machine.phase == .gatheringEpochs)
    }

    @Test("A server that comes back counts once")
    func twice() throws {
        var leader = try LeaderHarness(voters: [1, 2, 3, 4, 5])
        let old = leader.introduce(2)
        let new = leader.introduce(2)
        #expect(leader.actions() == [])
        #expect(leader.machine.phase == .gatheringEpochs)
        _ = leader.introduce(3)
        #expect(leader.actions() == [.saveAcceptedEpoch(1)])
        #expect(leader.sent(old).count == 1)
        #expect(leader.sent(new).count == 1)
    }

    @Test("A server that comes back takes the place of its old connection when it has caught up, and no sooner")
    func replaced() throws {
        var leader = try LeaderHarness()
        let link = leader.lead(with: [2])[0]
        _ = leader.actions()
        let impostor = leader.introduce(2, acceptedEpoch: 1)
        let new = leader.introduce(2, acceptedEpoch: 1)
        leader.ackEpoch(impostor, current: nil, last: .zero)
        leader.ackEpoch(new, current: nil, last: .zero)
        #expect(leader.actions() == [])
        leader.deliver(QuorumPacket(.ack, zxid: zxid(1, 0)), on: new)
        #expect(
            leader.actions() == [.close(link, .replaced), .close(impostor, .replaced), .synchronised(new, server(2))])
    }

    @Test("Learners without a number are served, two at a time")
    func anonymous() throws {
        var leader = try LeaderHarness()
        let first = leader.connect()
        let second = leader.connect()
        for link in [first, second] {
            leader.deliver(QuorumPacket(.observerInfo, zxid: .zero), on: link)
        }
        _ = leader.lead(with: [2])
        #expect(leader.sent(first) == [.diff(0, 0), .newLeader(1)])
        #expect(leader.sent(second) == [.diff(0, 0), .newLeader(1)])
    }

    @Test("Learners of old releases get no LEADERINFO and no configuration")
    func oldRelease() throws {
        var leader = try LeaderHarness()
        let old = leader.connect()
        var info = LearnerInfo(serverID: server(2), configurationVersion: 0)
        info.protocolVersion = 0
        leader.deliver(QuorumPacket(.followerInfo, zxid: .zero, data: Array(info.data.prefix(12))), on: old)
        #expect(leader.actions() == [.saveAcceptedEpoch(1), .saveCurrentEpoch(1)])
        let packets = leader.packets(old)
        #expect(packets.map(\.kind) == [.diff, .newLeader])
        #expect(packets.last?.data == nil)
    }

    @Test("An epoch behind which there is no room ends the connection, not the leader")
    func lastEpoch() throws {
        var leader = try LeaderHarness()
        let link = leader.introduce(2, acceptedEpoch: 0x7FFF_FFFF)
        #expect(leader.actions() == [.close(link, .epochIsUsedUp(0x7FFF_FFFF))])
        _ = leader.introduce(3, acceptedEpoch: 0xFFFF_FFFF)
        #expect(leader.actions() == [.saveAcceptedEpoch(1)])
        var last = try LeaderHarness(acceptedEpoch: 0x7FFF_FFFF)
        #expect(last.machine.phase == .steppedDown)
        #expect(last.actions() == [.stepDown(reason: "epoch 2147483647 is the last there is")])
    }

    @Test("With weights, one server may be a quorum")
    func weights() throws {
        let members = try ensemble(voters: [1, 2, 3]).members
        let configuration = try EnsembleConfiguration(
            members: members,
            groups: [EnsembleConfiguration.Group(id: 1, members: [server(1), server(2), server(3)])],
            weights: [EnsembleConfiguration.Weight(server: server(1), weight: 3)])
        var leader = try LeaderHarness(configuration: configuration)
        #expect(leader.actions().last == .activate(epoch: 1))
    }

    @Test("With two groups of two, a majority of servers in one group decides nothing")
    func groups() throws {
        let configuration = try EnsembleConfiguration(
            members: try ensemble(voters: [1, 2, 3, 4, 5, 6]).members,
            groups: [
                EnsembleConfiguration.Group(id: 1, members: [server(1), server(2), server(3)]),
                EnsembleConfiguration.Group(id: 2, members: [server(4), server(5), server(6)]),
            ])
        var leader = try LeaderHarness(configuration: configuration)
        for number: Int64 in [2, 3, 4] { _ = leader.introduce(number) }
        #expect(leader.actions() == [])
        _ = leader.introduce(5)
        #expect(leader.actions() == [.saveAcceptedEpoch(1)])
    }
}
