import ConclaveCore
import ConclaveWire

/// What a learner has received and not yet finished with: positions, and queues of zxids with their sizes.
///
/// ```
///            committed            received
/// ────────────────┼───────────────────┼──▶ zxids
///                 │ uncommitted       │         from the leader, its decision is missing
///        ┼────────┼───────────────────┼
///        │ unsynced (a tail of what was appended)
///        durable
/// ```
struct LearnerBacklog: Sendable {
    struct Entry: Sendable {
        let zxid: Zxid
        let bytes: Int
        /// Whether the leader waits for an acknowledgement.
        let isAcknowledged: Bool
    }

    /// The last transaction received, or contained in what was there before.
    private(set) var received: Zxid
    private(set) var committed: Zxid
    private(set) var uncommitted = RingBuffer<Entry>()
    private(set) var uncommittedBytes = 0
    /// Ordered to be appended, without a receipt yet.
    private(set) var unsynced = RingBuffer<Entry>()
    private(set) var unsyncedBytes = 0
    /// Synced, but it is too early to say so.
    private(set) var unacknowledged = RingBuffer<Zxid>()
    /// Proposals that cannot be logged yet, because the log still has another history; a tail of ``uncommitted``.
    private(set) var held = RingBuffer<Proposal>()

    init(at zxid: Zxid) {
        received = zxid
        committed = zxid
    }

    /// Whether a transaction may come next: the counter goes on, or begins with 1 in a later epoch.
    func isNext(_ zxid: Zxid) -> Bool {
        if zxid.epoch == received.epoch, received.rawValue >= 0 { return zxid.rawValue == received.rawValue &+ 1 }
        return zxid > received && zxid.counter == 1
    }

    /// Takes a proposal that is logged at once.
    mutating func append(_ proposal: Proposal, isAcknowledged: Bool) {
        let entry = Entry(zxid: proposal.zxid, bytes: proposal.body.count, isAcknowledged: isAcknowledged)
        enter(entry)
        logged(entry)
    }

    /// Takes a proposal that is logged later, or never if its commit comes first.
    mutating func hold(_ proposal: Proposal, isAcknowledged: Bool) {
        enter(Entry(zxid: proposal.zxid, bytes: proposal.body.count, isAcknowledged: isAcknowledged))
        held.append(proposal)
    }

    /// Takes the held proposals out, now that they are being logged.
    mutating func release() -> [Proposal] {
        let proposals = Array(held)
        for entry in uncommitted { logged(entry) }
        held.removeAll()
        return proposals
    }

    /// The oldest uncommitted transaction is committed.
    /// - Returns: the proposal if it was held.
    mutating func commitFirst() -> Proposal? {
        guard let entry = uncommitted.popFirst() else { return nil }
        committed = entry.zxid
        uncommittedBytes -= entry.bytes
        return held.popFirst()
    }

    /// Everything up to a transaction has been synced.
    mutating func synced(through zxid: Zxid) {
        while let entry = unsynced.first, entry.zxid <= zxid {
            _ = unsynced.popFirst()
            unsyncedBytes -= entry.bytes
            if entry.isAcknowledged { unacknowledged.append(entry.zxid) }
        }
    }

    /// The next transaction to be acknowledged.
    mutating func popUnacknowledged() -> Zxid? { unacknowledged.popFirst() }

    private mutating func enter(_ entry: Entry) {
        received = entry.zxid
        uncommitted.append(entry)
        uncommittedBytes += entry.bytes
    }

    private mutating func logged(_ entry: Entry) {
        unsynced.append(entry)
        unsyncedBytes += entry.bytes
    }
}
