import ConclaveConsensus
import ConclaveCore
import ConclaveWire
import Testing

/// Broadcast, sessions and liveness while clients are served, in epoch 2 on a log that ended at 0x100000005.
struct LearnerServingTests {
    private func serving(
        role: EnsembleMember.Role = .participant, _ configure: (inout EnsembleOptions) -> Void = { _ in }
    ) -> LearnerConversation {
        var talk = LearnerConversation(role: role, configure)
        talk.serve()
        #expect(talk.machine.isServing)
        return talk
    }

    // MARK: Broadcast

    @Test("A follower logs, acknowledges what is synced, and commits what it is told")
    func broadcast() {
        var talk = serving()
        talk.propose(0x2_0000_0001)
        #expect(talk.did() == ["append 0x200000001"])
        talk.sync(0x2_0000_0001)
        #expect(talk.did() == ["ack 0x200000001"])
        talk.commit(0x2_0000_0001)
        #expect(talk.did() == ["commit 0x200000001"])
    }

    @Test("One sync acknowledges each proposal of a batch, in order and in one piece")
    func batch() {
        var talk = serving()
        talk.propose(0x2_0000_0001, 0x2_0000_0002, 0x2_0000_0003)
        _ = talk.did()
        talk.sync(0x2_0000_0002)
        let actions = talk.actions()
        #expect(actions.count == 1)
        #expect(actions.flatMap(LearnerConversation.words) == ["ack 0x200000001", "ack 0x200000002"])
        talk.sync(0x2_0000_0002)
        #expect(talk.did() == [])
        talk.sync(0x2_0000_0003)
        #expect(talk.did() == ["ack 0x200000003"])
    }

    @Test("A commit may come before the own sync; commits that follow each other are one")
    func earlyCommit() {
        var talk = serving()
        talk.propose(0x2_0000_0001, 0x2_0000_0002)
        talk.commit(0x2_0000_0001, 0x2_0000_0002)
        #expect(talk.did() == ["append 0x200000001", "append 0x200000002", "commit 0x200000002"])
        #expect(talk.machine.committed == Zxid(rawValue: 0x2_0000_0002))
        talk.sync(0x2_0000_0002)
        #expect(talk.did() == ["ack 0x200000001", "ack 0x200000002"])
    }

    @Test("Proposals and commits that come twice are passed over")
    func duplicates() {
        var talk = serving()
        talk.propose(0x2_0000_0001, 0x2_0000_0001)
        talk.commit(0x2_0000_0001, 0x2_0000_0001, 0x1_0000_0005)
        talk.propose(0x2_0000_0001, 0x1_0000_0002)
        #expect(talk.did() == ["append 0x200000001", "commit 0x200000001"])
    }

    @Test(
        "A gap in the zxids ends it",
        arguments: [0x2_0000_0003, 0x2_0000_0004, 0x3_0000_0001, 0x2_FFFF_FFFF])
    func gap(zxid: Int64) {
        var talk = serving()
        talk.propose(0x2_0000_0001)
        _ = talk.did()
        talk.propose(zxid)
        #expect(talk.did() == ["look again"])
    }

    @Test("An epoch begins with 1, and one that nobody leads is nonsense", arguments: [0x2_0000_0002, 0x3_0000_0001])
    func firstOfEpoch(zxid: Int64) {
        var talk = serving()
        talk.propose(zxid)
        #expect(talk.did() == ["look again"])
    }

    @Test("A commit that is not the oldest proposal's ends it", arguments: [0x2_0000_0002, 0x2_0000_0003])
    func oddCommit(zxid: Int64) {
        var talk = serving()
        talk.propose(0x2_0000_0001, 0x2_0000_0002)
        _ = talk.did()
        talk.commit(zxid)
        #expect(talk.did() == ["look again"])
    }

    @Test("A proposal that is not what its number says, or cannot be read, ends it")
    func unreadable() {
        let body = LearnerConversation.proposal(0x2_0000_0001).body
        for data in [nil, [], Array(body.dropLast()), LearnerConversation.proposal(0x2_0000_0002).body] {
            for kind in [QuorumPacket.Kind.proposal, .inform] {
                var talk = serving()
                talk.receive(kind, 0x2_0000_0001, data: data)
                #expect(talk.did() == ["look again"])
            }
        }
    }

    @Test("An observer logs and commits what it is informed of and acknowledges nothing")
    func observer() {
        var talk = serving(role: .observer)
        talk.inform(0x2_0000_0001)
        talk.inform(0x2_0000_0002)
        #expect(
            talk.did() == [
                "append 0x200000001", "commit 0x200000001", "append 0x200000002", "commit 0x200000002",
            ])
        talk.sync(0x2_0000_0002)
        #expect(talk.did() == [])
        talk.inform(0x2_0000_0002)
        #expect(talk.did() == [])
        talk.inform(0x2_0000_0004)
        #expect(talk.did() == ["look again"])
    }

    @Test("What an observer is informed of may have been proposed to it before")
    func informedAfterProposal() {
        var talk = serving(role: .observer)
        talk.propose(0x2_0000_0001)
        talk.inform(0x2_0000_0001)
        #expect(talk.did() == ["append 0x200000001", "commit 0x200000001"])
    }

    @Test("Reading pauses while the disk is far behind")
    func pressure() {
        var talk = serving()
        let data = [UInt8](repeating: 7, count: 1 << 20)
        for counter: Int64 in 1...16 {
            #expect(talk.machine.wantsBytes)
            let zxid = 0x2_0000_0000 + counter
            let proposal = LearnerConversation.proposal(zxid, .setData(path: "/a", data: data, version: 1))
            talk.receive(.proposal, zxid, data: proposal.body)
        }
        #expect(!talk.machine.wantsBytes)
        talk.sync(0x2_0000_0008)
        #expect(talk.machine.wantsBytes)
    }

    // MARK: Clients

    @Test("Requests are passed on unchanged, with who asked")
    func forwarding() throws {
        var talk = serving()
        let request = ForwardedRequest(
            session: SessionID(rawValue: 0x77), cxid: 3, operation: .create, body: [1, 2, 3])
        let identity = Identity(scheme: "ip", id: "127.0.0.1")
        talk.machine.forward(request, identities: [identity])
        talk.machine.forward(request, identities: nil)
        guard case .send(let bytes)? = talk.actions().first else { return #expect(Bool(false)) }
        var decoder = QuorumPacketDecoder()
        decoder.append(bytes.span)
        #expect(try decoder.next() == QuorumPacket(.request, data: request.data, identities: [identity]))
        #expect(try decoder.next() == QuorumPacket(.request, data: request.data))
        #expect(decoder.pendingBytes == 0)
    }

    @Test("An answered sync comes behind what was committed before it")
    func sync() {
        var talk = serving()
        talk.propose(0x2_0000_0001)
        talk.commit(0x2_0000_0001)
        talk.receive(.sync, 0)
        #expect(talk.did() == ["append 0x200000001", "commit 0x200000001", "synced"])
    }

    @Test("Sessions are asked about and answered for")
    func revalidation() throws {
        var talk = serving()
        let session = SessionID(rawValue: 0x77)
        talk.machine.revalidate(session, timeoutMilliseconds: 4000)
        guard case .send(let bytes)? = talk.actions().first else { return #expect(Bool(false)) }
        #expect(
            bytes
                == QuorumPacket(
                    .revalidate, data: RevalidationRequest(session: session, timeoutMilliseconds: 4000).data
                ).bytes)
        talk.receive(.revalidate, data: RevalidationAnswer(session: session, isValid: true).data)
        talk.receive(.revalidate, data: RevalidationAnswer(session: session, isValid: false).data)
        #expect(talk.did() == ["session 0x77 lives", "session 0x77 is gone"])
        talk.receive(.revalidate, data: [0, 0, 0])
        #expect(talk.did() == ["look again"])
    }

    @Test("A PING is answered with its zxid and the sessions that were heard of")
    func ping() {
        var talk = serving()
        talk.receive(.ping, 0x2_0000_0000)
        #expect(talk.did() == ["ping"])
        let touches = [SessionTouch(SessionID(rawValue: 0x77), timeoutMilliseconds: 4000)]
        talk.machine.answerPing(touches)
        let answer = QuorumPacket(.ping, zxid: Zxid(rawValue: 0x2_0000_0000), data: SessionTouches.encode(touches))
        #expect(talk.actions() == [.send(answer.bytes)])
        talk.machine.answerPing([])
        #expect(
            talk.actions() == [.send(QuorumPacket(.ping, zxid: Zxid(rawValue: 0x2_0000_0000), data: []).bytes)])
    }

    // MARK: Liveness

    @Test("A leader that is silent for syncLimit is left; any packet is a sign of life")
    func silence() {
        var talk = serving()
        for _ in 0..<5 {
            talk.pass(499)
            talk.receive(.ping, 0x2_0000_0000)
        }
        #expect(talk.machine.nextDeadline == talk.now.advanced(byMilliseconds: 500))
        talk.machine.forward(
            ForwardedRequest(session: SessionID(rawValue: 1), cxid: 1, operation: .sync, body: []), identities: [])
        talk.propose(0x2_0000_0001)
        _ = talk.did()
        talk.pass(499)
        talk.sync(0x2_0000_0001)
        #expect(talk.did() == ["ack 0x200000001"])
        talk.pass(1)
        #expect(talk.did() == ["look again"])
    }

    @Test("UPTODATE may come again")
    func secondUpToDate() {
        var talk = serving()
        talk.receive(.upToDate)
        #expect(talk.did() == [])
        #expect(talk.machine.isServing)
    }

    @Test("Nothing is sent once it is over")
    func over() {
        var talk = serving()
        talk.propose(0x2_0000_0001)
        _ = talk.did()
        talk.sync(0x2_0000_0001)
        talk.machine.closed(now: talk.now)
        #expect(talk.did() == ["look again"])
        talk.machine.answerPing([])
        talk.sync(0x2_0000_0001)
        #expect(talk.did() == [])
    }

    // MARK: Hostile bytes

    @Test("Bytes that are no packets end it")
    func garbage() {
        for bytes: [UInt8] in [[0, 0, 0, 99] + [UInt8](repeating: 0, count: 16), [UInt8](repeating: 0xFF, count: 20)] {
            var talk = serving()
            talk.receive(bytes)
            #expect(talk.did() == ["look again"])
        }
    }

    @Test("A conversation with a changed byte is understood or ended, never a trap")
    func flipped() {
        var bytes = QuorumPacket(.leaderInfo, zxid: Zxid(rawValue: 0x2_0000_0000), data: LeaderInfo().data).bytes
        let parts: [(QuorumPacket.Kind, Int64, [UInt8]?)] = [
            (.snapshot, 0x2_0000_0010, nil),
            (.proposal, 0x2_0000_0011, LearnerConversation.proposal(0x2_0000_0011).body),
            (.commit, 0x2_0000_0011, nil), (.newLeader, 0x2_0000_0000, Array("server.1=a:1:2\nversion=5".utf8)),
            (.upToDate, -1, nil),
            (
                .informAndActivate, 0x2_0000_0012,
                Activation(
                    leader: ServerID(rawValue: 3),
                    body: LearnerConversation.proposal(0x2_0000_0012).body
                ).data
            ),
            (.revalidate, -1, RevalidationAnswer(session: .none, isValid: true).data), (.ping, 0x2_0000_0012, nil),
        ]
        for (kind, zxid, data) in parts {
            bytes += QuorumPacket(kind, zxid: Zxid(rawValue: zxid), data: data).bytes
            if kind == .snapshot { bytes += LearnerConversation.snapshot }
        }
        for index in bytes.indices {
            for mask: UInt8 in [0xFF, 0x80, 0x01] {
                var changed = bytes
                changed[index] ^= mask
                var talk = LearnerConversation { $0.reconfigEnabled = true }
                talk.connect()
                talk.receive(changed)
                talk.machine.savedAcceptedEpoch(now: talk.now)
                talk.machine.truncated(now: talk.now)
                talk.machine.snapshotWritten(now: talk.now)
                talk.sync(.max)
                talk.machine.savedCurrentEpoch(now: talk.now)
                _ = talk.did()
            }
        }
    }
}
