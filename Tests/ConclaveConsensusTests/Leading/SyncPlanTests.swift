import ConclaveConsensus
import ConclaveCore
import ConclaveWire
import Testing

/// How learners catch up: the table of rules, and the choices observed on the reference.
struct SyncPlanTests {
    let options = EnsembleOptions(myID: ServerID(rawValue: 1))

    /// Leader A of the observations: epoch 2, 501 transactions in memory. The floor is one below its first.
    static let leaderA = makeLog(after: Zxid(rawValue: 0x2_0000_00C7), (2, 0xC8...0x2BC))
    /// Leader B: restarted in epoch 3 without a transaction in it.
    static let leaderB = makeLog(after: Zxid(rawValue: 0x2_0000_027B), (2, 0x27C...0x2BC))
    /// Leader C: restarted, five transactions in epoch 4.
    static let leaderC = makeLog(after: Zxid(rawValue: 0x2_0000_0277), (2, 0x278...0x2BC), (4, 1...5))

    private func plan(_ learner: Int64, _ last: Int64, _ log: CommittedLog, _ options: EnsembleOptions) -> SyncPlan {
        SyncPlan(learner: Zxid(rawValue: learner), lastProcessed: Zxid(rawValue: last), log: log, options: options)
    }

    @Test(
        "Leader A chooses as observed, its logs being too large to send",
        arguments: [
            (0x2_0000_02BC, .difference(from: 501)), (0x2_0000_02BB, .difference(from: 500)),
            (0x2_0000_00C8, .difference(from: 1)), (0x2_0000_0010, .snapshot), (0x2_0000_0000, .snapshot),
            (0x1_0000_013C, .snapshot), (0, .snapshot),
            (0x2_0000_02BD, .truncate(to: Zxid(rawValue: 0x2_0000_02BC), from: 501)), (0x3_0000_0000, .snapshot),
        ] as [(Int64, SyncPlan)])
    func observedOnA(learner: Int64, expected: SyncPlan) {
        var options = options
        options.snapshotSizeFactor = -1
        #expect(plan(learner, 0x2_0000_02BC, Self.leaderA, options) == expected)
    }

    @Test(
        "Leader B chooses as observed",
        arguments: [
            (0x2_0000_02BC, .difference(from: 65)), (0x3_0000_0000, .difference(from: 65)),
            (0x2_0000_02BD, .truncate(to: Zxid(rawValue: 0x2_0000_02BC), from: 65)),
        ] as [(Int64, SyncPlan)])
    func observedOnB(learner: Int64, expected: SyncPlan) {
        #expect(plan(learner, 0x3_0000_0000, Self.leaderB, options) == expected)
    }

    @Test(
        "Leader C chooses as observed, its logs being small enough to send",
        arguments: [
            (0x2_0000_02BC, .difference(from: 69)), (0x3_0000_0000, .difference(from: 69)),
            (0x2_0000_02BD, .snapshot), (0x2_0000_02FF, .snapshot),
            (0x2_0000_0010, .history(through: Zxid(rawValue: 0x2_0000_0277))),
            (0x2_0000_0000, .history(through: Zxid(rawValue: 0x2_0000_0277))),
            (0x1_0000_013C, .history(through: Zxid(rawValue: 0x2_0000_0277))),
            (0x1_0000_0100, .history(through: Zxid(rawValue: 0x2_0000_0277))),
            (0, .history(through: Zxid(rawValue: 0x2_0000_0277))),
        ] as [(Int64, SyncPlan)])
    func observedOnC(learner: Int64, expected: SyncPlan) {
        var options = options
        options.snapshotSizeFactor = 0
        #expect(plan(learner, 0x4_0000_0005, Self.leaderC, options) == expected)
    }

    @Test("Rule 1: a snapshot if it is forced, even for a learner that misses nothing")
    func forced() {
        var options = options
        options.forceSnapshotSync = true
        #expect(plan(0x2_0000_02BC, 0x2_0000_02BC, Self.leaderA, options) == .snapshot)
    }

    @Test("Rule 3: a learner ahead is cut, unless it stands at the begin of an epoch")
    func ahead() {
        let last = Zxid(rawValue: 0x2_0000_02BC)
        #expect(plan(0x2_0000_0300, last.rawValue, Self.leaderA, options) == .truncate(to: last, from: 501))
        #expect(plan(0x5_0000_0003, last.rawValue, Self.leaderA, options) == .truncate(to: last, from: 501))
        #expect(plan(0x5_0000_0000, last.rawValue, Self.leaderA, options) == .snapshot)
    }

    @Test("Rule 4: between the bounds, every place is found that the leader has")
    func everyPlace() {
        for offset in 0..<Self.leaderC.count {
            let learner = Self.leaderC[offset].zxid
            #expect(plan(learner.rawValue, 0x4_0000_0005, Self.leaderC, options) == .difference(from: offset + 1))
        }
        #expect(plan(0x2_0000_0277, 0x4_0000_0005, Self.leaderC, options) == .difference(from: 0))
    }

    @Test("Rule 4: a learner that has more of an epoch is cut where the next transaction is of the same epoch")
    func cutWithin() {
        // Only a hole in the leader's own log shows such a place; the log itself never has one.
        let plan = SyncPlan.opening(learner: zxid(2, 7), previous: zxid(2, 6), next: zxid(2, 8), offset: 4)
        #expect(plan == .truncate(to: zxid(2, 6), from: 4))
        #expect(SyncPlan.opening(learner: zxid(2, 7), previous: zxid(2, 6), next: zxid(3, 1), offset: 4) == .snapshot)
        #expect(SyncPlan.opening(learner: zxid(2, 7), previous: zxid(2, 6), next: nil, offset: 4) == .snapshot)
    }

    @Test("Rule 5: the logs are asked for only where they may be sent")
    func history() {
        var options = options
        #expect(plan(0x2_0000_0010, 0x2_0000_02BC, Self.leaderA, options) == .history(through: zxid(2, 0xC7)))
        options.snapshotSizeFactor = -0.1
        #expect(plan(0x2_0000_0010, 0x2_0000_02BC, Self.leaderA, options) == .snapshot)
    }

    @Test("A learner without a database gets a snapshot")
    func blank() {
        #expect(plan(-1, 0x2_0000_02BC, Self.leaderA, options) == .snapshot)
        #expect(plan(.min, 0x2_0000_02BC, Self.leaderA, options) == .snapshot)
    }

    @Test("With nothing in memory, whoever stands at its floor needs nothing")
    func emptyMemory() {
        let log = CommittedLog(after: zxid(2, 9), countLimit: 10, byteLimit: 1000)
        #expect(plan(zxid(2, 9).rawValue, zxid(2, 9).rawValue, log, options) == .difference(from: 0))
        #expect(plan(zxid(2, 9).rawValue, zxid(3, 0).rawValue, log, options) == .difference(from: 0))
        #expect(plan(zxid(3, 0).rawValue, zxid(3, 0).rawValue, log, options) == .difference(from: 0))
        #expect(plan(zxid(2, 10).rawValue, zxid(3, 0).rawValue, log, options) == .truncate(to: zxid(2, 9), from: 0))
        #expect(plan(zxid(2, 8).rawValue, zxid(3, 0).rawValue, log, options) == .history(through: zxid(2, 9)))
    }

    @Test("Logs are sent up to their share of the snapshot, at the limit and one past")
    func share() {
        var options = options
        #expect(options.allowsHistorySync(logBytes: 33, snapshotBytes: 100))
        #expect(!options.allowsHistorySync(logBytes: 34, snapshotBytes: 100))
        options.snapshotSizeFactor = 7
        #expect(options.allowsHistorySync(logBytes: 33, snapshotBytes: 100))
        #expect(!options.allowsHistorySync(logBytes: 34, snapshotBytes: 100))
        options.snapshotSizeFactor = 0
        #expect(options.allowsHistorySync(logBytes: .max, snapshotBytes: 0))
        options.snapshotSizeFactor = -1
        #expect(!options.allowsHistorySync(logBytes: 0, snapshotBytes: .max))
    }
}
