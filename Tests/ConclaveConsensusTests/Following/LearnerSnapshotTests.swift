import ConclaveConsensus
import ConclaveCore
import ConclaveWire
import Testing

/// A snapshot in place of the own history.
struct LearnerSnapshotTests {
    private static let zxid: Int64 = 0x2_0000_0010

    private func begin(_ talk: inout LearnerConversation) {
        talk.discover()
        talk.receive(.snapshot, Self.zxid)
        talk.receive(LearnerConversation.snapshot)
        #expect(talk.didInAll() == ["begin", "load 4", "end 0x200000010"])
    }

    @Test("A snapshot is loaded, written, and only then is the epoch saved")
    func order() {
        var talk = LearnerConversation()
        begin(&talk)
        talk.receive(.newLeader, 0x2_0000_0000)
        #expect(talk.did() == ["write"])
        talk.pass(100_000)
        #expect(talk.did() == [])
        talk.machine.snapshotWritten(now: talk.now)
        #expect(talk.did() == ["save current 2"])
        talk.machine.savedCurrentEpoch(now: talk.now)
        talk.receive(.upToDate)
        #expect(talk.did() == ["serve 2", "ack 0x200000000", "ack 0x200000000"])
        #expect(talk.machine.committed == Zxid(rawValue: Self.zxid))
    }

    @Test("What is committed before NEWLEADER goes to memory, the rest to the log once the snapshot is there")
    func transactions() {
        var talk = LearnerConversation()
        begin(&talk)
        talk.propose(0x2_0000_0011, 0x2_0000_0012)
        talk.commit(0x2_0000_0011)
        #expect(talk.did() == ["apply 0x200000011"])
        talk.receive(.newLeader, 0x2_0000_0000)
        talk.commit(0x2_0000_0012)
        talk.propose(0x2_0000_0013)
        #expect(talk.did() == ["write"])
        talk.machine.snapshotWritten(now: talk.now)
        #expect(talk.did() == ["append 0x200000012", "commit 0x200000012", "append 0x200000013"])
        talk.sync(0x2_0000_0012)
        #expect(talk.did() == ["save current 2"])
        talk.machine.savedCurrentEpoch(now: talk.now)
        talk.receive(.upToDate)
        talk.sync(0x2_0000_0013)
        #expect(
            talk.did() == [
                "serve 2", "ack 0x200000000", "ack 0x200000000", "ack 0x200000012", "ack 0x200000013",
            ])
    }

    @Test("An observer applies what it is informed of before NEWLEADER")
    func observer() {
        var talk = LearnerConversation(role: .observer)
        begin(&talk)
        talk.inform(0x2_0000_0011)
        talk.receive(.newLeader, 0x2_0000_0000)
        #expect(talk.did() == ["apply 0x200000011", "write"])
    }

    @Test("Transactions that the snapshot contains may come again and are passed over")
    func contained() {
        var talk = LearnerConversation()
        begin(&talk)
        talk.propose(0x2_0000_000E, 0x2_0000_000F)
        talk.commit(0x2_0000_000E)
        talk.propose(0x2_0000_0010)
        talk.commit(0x2_0000_000F, 0x2_0000_0010)
        talk.propose(0x2_0000_0011)
        talk.commit(0x2_0000_0011)
        #expect(talk.did() == ["apply 0x200000011"])
    }

    @Test("The first PING behind a snapshot tells from where on digests can be compared")
    func digests() {
        var talk = LearnerConversation()
        begin(&talk)
        talk.receive(.ping, 0x2_0000_0014)
        #expect(talk.did() == ["digests hold 0x200000014"])
        talk.receive(.ping, 0x2_0000_0015)
        #expect(talk.did() == [])
    }

    @Test("Until the snapshot is written, leaving means that the tree must be read from disk again")
    func staleMemory() {
        var talk = LearnerConversation()
        talk.discover()
        talk.receive(.snapshot, Self.zxid)
        _ = talk.did()
        talk.machine.closed(now: talk.now)
        #expect(talk.did() == ["look again, stale"])

        talk = LearnerConversation()
        begin(&talk)
        talk.receive(.newLeader, 0x2_0000_0000)
        _ = talk.did()
        talk.machine.closed(now: talk.now)
        #expect(talk.did() == ["look again, stale"])

        talk = LearnerConversation()
        begin(&talk)
        talk.receive(.newLeader, 0x2_0000_0000)
        talk.machine.snapshotWritten(now: talk.now)
        _ = talk.did()
        talk.machine.closed(now: talk.now)
        #expect(talk.did() == ["look again"])
    }

    @Test("A snapshot of a later epoch, or of none, ends it before anything is loaded", arguments: [0x3_0000_0000, -1])
    func oddZxid(zxid: Int64) {
        var talk = LearnerConversation()
        talk.discover()
        talk.receive(.snapshot, zxid)
        #expect(talk.did() == ["look again"])
    }

    @Test("A snapshot may be behind the own log")
    func behind() {
        var talk = LearnerConversation(last: 0x3_0000_0000)
        talk.discover(epoch: 4)
        talk.receive(.snapshot, 0x2_0000_0010)
        talk.receive(LearnerConversation.snapshot)
        talk.receive(.newLeader, 0x4_0000_0000)
        #expect(talk.didInAll() == ["begin", "load 4", "end 0x200000010", "write"])
    }

    @Test("Garbage in place of a snapshot ends it")
    func garbage() {
        var talk = LearnerConversation()
        talk.discover()
        talk.receive(.snapshot, Self.zxid)
        talk.receive([UInt8](repeating: 0x80, count: 40))
        #expect(talk.did() == ["begin", "look again, stale"])
    }

    @Test("A gap behind a snapshot ends it")
    func gap() {
        var talk = LearnerConversation()
        begin(&talk)
        talk.propose(0x2_0000_0012)
        #expect(talk.did() == ["look again, stale"])
    }

    @Test("The whole conversation is understood the same wherever it is cut")
    func cutAnywhere() {
        var bytes: [UInt8] = []
        func packet(_ kind: QuorumPacket.Kind, _ zxid: Int64, _ data: [UInt8]? = nil) {
            bytes += QuorumPacket(kind, zxid: Zxid(rawValue: zxid), data: data).bytes
        }
        packet(.snapshot, Self.zxid)
        bytes += LearnerConversation.snapshot
        packet(.proposal, 0x2_0000_0011, LearnerConversation.proposal(0x2_0000_0011).body)
        packet(.commit, 0x2_0000_0011)
        packet(.proposal, 0x2_0000_0012, LearnerConversation.proposal(0x2_0000_0012).body)
        packet(.newLeader, 0x2_0000_0000)
        packet(.proposal, 0x2_0000_0013, LearnerConversation.proposal(0x2_0000_0013).body)
        packet(.commit, 0x2_0000_0012)

        func understood(_ pieces: [ArraySlice<UInt8>]) -> [String] {
            var talk = LearnerConversation()
            talk.discover()
            for piece in pieces { talk.receive(Array(piece)) }
            talk.machine.snapshotWritten(now: talk.now)
            talk.sync(0x2_0000_0013)
            talk.machine.savedCurrentEpoch(now: talk.now)
            talk.receive(.upToDate)
            return talk.didInAll()
        }
        let whole = understood([bytes[...]])
        #expect(
            whole == [
                "begin", "load 4", "end 0x200000010", "apply 0x200000011", "write", "append 0x200000012",
                "append 0x200000013", "commit 0x200000012", "save current 2", "serve 2", "ack 0x200000000",
                "ack 0x200000000", "ack 0x200000012", "ack 0x200000013",
            ])
        for cut in 0...bytes.count { #expect(understood([bytes[..<cut], bytes[cut...]]) == whole) }
        #expect(understood(bytes.indices.map { bytes[$0...$0] }) == whole)
    }
}
