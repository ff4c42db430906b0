import ConclaveConsensus
import ConclaveCore
import ConclaveWire
import Testing

/// The opening packet, what follows it up to UPTODATE, and what must be on disk when.
///
/// The learner's log ends at 0x100000005; the leader's epoch is 2.
struct LearnerSynchronisingTests {
    private static let newLeader: Int64 = 0x2_0000_0000

    // MARK: DIFF

    @Test("With nothing missing, the epoch is saved, acknowledged and, after UPTODATE, acknowledged again")
    func nothingMissing() {
        var talk = LearnerConversation()
        talk.discover()
        talk.receive(.diff, 0x1_0000_0005)
        #expect(talk.did() == [])
        talk.receive(.newLeader, Self.newLeader)
        #expect(talk.did() == ["save current 2"])
        talk.machine.savedCurrentEpoch(now: talk.now)
        #expect(talk.did() == ["ack 0x200000000"])
        #expect(!talk.machine.isServing)
        talk.receive(.upToDate)
        #expect(talk.did() == ["serve 2", "ack 0x200000000"])
        #expect(talk.machine.isServing)
    }

    @Test("What comes before NEWLEADER is synced before the epoch is saved, and that before the answer")
    func order() {
        var talk = LearnerConversation()
        talk.discover()
        talk.receive(.diff, 0x1_0000_0007)
        talk.propose(0x1_0000_0006)
        talk.commit(0x1_0000_0006)
        talk.propose(0x1_0000_0007)
        talk.commit(0x1_0000_0007)
        #expect(
            talk.did() == [
                "append 0x100000006", "commit 0x100000006", "append 0x100000007", "commit 0x100000007",
            ])
        talk.sync(0x1_0000_0006)
        talk.receive(.newLeader, Self.newLeader)
        #expect(talk.did() == [])
        talk.pass(100_000)
        talk.sync(0x1_0000_0006)
        #expect(talk.did() == [])
        talk.sync(0x1_0000_0007)
        #expect(talk.did() == ["save current 2"])
        talk.pass(100_000)
        talk.machine.savedCurrentEpoch(now: talk.now)
        #expect(talk.did() == ["ack 0x200000000"])
        talk.receive(.upToDate)
        #expect(talk.did() == ["serve 2", "ack 0x200000000", "ack 0x100000006", "ack 0x100000007"])
    }

    @Test("An epoch that is the current one already is not saved again")
    func knownEpoch() {
        var talk = LearnerConversation(accepted: 2, current: 2)
        talk.connect()
        talk.leaderInfo(epoch: 2)
        talk.receive(.diff, 0x1_0000_0005)
        _ = talk.did()
        talk.receive(.newLeader, Self.newLeader)
        #expect(talk.did() == ["ack 0x200000000"])
    }

    @Test("Outstanding proposals before NEWLEADER are made durable too, and acknowledged after UPTODATE")
    func outstanding() {
        var talk = LearnerConversation()
        talk.discover()
        talk.receive(.diff, 0x1_0000_0005)
        talk.propose(0x2_0000_0001, 0x2_0000_0002)
        talk.receive(.newLeader, Self.newLeader)
        #expect(talk.did() == ["append 0x200000001", "append 0x200000002"])
        talk.sync(0x2_0000_0002)
        #expect(talk.did() == ["save current 2"])
        talk.machine.savedCurrentEpoch(now: talk.now)
        // ZOOKEEPER-4394: the proposal was logged at NEWLEADER, its COMMIT comes before UPTODATE.
        talk.commit(0x2_0000_0001)
        #expect(talk.did() == ["commit 0x200000001", "ack 0x200000000"])
        talk.receive(.upToDate)
        #expect(talk.did() == ["serve 2", "ack 0x200000000", "ack 0x200000001", "ack 0x200000002"])
        talk.commit(0x2_0000_0002)
        #expect(talk.did() == ["commit 0x200000002"])
    }

    @Test("What comes between NEWLEADER and UPTODATE is logged at once and acknowledged afterwards")
    func between() {
        var talk = LearnerConversation()
        talk.discover()
        talk.receive(.diff, 0x1_0000_0005)
        talk.receive(.newLeader, Self.newLeader)
        _ = talk.did()
        talk.propose(0x2_0000_0001)
        #expect(talk.did() == ["append 0x200000001"])
        talk.sync(0x2_0000_0001)
        #expect(talk.did() == [])
        talk.machine.savedCurrentEpoch(now: talk.now)
        talk.propose(0x2_0000_0002)
        talk.receive(.upToDate)
        #expect(
            talk.did() == [
                "append 0x200000002", "serve 2", "ack 0x200000000", "ack 0x200000000", "ack 0x200000001",
            ])
        talk.sync(0x2_0000_0002)
        #expect(talk.did() == ["ack 0x200000002"])
    }

    @Test("NEWLEADER does not wait for what came after it")
    func laterProposals() {
        var talk = LearnerConversation()
        talk.discover()
        talk.receive(.diff, 0x1_0000_0006)
        talk.propose(0x1_0000_0006)
        talk.commit(0x1_0000_0006)
        talk.receive(.newLeader, Self.newLeader)
        talk.propose(0x2_0000_0001)
        _ = talk.did()
        talk.sync(0x1_0000_0006)
        #expect(talk.did() == ["save current 2"])
    }

    @Test("A DIFF that leads back, or into a later epoch, ends it", arguments: [0x1_0000_0004, 0x3_0000_0000, -1])
    func oddDifference(zxid: Int64) {
        var talk = LearnerConversation()
        talk.discover()
        talk.receive(.diff, zxid)
        #expect(talk.did() == ["look again"])
    }

    @Test("A DIFF that does not lead where it said ends it")
    func shortDifference() {
        var talk = LearnerConversation()
        talk.discover()
        talk.receive(.diff, 0x1_0000_0007)
        talk.propose(0x1_0000_0006)
        talk.commit(0x1_0000_0006)
        _ = talk.did()
        talk.receive(.newLeader, Self.newLeader)
        #expect(talk.did() == ["look again"])
    }

    @Test("A server without a database takes only a snapshot")
    func blank() {
        var talk = LearnerConversation(accepted: 0, current: 0, last: -1)
        talk.discover()
        talk.receive(.diff, 0)
        #expect(talk.did() == ["look again"])
    }

    // MARK: TRUNC

    @Test("After TRUNC everything waits until the log is cut and the tree read again")
    func truncation() {
        var talk = LearnerConversation()
        talk.discover()
        talk.receive(.truncate, 0x1_0000_0003)
        talk.propose(0x1_0000_0004)
        talk.commit(0x1_0000_0004)
        talk.receive(.newLeader, Self.newLeader)
        #expect(talk.did() == ["truncate 0x100000003"])
        talk.pass(100_000)
        talk.machine.truncated(now: talk.now)
        #expect(talk.did() == ["append 0x100000004", "commit 0x100000004"])
        talk.sync(0x1_0000_0004)
        #expect(talk.did() == ["save current 2"])
        #expect(talk.machine.committed == Zxid(rawValue: 0x1_0000_0004))
    }

    @Test("Where the log cannot be cut, the same leader is asked for a snapshot over another connection")
    func failedTruncation() {
        var talk = LearnerConversation()
        talk.discover()
        talk.receive(.truncate, 0x1_0000_0003)
        #expect(talk.did() == ["truncate 0x100000003"])
        talk.machine.truncationFailed(now: talk.now)
        #expect(talk.did() == ["ask for a snapshot in epoch 2"])
        #expect(talk.machine.hasEnded)

        // Whoever names no history is sent everything.
        talk = LearnerConversation(accepted: 2, wantsSnapshotIn: 2)
        talk.connect()
        talk.leaderInfo(epoch: 2)
        #expect(talk.did().last == "ackEpoch none")
        talk.receive(.truncate, 0x1_0000_0003)
        #expect(talk.did() == ["look again"])

        // In another epoch the history counts again: it may be needed to find a leader.
        talk = LearnerConversation(accepted: 2, wantsSnapshotIn: 2)
        talk.connect()
        talk.leaderInfo(epoch: 3)
        _ = talk.did()
        talk.machine.savedAcceptedEpoch(now: talk.now)
        #expect(talk.did() == ["ackEpoch 0x100000005 1"])
    }

    @Test("A TRUNC to the end of the own log is one, a TRUNC beyond it ends it")
    func oddTruncation() {
        var talk = LearnerConversation()
        talk.discover()
        talk.receive(.truncate, 0x1_0000_0005)
        #expect(talk.did() == ["truncate 0x100000005"])

        talk = LearnerConversation()
        talk.discover()
        talk.receive(.truncate, 0x1_0000_0006)
        #expect(talk.did() == ["look again"])

        talk = LearnerConversation()
        talk.discover()
        talk.receive(.truncate, -1)
        #expect(talk.did() == ["look again"])
    }

    // MARK: The end of it

    @Test("NEWLEADER must be of the leader's epoch", arguments: [0x1_0000_0000, 0x2_0000_0001, 0x3_0000_0000, -1])
    func otherEpoch(zxid: Int64) {
        var talk = LearnerConversation()
        talk.discover()
        talk.receive(.diff, 0x1_0000_0005)
        talk.receive(.newLeader, zxid)
        #expect(talk.did() == ["look again"])
    }

    @Test("NEWLEADER comes once")
    func twice() {
        var talk = LearnerConversation()
        talk.discover()
        talk.receive(.diff, 0x1_0000_0005)
        talk.receive(.newLeader, Self.newLeader)
        _ = talk.did()
        talk.receive(.newLeader, Self.newLeader)
        #expect(talk.did() == ["look again"])
    }

    @Test("UPTODATE before the history is durable ends it")
    func earlyUpToDate() {
        for isAfterNewLeader in [false, true] {
            var talk = LearnerConversation()
            talk.discover()
            talk.receive(.diff, 0x1_0000_0005)
            if isAfterNewLeader { talk.receive(.newLeader, Self.newLeader) }
            _ = talk.did()
            talk.receive(.upToDate)
            #expect(talk.did() == ["look again"])
        }
    }

    @Test("Only DIFF, TRUNC and SNAP open the history", arguments: QuorumPacket.Kind.allCases)
    func opening(kind: QuorumPacket.Kind) {
        guard ![.diff, .truncate, .snapshot, .ping].contains(kind) else { return }
        var talk = LearnerConversation()
        talk.discover()
        talk.receive(kind, 0x1_0000_0005)
        #expect(talk.did() == ["look again"])
    }

    @Test(
        "What opens a history, and what learners send, has no place behind the opening packet",
        arguments: [
            QuorumPacket.Kind.diff, .truncate, .snapshot, .leaderInfo, .request, .ack, .followerInfo, .observerInfo,
            .ackEpoch,
        ])
    func misplaced(kind: QuorumPacket.Kind) {
        var talk = LearnerConversation()
        talk.discover()
        talk.receive(.diff, 0x1_0000_0005)
        talk.receive(kind, 0x1_0000_0005)
        #expect(talk.did() == ["look again"])

        talk = LearnerConversation()
        talk.serve()
        talk.receive(kind, 0x1_0000_0005)
        #expect(talk.did() == ["look again"])
    }

    @Test("A PING is only a sign of life until clients are served")
    func earlyPing() {
        var talk = LearnerConversation()
        talk.discover()
        talk.pass(900)
        talk.receive(.ping, Self.newLeader)
        talk.receive(.diff, 0x1_0000_0005)
        talk.pass(900)
        talk.receive(.ping, Self.newLeader)
        talk.pass(900)
        talk.receive(.newLeader, Self.newLeader)
        #expect(talk.did() == ["save current 2"])
        talk.machine.answerPing([])
        talk.machine.revalidate(SessionID(rawValue: 1), timeoutMilliseconds: 1)
        talk.machine.forward(
            ForwardedRequest(session: SessionID(rawValue: 1), cxid: 1, operation: .sync, body: []), identities: [])
        talk.receive(.sync, 0)
        talk.receive(.revalidate, data: [1])
        #expect(talk.did() == [])
    }

    @Test("An observer catches up the same way, and acknowledges only the epoch")
    func observer() {
        var talk = LearnerConversation(role: .observer)
        talk.discover()
        talk.receive(.diff, 0x1_0000_0006)
        talk.propose(0x1_0000_0006)
        talk.commit(0x1_0000_0006)
        talk.inform(0x2_0000_0001)
        talk.receive(.newLeader, Self.newLeader)
        #expect(
            talk.did() == [
                "append 0x100000006", "commit 0x100000006", "append 0x200000001", "commit 0x200000001",
            ])
        talk.sync(0x2_0000_0001)
        talk.machine.savedCurrentEpoch(now: talk.now)
        #expect(talk.did() == ["save current 2", "ack 0x200000000"])
        talk.receive(.upToDate)
        #expect(talk.did() == ["serve 2", "ack 0x200000000"])
        talk.inform(0x2_0000_0002)
        talk.sync(0x2_0000_0002)
        #expect(talk.did() == ["append 0x200000002", "commit 0x200000002"])
    }
}
