import ConclaveConsensus
import ConclaveCore
import ConclaveWire
import Testing

/// Learners whose missing transactions begin in the logs on disk: quorum-protocol 7.2, rule 5.
struct LeaderHistoryTests {
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

    @Test("What is not in memory comes from the logs, the rest from memory")
    func history() throws {
        var leader = try leader()
        let three = leader.join(3, current: 2, last: zxid(2, 2))
        #expect(
            leader.actions() == [.needHistory(three, after: zxid(2, 2), through: zxid(2, 4), isFirst: true)])
        leader.propose()
        #expect(leader.sent(three).count == 1)
        leader.perform { $0.historyRead(three, proposals: (2...4).map { proposal(2, $0) }, now: $1) }
        #expect(
            leader.sent(three)
                == [.diff(2, 9)] + Sent.committed(2, 3...9) + [.newLeader(3), Sent(.proposal, zxid(3, 1))])
    }

    @Test("The logs may come in parts; the next is asked for when the last has left")
    func historyInParts() throws {
        var leader = try leader { $0.learnerBurstBytes = 80 }
        let three = leader.join(3, current: 2, last: zxid(2, 1))
        _ = leader.actions()
        leader.perform { $0.historyRead(three, proposals: [proposal(2, 1), proposal(2, 2)], now: $1) }
        #expect(leader.actions() == [])
        #expect(leader.sent(three).dropFirst() == [.diff(2, 9)] + Sent.committed(2, 2...2))
        leader.perform { $0.drained(three, now: $1) }
        let next = LeaderAction.needHistory(three, after: zxid(2, 2), through: zxid(2, 4), isFirst: false)
        #expect(leader.actions() == [next])
        leader.perform { $0.historyRead(three, proposals: (2...4).map { proposal(2, $0) }, now: $1) }
        #expect(leader.sent(three) == Sent.committed(2, 3...4))
        var rest: [Sent] = []
        for _ in 0..<10 {
            leader.perform { $0.drained(three, now: $1) }
            rest += leader.sent(three)
        }
        #expect(rest == Sent.committed(2, 5...9) + [.newLeader(3)])
    }

    @Test("A begin of an epoch that no log has is found between its neighbours")
    func historyFromEpochBegin() throws {
        var leader = try LeaderHarness(
            acceptedEpoch: 3, currentEpoch: 3, lastZxid: zxid(3, 4), history: makeLog(after: zxid(3, 2), (3, 3...4)))
        let two = leader.join(2, current: 2, last: zxid(2, 0))
        let proposals = [proposal(1, 8), proposal(2, 1), proposal(3, 1), proposal(3, 2)]
        leader.perform { $0.historyRead(two, proposals: proposals, now: $1) }
        #expect(
            leader.sent(two).dropFirst()
                == [.diff(3, 4)] + Sent.committed(2, 1...1) + Sent.committed(3, 1...4) + [.newLeader(4)])
    }

    @Test("Memory that begins with an epoch goes on where the logs end")
    func historyUpToEpochBegin() throws {
        var leader = try LeaderHarness(
            acceptedEpoch: 3, currentEpoch: 3, lastZxid: zxid(3, 2), history: makeLog(after: zxid(3, 0), (3, 1...2)))
        let two = leader.join(2, current: 2, last: zxid(2, 1))
        leader.perform { $0.historyRead(two, proposals: (1...3).map { proposal(2, $0) }, now: $1) }
        leader.perform { $0.historyRead(two, proposals: [proposal(2, 3)], now: $1) }
        #expect(
            leader.sent(two).dropFirst()
                == [.diff(3, 2)] + Sent.committed(2, 2...3) + Sent.committed(3, 1...2) + [.newLeader(4)])
    }

    @Test(
        "Without logs that begin early enough and have no hole, a snapshot is sent",
        arguments: [nil, [], [3, 4], [1, 3, 4], [1], [1, 2, 3, 4, 5]] as [[UInt32]?])
    func historyMissing(counters: [UInt32]?) throws {
        var leader = try leader()
        let three = leader.join(3, current: 2, last: zxid(2, 1))
        _ = leader.actions()
        leader.perform { $0.historyRead(three, proposals: counters?.map { proposal(2, $0) }, now: $1) }
        #expect(leader.actions() == [.needSnapshot(three)])
        #expect(leader.sent(three).count == 1)
        leader.perform { $0.snapshotReady(three, zxid: zxid(3, 0), now: $1) }
        leader.perform { $0.snapshotSent(three, now: $1) }
        #expect(leader.sent(three) == [Sent(.snapshot, zxid(3, 0)), .newLeader(3)])
    }

    @Test("A place of another epoch that the logs do not have means a snapshot")
    func historyOfAnotherEpoch() throws {
        var leader = try leader()
        let three = leader.join(3, current: 2, last: zxid(1, 9))
        _ = leader.actions()
        let proposals = [proposal(1, 8)] + (1...4).map { proposal(2, $0) }
        leader.perform { $0.historyRead(three, proposals: proposals, now: $1) }
        #expect(leader.actions() == [.needSnapshot(three)])
    }

    @Test("Logs that vanish half-way end the connection")
    func historyLost() throws {
        var leader = try leader()
        let three = leader.join(3, current: 2, last: zxid(2, 1))
        leader.perform { $0.historyRead(three, proposals: [proposal(2, 1), proposal(2, 2)], now: $1) }
        _ = leader.actions()
        leader.perform { $0.historyRead(three, proposals: nil, now: $1) }
        guard case .close(three, .historyLost)? = leader.actions().first else {
            Issue.record("the connection stays")
            return
        }
    }

    @Test("An answer for a learner that has gone is ignored")
    func goneMeanwhile() throws {
        var leader = try leader()
        let three = leader.join(3, current: 2, last: zxid(2, 1))
        _ = leader.actions()
        leader.close(three)
        leader.perform { $0.historyRead(three, proposals: nil, now: $1) }
        leader.perform { $0.snapshotReady(three, zxid: zxid(3, 0), now: $1) }
        leader.perform { $0.snapshotSent(three, now: $1) }
        leader.perform { $0.drained(three, now: $1) }
        #expect(leader.actions() == [])
    }
}
