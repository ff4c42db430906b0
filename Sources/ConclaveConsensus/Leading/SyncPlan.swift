import ConclaveCore
import ConclaveWire

/// How a learner catches up with its leader.
package enum SyncPlan: Equatable, Sendable {
    /// The learner's history is a part of the leader's: DIFF, then the transactions of memory from an offset on.
    case difference(from: Int)
    /// The learner has transactions that the leader never saw: TRUNC to the last common one, then from an offset on.
    case truncate(to: Zxid, from: Int)
    /// Memory does not reach back far enough, the logs on disk may: everything behind the learner's zxid up to where memory
    /// begins, then memory.
    case history(through: Zxid)
    case snapshot

    /// Decides.
    ///
    /// - Parameters:
    ///   - learner: the newest transaction in the learner's log.
    ///   - lastProcessed: the newest transaction that the leader has applied; the begin of its epoch, if it leads and there
    ///     has been none.
    /// - Source: quorum-protocol 7.2. The one difference: the transaction just before the first in memory counts as seen,
    ///   so a learner that stands there needs neither the disk nor a snapshot.
    package init(learner: Zxid, lastProcessed: Zxid, log: CommittedLog, options: EnsembleOptions) {
        let isBeginOfEpoch = learner.counter == 0
        if options.forceSnapshotSync || learner < .zero {
            self = .snapshot
        } else if learner == lastProcessed {
            self = .difference(from: log.count)
        } else if learner > log.last && !isBeginOfEpoch {
            // The begin of an epoch is no transaction: there is nothing in a log to cut behind.
            self = log.last.counter == 0 && log.last > .zero ? .snapshot : .truncate(to: log.last, from: log.count)
        } else if learner >= log.floor && learner <= log.last {
            self = Self.fromMemory(learner, log)
        } else if learner < log.floor && options.allowsHistorySync {
            self = .history(through: log.floor)
        } else {
            self = .snapshot
        }
    }

    /// The learner's zxid lies between the bounds of memory.
    private static func fromMemory(_ learner: Zxid, _ log: CommittedLog) -> SyncPlan {
        let next = log.offset(behind: learner)
        let previous = next == 0 ? log.floor : log[next - 1].zxid
        return opening(
            learner: learner, previous: previous, next: next < log.count ? log[next].zxid : nil, offset: next)
    }

    /// What to begin with, when the transactions around the learner's zxid are known.
    ///
    /// - Parameters:
    ///   - previous: the leader's newest transaction that is not behind the learner's.
    ///   - next: the leader's first transaction behind it.
    package static func opening(learner: Zxid, previous: Zxid, next: Zxid?, offset: Int) -> SyncPlan {
        // The begin of an epoch is no transaction; whoever stands there has everything before.
        if previous == learner || learner.counter == 0 { return .difference(from: offset) }
        // A cut is only right where both have the same transactions up to it, which holds within an epoch.
        guard let next, next.epoch == learner.epoch else { return .snapshot }
        return .truncate(to: previous, from: offset)
    }
}

extension EnsembleOptions {
    /// Whether learners may be sent what stands in the logs on disk.
    package var allowsHistorySync: Bool { snapshotSizeFactor >= 0 }

    /// Whether logs are small enough, beside the newest snapshot, to be sent instead of it. `logBytes` counts room that was
    /// reserved but not filled yet, as the reference does.
    package func allowsHistorySync(logBytes: Int64, snapshotBytes: Int64) -> Bool {
        guard allowsHistorySync else { return false }
        let factor = snapshotSizeFactor > 1 ? EnsembleOptions.defaultSnapshotSizeFactor : snapshotSizeFactor
        return factor == 0 || Double(logBytes) <= factor * Double(snapshotBytes)
    }
}
