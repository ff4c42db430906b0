import ConclaveConsensus
import ConclaveCore
import ConclaveWire
import Testing

/// Dialling the leader and promising to follow it.
struct LearnerDiscoveryTests {
    // MARK: Introduction

    @Test("Dials at once, and a follower introduces itself with the epoch it accepted")
    func introduction() throws {
        var talk = LearnerConversation(accepted: 4, configuration: LearnerConversation.configuration(version: 9))
        #expect(talk.did() == ["connect"])
        talk.connect()
        guard case .send(let bytes)? = talk.actions().first else { return #expect(Bool(false)) }
        var decoder = QuorumPacketDecoder()
        decoder.append(bytes.span)
        let packet = try #require(try decoder.next())
        #expect(packet.kind == .followerInfo)
        #expect(packet.zxid == Zxid(rawValue: 0x4_0000_0000))
        #expect(LearnerInfo(packet.data) == LearnerInfo(serverID: ServerID(rawValue: 1), configurationVersion: 9))
    }

    @Test("An observer says that it is one")
    func observer() {
        var talk = LearnerConversation(role: .observer)
        talk.connect()
        #expect(talk.did() == ["connect", "observerInfo 0x100000000"])
    }

    // MARK: The epoch

    @Test("A newer epoch is on disk before it is acknowledged")
    func newerEpoch() {
        var talk = LearnerConversation(accepted: 1, current: 1, last: 0x1_0000_0005)
        talk.connect()
        _ = talk.did()
        talk.leaderInfo(epoch: 2)
        #expect(talk.did() == ["save accepted 2"])
        talk.pass(100_000)
        #expect(talk.did() == [], "The own disk is at work; that is nobody's silence.")
        talk.machine.savedAcceptedEpoch(now: talk.now)
        #expect(talk.did() == ["ackEpoch 0x100000005 1"])
    }

    @Test("An epoch that was accepted before is not promised twice")
    func sameEpoch() {
        var talk = LearnerConversation(accepted: 2, current: 1)
        talk.connect()
        _ = talk.did()
        talk.leaderInfo(epoch: 2)
        #expect(talk.did() == ["ackEpoch 0x100000005 none"])
    }

    @Test("An observer follows in an older epoch than it promised, unless it has a history of a later one")
    func observersPromise() {
        var talk = LearnerConversation(role: .observer, accepted: 3, current: 2)
        talk.connect()
        _ = talk.did()
        talk.leaderInfo(epoch: 2)
        #expect(talk.did() == ["ackEpoch 0x100000005 none"])
        talk = LearnerConversation(role: .observer, accepted: 4, current: 3)
        talk.connect()
        _ = talk.did()
        talk.leaderInfo(epoch: 2)
        #expect(talk.did() == ["look again"])
    }

    @Test("A leader of an older epoch is left")
    func olderEpoch() {
        var talk = LearnerConversation(accepted: 3)
        talk.connect()
        _ = talk.did()
        talk.leaderInfo(epoch: 2)
        #expect(talk.did() == ["look again"])
    }

    @Test("A leader whose epoch is negative is left")
    func negativeEpoch() {
        var talk = LearnerConversation(accepted: 0)
        talk.connect()
        _ = talk.did()
        talk.leaderInfo(epoch: -1)
        #expect(talk.did() == ["look again"])
    }

    @Test("A server without a database says so")
    func blank() {
        var talk = LearnerConversation(accepted: 0, current: 0, last: -1)
        talk.connect()
        _ = talk.did()
        talk.leaderInfo(epoch: 1)
        talk.machine.savedAcceptedEpoch(now: talk.now)
        #expect(talk.did() == ["save accepted 1", "ackEpoch 0"])
    }

    @Test("Anything but LEADERINFO at first ends it", arguments: QuorumPacket.Kind.allCases)
    func firstPacket(kind: QuorumPacket.Kind) {
        guard kind != .leaderInfo else { return }
        var talk = LearnerConversation()
        talk.connect()
        _ = talk.did()
        talk.receive(kind, 0x2_0000_0000)
        #expect(talk.did() == ["look again"])
    }

    @Test("A leader of a release before 3.4 is left", arguments: [nil, [], [0, 0, 0, 1], [0, 1, 0]] as [[UInt8]?])
    func oldProtocol(data: [UInt8]?) {
        var talk = LearnerConversation()
        talk.connect()
        _ = talk.did()
        talk.receive(.leaderInfo, 0x2_0000_0000, data: data)
        #expect(talk.did() == ["look again"])
    }

    @Test("A leader that is silent for initLimit is left, in every phase before serving")
    func silence() {
        func isLeftOnTime(_ talk: inout LearnerConversation) {
            _ = talk.did()
            talk.pass(999)
            #expect(talk.did() == [])
            talk.pass(1)
            #expect(talk.did() == ["look again"] || talk.did() == ["look again, stale"] || talk.machine.hasEnded)
        }
        var talk = LearnerConversation()
        talk.connect()
        isLeftOnTime(&talk)

        talk = LearnerConversation()
        talk.discover()
        isLeftOnTime(&talk)

        talk = LearnerConversation()
        talk.discover()
        talk.receive(.diff, 0x1_0000_0005)
        isLeftOnTime(&talk)

        talk = LearnerConversation()
        talk.discover()
        talk.receive(.snapshot, 0x1_0000_0009)
        isLeftOnTime(&talk)

        talk = LearnerConversation()
        talk.discover()
        talk.receive(.diff, 0x1_0000_0005)
        talk.receive(.newLeader, 0x2_0000_0000)
        talk.machine.savedCurrentEpoch(now: talk.now)
        isLeftOnTime(&talk)
    }

    @Test("A connection that is closed behind the leader's first word ends it, and nothing is done any more")
    func closed() {
        var talk = LearnerConversation()
        talk.discover()
        talk.machine.closed(now: talk.now)
        #expect(talk.did() == ["look again"])
        talk.leaderInfo(epoch: 2)
        talk.connect()
        talk.machine.connectFailed(now: talk.now)
        talk.machine.closed(now: talk.now)
        talk.machine.savedAcceptedEpoch(now: talk.now)
        talk.machine.savedCurrentEpoch(now: talk.now)
        talk.machine.truncated(now: talk.now)
        talk.machine.snapshotWritten(now: talk.now)
        talk.sync(5)
        talk.pass(100_000)
        #expect(talk.did() == [])
        #expect(talk.machine.nextDeadline == .distantFuture)
    }
}
