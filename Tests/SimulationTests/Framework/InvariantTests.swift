import ConclaveCore
import ConclaveSimulator
import Testing

/// Each invariant by itself: a sequence that is right, and the same with one thing wrong.
@Suite struct InvariantTests {
    private func zxid(_ epoch: UInt32, _ counter: UInt32) -> Zxid { Zxid(epoch: epoch, counter: counter) }

    private func entry(
        _ epoch: UInt32, _ counter: UInt32, _ content: UInt64 = 1, session: Int64 = 9, cxid: Int32? = nil,
        kind: LogEntry.Kind = .request
    ) -> LogEntry {
        LogEntry(
            zxid: zxid(epoch, counter), kind: kind, session: SessionID(rawValue: session),
            cxid: cxid ?? Int32(epoch * 100 + counter), fingerprint: content)
    }

    /// Three voters that lead, log and apply.
    private struct Court {
        var judge = Judge(servers: 3, voters: 0b111)
        var time: Int64 = 0
        var broken: Violation?

        mutating func say(_ server: Int, _ observations: Observation..., until: Int64 = 0) {
            for observation in observations where broken == nil {
                time += 1
                broken = judge.observe(observation, by: server, at: time, until: until)
            }
        }

        /// Logs an entry, durably, on some servers.
        mutating func log(_ entry: LogEntry, on servers: Int...) {
            for server in servers { say(server, .logged(entry), .durable(through: entry.zxid)) }
        }
    }

    /// Epoch 1 is led by server 0, everybody serves, 1.1 and 1.2 are committed.
    private func established() -> Court {
        var court = Court()
        for server in 0..<3 { court.say(server, .recovered(through: .zero)) }
        court.say(0, .activated(epoch: 1))
        for server in 0..<3 { court.say(server, .serving(through: .zero, digest: 7)) }
        for counter in 1...2 {
            court.log(entry(1, UInt32(counter)), on: 0, 1)
            for server in 0..<2 { court.say(server, .applied(zxid(1, UInt32(counter)), digest: UInt64(counter))) }
        }
        #expect(court.broken == nil)
        return court
    }

    @Test("What a right cluster reports is right")
    func right() {
        var court = established()
        court.log(entry(1, 1), on: 2)
        court.log(entry(1, 2), on: 2)
        court.say(
            2, .acknowledged(through: zxid(1, 2)), .applied(zxid(1, 1), digest: 1), .applied(zxid(1, 2), digest: 2))
        court.say(3, .answered(SessionID(rawValue: 9), cxid: 101, zxid(1, 1)))
        court.say(0, .stoppedServing)
        court.say(1, .stoppedServing, .acceptedEpoch(2), .currentEpoch(2), .activated(epoch: 2))
        court.say(1, .serving(through: zxid(1, 2), digest: 2))
        court.log(entry(2, 1), on: 1, 2)
        court.say(1, .applied(zxid(2, 1), digest: 3))
        #expect(court.broken == nil)
        #expect(court.judge.view.lastCommitted == zxid(2, 1))
        #expect(court.judge.view.committedEntries.count == 3)
        #expect(court.judge.view.leader == 1)
    }

    @Test("One zxid for two transactions is found")
    func uniqueProposals() {
        var court = established()
        court.say(2, .logged(entry(1, 1, 2)))
        #expect(court.broken?.rule == "a zxid stands for one transaction behind one history")
    }

    @Test("A transaction behind another history is found")
    func holes() {
        var court = established()
        court.say(2, .logged(entry(1, 2)))
        #expect(court.broken?.rule == "a zxid stands for one transaction behind one history")
    }

    @Test("Two leaders of one epoch are found")
    func twoLeaders() {
        var court = established()
        court.say(1, .activated(epoch: 1))
        #expect(court.broken?.rule == "one leader per epoch")
    }

    @Test("A leader without a committed transaction is found")
    func incompleteLeader() {
        var court = established()
        court.say(2, .activated(epoch: 2))
        #expect(court.broken?.rule == "a leader has every committed transaction")
    }

    @Test("An applied transaction that is not the committed one is found")
    func disagreement() {
        var court = established()
        court.say(2, .applied(zxid(1, 2), digest: nil))
        #expect(court.broken?.rule == "applied histories agree")
        court = established()
        court.say(2, .stoppedServing)
        court.log(entry(1, 1), on: 2)
        court.log(entry(1, 2), on: 2)
        court.log(entry(1, 3), on: 2)
        court.say(2, .serving(through: zxid(1, 3), digest: nil))
        #expect(court.broken?.rule == "applied histories agree")
    }

    @Test("What is applied without being in the own history is found")
    func notOwn() {
        var court = established()
        court.say(2, .applied(zxid(1, 1), digest: 1))
        #expect(court.broken?.rule == "what is applied is in the server's own history")
    }

    @Test("A commit without a quorum of disks is found")
    func commitTooEarly() {
        var court = established()
        court.log(entry(1, 3), on: 0)
        court.say(1, .logged(entry(1, 3)))
        court.say(0, .applied(zxid(1, 3), digest: 3))
        #expect(court.broken?.rule == "a commit is durable on a quorum")
    }

    @Test("An acknowledgement ahead of the disk is found")
    func acknowledgementTooEarly() {
        var court = established()
        court.say(1, .logged(entry(1, 3)), .acknowledged(through: zxid(1, 3)))
        #expect(court.broken?.rule == "an acknowledgement is durable")
    }

    @Test("A start that has forgotten something durable is found, one that has forgotten the rest is not")
    func forgetting() {
        var court = established()
        court.say(1, .logged(entry(1, 3)))
        court.judge.ended(server: 1)
        court.say(1, .recovered(through: zxid(1, 2)))
        #expect(court.broken == nil)
        court.judge.ended(server: 1)
        court.say(1, .recovered(through: zxid(1, 1)))
        #expect(court.broken?.rule == "what is durable stays, what is committed is not cut")
    }

    @Test("Cutting what is committed is found, cutting what is not is right")
    func cutting() {
        var court = established()
        court.log(entry(1, 3), on: 1)
        court.say(1, .truncated(to: zxid(1, 2)))
        #expect(court.broken == nil)
        court.say(1, .truncated(to: zxid(1, 1)))
        #expect(court.broken?.rule == "what is durable stays, what is committed is not cut")
    }

    @Test("A snapshot stands for its leader's history; one that nobody has is found")
    func snapshots() {
        var court = established()
        court.say(2, .stoppedServing, .installed(through: zxid(1, 2)), .durable(through: zxid(1, 2)))
        court.say(2, .serving(through: zxid(1, 2), digest: 2))
        court.log(entry(1, 3), on: 2)
        #expect(court.broken == nil)
        court.say(1, .installed(through: zxid(1, 7)))
        #expect(court.broken?.rule == "what is durable stays, what is committed is not cut")
    }

    @Test("A snapshot at the beginning of an epoch stands for what came before it")
    func snapshotAtEpoch() {
        var court = established()
        court.say(1, .activated(epoch: 2))
        court.say(2, .stoppedServing, .installed(through: zxid(2, 0)), .serving(through: zxid(2, 0), digest: 2))
        #expect(court.broken == nil)
    }

    @Test("Different states after the same history are found")
    func digests() {
        var court = established()
        court.log(entry(1, 1), on: 2)
        court.say(2, .applied(zxid(1, 1), digest: 99))
        #expect(court.broken?.rule == "equal histories give equal states")
    }

    @Test("Epochs that go back, and histories adopted without a promise, are found")
    func epochs() {
        var court = established()
        court.say(1, .acceptedEpoch(3), .acceptedEpoch(2))
        #expect(court.broken?.rule == "epochs on disk only grow")
        court = established()
        court.say(1, .acceptedEpoch(3), .currentEpoch(4))
        #expect(court.broken?.rule == "epochs on disk only grow")
    }

    @Test("An answer without a commit, or for another request, is found")
    func answers() {
        var court = established()
        court.log(entry(1, 3), on: 0)
        court.say(3, .answered(SessionID(rawValue: 9), cxid: 103, zxid(1, 3)))
        #expect(court.broken?.rule == "an answered write is committed")
        court = established()
        court.say(3, .answered(SessionID(rawValue: 9), cxid: 102, zxid(1, 1)))
        #expect(court.broken?.rule == "an answered write is committed")
    }

    @Test("A request that is carried out twice is found")
    func twice() {
        var court = established()
        court.log(entry(1, 3, cxid: 102), on: 0, 1)
        court.say(0, .applied(zxid(1, 3), digest: nil))
        #expect(court.broken?.rule == "a request is carried out once")
    }

    @Test("The end of a session whose client still believes in it is found")
    func holds() {
        let session = SessionID(rawValue: 9)
        for (until, isBroken) in [(Int64(1_000), true), (0, false)] {
            var court = established()
            court.say(3, .held(session, until: .start), until: until)
            court.log(entry(1, 3, kind: .closeSession), on: 0, 1)
            court.say(0, .applied(zxid(1, 3), digest: nil))
            #expect((court.broken?.rule == "no session ends while its client may believe in it") == isBroken)
        }
    }

    @Test("A client that begins to believe in a session that has ended is found; one that gave it up is not")
    func lateHolds() {
        let session = SessionID(rawValue: 9)
        var court = established()
        court.say(3, .held(session, until: .start), until: 1_000)
        court.say(3, .released(session))
        court.log(entry(1, 3, kind: .closeSession), on: 0, 1)
        court.say(0, .applied(zxid(1, 3), digest: nil))
        #expect(court.broken == nil)
        court.say(3, .held(session, until: .start), until: 1_000)
        #expect(court.broken?.rule == "no session ends while its client may believe in it")
    }
}
