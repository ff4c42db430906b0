import ConclaveConsensus
import ConclaveCore
import ConclaveWire
import Testing

/// What learners are sent to catch up, and in which order: quorum-protocol 7.2.
struct LeaderSynchronisationTests {
    /// Epoch 2 up to 2:9, of which 2:5 and later are in memory; leads epoch 3 with server 2, which misses nothing.
    private func leader(
        observers: [Int64] = [4, 5, 6], change: (inout EnsembleOptions) -> Void = { _ in }
    ) throws -> LeaderHarness {
        var leader = try LeaderHarness(
            observers: observers, acceptedEpoch: 2, currentEpoch: 2, lastZxid: zxid(2, 9),
            history: makeLog(after: zxid(2, 4), (2, 5...9)), change: change)
        _ = leader.lead(with: [2], last: zxid(2, 9), current: 2)
        return leader
    }

    /// What a learner gets behind LEADERINFO.
    private func catchUp(_ leader: inout LeaderHarness, _ last: Zxid, observer: Bool = false) -> [Sent] {
        let link = leader.join(observer ? 4 : 3, current: 2, last: last, observer: observer)
        return Array(leader.sent(link).dropFirst())
    }

    @Test("A learner that misses nothing gets an empty DIFF")
    func nothingMissing() throws {
        var leader = try leader()
        #expect(catchUp(&leader, zxid(2, 9)) == [.diff(2, 9), .newLeader(3)])
        #expect(catchUp(&leader, zxid(3, 0)) == [.diff(3, 0), .newLeader(3)])
    }

    @Test("What is missing follows DIFF, each transaction with its COMMIT, for observers too")
    func difference() throws {
        for observer in [false, true] {
            var leader = try leader()
            #expect(
                catchUp(&leader, zxid(2, 6), observer: observer)
                    == [.diff(2, 9)] + Sent.committed(2, 7...9) + [.newLeader(3)])
        }
    }

    @Test("A proposal is sent with the bytes it was made with, and NEWLEADER with the configuration")
    func contents() throws {
        var leader = try leader()
        let link = leader.join(3, current: 2, last: zxid(2, 8))
        let packets = leader.packets(link)
        #expect(packets[2].data == proposal(2, 9).body)
        let text = try ensemble(voters: [1, 2, 3], observers: [4, 5, 6]).text
        #expect(packets.last?.data == Array(text.utf8))
        #expect(packets.allSatisfy { $0.identities == nil })
    }

    @Test("A learner that logged what the leader never saw is cut")
    func truncation() throws {
        var leader = try leader()
        #expect(catchUp(&leader, zxid(2, 10)) == [Sent(.truncate, zxid(2, 9)), .newLeader(3)])
    }

    @Test("Transactions under way follow as proposals, for voters only, and their commits behind NEWLEADER")
    func underWay() throws {
        var leader = try leader()
        leader.propose(count: 3)
        leader.synced(zxid(3, 3))
        let two = LinkID(rawValue: 1)
        leader.ack(two, zxid(3, 1))
        #expect(leader.actions() == [.commit(through: zxid(3, 1))])
        let follower = leader.join(3, current: 2, last: zxid(2, 9))
        let observer = leader.join(4, current: 2, last: zxid(2, 9), observer: true)
        #expect(
            leader.sent(follower).dropFirst()
                == [.diff(3, 1)] + Sent.committed(3, 1...1)
                + [Sent(.proposal, zxid(3, 2)), Sent(.proposal, zxid(3, 3)), .newLeader(3)])
        #expect(
            leader.sent(observer).dropFirst() == [.diff(3, 1)] + Sent.committed(3, 1...1) + [.newLeader(3)])
        leader.ack(two, zxid(3, 2))
        #expect(leader.sent(follower) == [Sent(.commit, zxid(3, 2))])
        #expect(leader.sent(observer) == [Sent(.inform, zxid(3, 2))])
    }

    @Test("Live traffic goes out behind NEWLEADER, before it is acknowledged")
    func liveTraffic() throws {
        var leader = try leader()
        let three = leader.join(3, current: 2, last: zxid(2, 9))
        _ = leader.packets(three)
        leader.propose()
        #expect(leader.sent(three) == [Sent(.proposal, zxid(3, 1))])
        leader.ack(three, zxid(3, 0))
        #expect(leader.sent(three) == [.upToDate])
    }

    // MARK: Snapshots

    @Test("A snapshot comes between its announcement and whatever happens meanwhile")
    func snapshot() throws {
        var leader = try leader { $0.snapshotSizeFactor = -1 }
        leader.propose(count: 2)
        leader.synced(zxid(3, 2))
        leader.ack(LinkID(rawValue: 1), zxid(3, 1))
        _ = leader.actions()
        let three = leader.join(3, current: 2, last: zxid(2, 1))
        #expect(leader.actions() == [.needSnapshot(three)])
        #expect(leader.sent(three) == [Sent(.leaderInfo, zxid(3, 0))])
        // Before the snapshot is at hand: it will contain this.
        leader.ack(LinkID(rawValue: 1), zxid(3, 2))
        leader.propose(count: 2)
        #expect(leader.sent(three) == [])
        leader.perform { $0.snapshotReady(three, zxid: zxid(3, 2), now: $1) }
        #expect(leader.sent(three) == [Sent(.snapshot, zxid(3, 2))])
        // While it is streamed.
        leader.synced(zxid(3, 4))
        leader.ack(LinkID(rawValue: 1), zxid(3, 3))
        leader.propose()
        leader.advance(milliseconds: 1000)
        #expect(leader.sent(three) == [])
        leader.perform { $0.snapshotSent(three, now: $1) }
        #expect(
            leader.sent(three) == [
                Sent(.proposal, zxid(3, 3)), Sent(.proposal, zxid(3, 4)), .newLeader(3),
                Sent(.commit, zxid(3, 3)), Sent(.proposal, zxid(3, 5)),
            ])
    }

    @Test("A snapshot that is older than the newest commit is completed from memory")
    func olderSnapshot() throws {
        var leader = try leader { $0.snapshotSizeFactor = -1 }
        let three = leader.join(3, current: 2, last: zxid(2, 1))
        leader.propose(count: 2)
        leader.synced(zxid(3, 2))
        leader.ack(LinkID(rawValue: 1), zxid(3, 2))
        _ = leader.packets(three)
        leader.perform { $0.snapshotReady(three, zxid: zxid(3, 1), now: $1) }
        leader.perform { $0.snapshotSent(three, now: $1) }
        #expect(
            leader.sent(three) == [Sent(.snapshot, zxid(3, 1))] + Sent.committed(3, 2...2) + [.newLeader(3)])
    }

    @Test("A snapshot behind which memory has a hole ends the connection")
    func lostSnapshot() throws {
        var leader = try leader { $0.snapshotSizeFactor = -1 }
        let three = leader.join(3, current: 2, last: zxid(2, 1))
        _ = leader.actions()
        leader.perform { $0.snapshotReady(three, zxid: zxid(2, 3), now: $1) }
        guard case .close(three, .historyLost)? = leader.actions().first else {
            Issue.record("the connection stays")
            return
        }
    }

    @Test("A snapshot taken before the activation is good after it")
    func earlySnapshot() throws {
        var leader = try LeaderHarness(acceptedEpoch: 2, currentEpoch: 2, lastZxid: zxid(2, 9)) {
            $0.forceSnapshotSync = true
        }
        let two = leader.join(2, current: 2, last: zxid(2, 9))
        leader.perform { $0.snapshotReady(two, zxid: zxid(2, 9), now: $1) }
        leader.perform { $0.snapshotSent(two, now: $1) }
        #expect(leader.sent(two).dropFirst() == [Sent(.snapshot, zxid(2, 9)), .newLeader(3)])
        leader.ack(two, zxid(3, 0))
        #expect(leader.actions().contains(.activate(epoch: 3)))
        let three = leader.join(3, current: 2, last: zxid(2, 9))
        leader.perform { $0.snapshotReady(three, zxid: zxid(3, 0), now: $1) }
        leader.perform { $0.snapshotSent(three, now: $1) }
        #expect(leader.sent(three).dropFirst() == [Sent(.snapshot, zxid(3, 0)), .newLeader(3)])
    }

    @Test("An acknowledgement of NEWLEADER before it was sent counts for nothing")
    func earlyAcknowledgement() throws {
        var leader = try LeaderHarness { $0.forceSnapshotSync = true }
        let two = leader.join(2)
        leader.ack(two, zxid(1, 0))
        leader.perform { $0.snapshotReady(two, zxid: .zero, now: $1) }
        leader.ack(two, zxid(1, 0))
        #expect(leader.machine.phase == .awaitingAcks)
        leader.perform { $0.snapshotSent(two, now: $1) }
        leader.ack(two, zxid(1, 0))
        #expect(leader.machine.phase == .leading)
    }

    // MARK: Limits

    @Test("What a learner missed goes out in bursts")
    func bursts() throws {
        let size = proposal(2, 1).body.count + 40
        var leader = try leader { $0.learnerBurstBytes = 2 * size }
        let three = leader.join(3, current: 2, last: zxid(2, 4))
        #expect(leader.sent(three).dropFirst() == [.diff(2, 9)] + Sent.committed(2, 5...6))
        leader.propose()
        #expect(leader.sent(three) == [])
        leader.perform { $0.drained(three, now: $1) }
        #expect(leader.sent(three) == Sent.committed(2, 7...8))
        leader.perform { $0.drained(three, now: $1) }
        #expect(leader.sent(three) == Sent.committed(2, 9...9) + [.newLeader(3)])
        leader.perform { $0.drained(three, now: $1) }
        #expect(leader.sent(three) == [Sent(.proposal, zxid(3, 1))])
        leader.propose()
        #expect(leader.sent(three) == [Sent(.proposal, zxid(3, 2))])
    }

    @Test("A learner for which too much waits is dropped, at the limit and one past")
    func queueLimit() throws {
        let size = proposal(3, 1).body.count + 20
        var limit = 0
        for surplus in [0, 1] {
            var leader = try leader {
                $0.snapshotSizeFactor = -1
                if surplus == 1 { $0.learnerQueueBytes = limit - 1 }
            }
            let three = leader.join(3, current: 2, last: zxid(2, 1))
            leader.perform { $0.snapshotReady(three, zxid: zxid(3, 0), now: $1) }
            _ = leader.actions()
            leader.propose(count: 10)
            // NEWLEADER and ten proposals.
            limit = 20 + (try ensemble(voters: [1, 2, 3], observers: [4, 5, 6])).text.utf8.count + 10 * size
            #expect(
                leader.actions() == (surplus == 0 ? [] : [.close(three, .queueLimit(limit - 1))]))
        }
    }

    @Test("Observers wait their turn for snapshots and differences; voters do not")
    func concurrentSyncs() throws {
        var leader = try leader {
            $0.concurrentSnapshotLimit = 1
            $0.concurrentDifferenceLimit = 1
            $0.snapshotSizeFactor = -1
        }
        let four = leader.join(4, current: 2, last: zxid(2, 1), observer: true)
        #expect(leader.actions() == [.needSnapshot(four)])
        let five = leader.join(5, current: 2, last: zxid(2, 1), observer: true)
        #expect(leader.actions() == [.close(five, .tooManySyncs(1))])
        let three = leader.join(3, current: 2, last: zxid(2, 1))
        #expect(leader.actions() == [.needSnapshot(three)])
        let difference = leader.join(5, current: 2, last: zxid(2, 9), observer: true)
        #expect(leader.actions() == [])
        let six = leader.join(6, current: 2, last: zxid(2, 9), observer: true)
        #expect(leader.actions() == [.close(six, .tooManySyncs(1))])
        leader.ack(difference, zxid(3, 0))
        _ = leader.actions()
        _ = leader.join(6, current: 2, last: zxid(2, 9), observer: true)
        #expect(leader.actions() == [])
    }

    @Test("A leader that comes from an epoch without transactions still has its history")
    func historyBeforeEpochBegin() throws {
        var leader = try LeaderHarness(
            acceptedEpoch: 4, currentEpoch: 4, lastZxid: zxid(4, 0), history: makeLog(after: zxid(2, 4), (2, 5...9)))
        let two = leader.join(2, current: 4, last: zxid(2, 7))
        #expect(leader.sent(two).dropFirst() == [.diff(2, 9)] + Sent.committed(2, 8...9) + [.newLeader(5)])
        let three = leader.join(3, current: 4, last: zxid(4, 0))
        #expect(leader.sent(three).dropFirst() == [.diff(4, 0), .newLeader(5)])
    }

    @Test("A history that does not end with the own log is not used")
    func foreignHistory() throws {
        var leader = try LeaderHarness(
            acceptedEpoch: 2, currentEpoch: 2, lastZxid: zxid(2, 9), history: makeLog(after: zxid(2, 4), (2, 5...8)))
        #expect(leader.machine.history.isEmpty)
        let two = leader.join(2, current: 2, last: zxid(2, 6))
        #expect(
            leader.actions().last == .needHistory(two, after: zxid(2, 6), through: zxid(2, 9), isFirst: true))
    }
}
