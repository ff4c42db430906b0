import ConclaveCore
import ConclaveWire

/// The newest part of the history, in memory: what servers that come back are brought up to date with.
///
/// ```
/// floor | first … … … last
///       every transaction behind the floor is here, without a gap
/// ```
///
/// Followers keep one too, so that whichever of them leads next has it. It is bounded by count and by bytes; what falls out
/// raises the floor. A gap raises it as well: the log never claims more than it has.
package struct CommittedLog: Sendable {
    /// The transaction behind which the log begins: known to be in the history, its content may not be here.
    package private(set) var floor: Zxid
    package let countLimit: Int
    package let byteLimit: Int
    /// Of the bodies.
    package private(set) var byteCount = 0
    private var entries = RingBuffer<Proposal>()

    /// An empty log behind the newest transaction of the history.
    ///
    /// The reference keeps one transaction more than `commitLogCount` says, and so does this one.
    package init(after floor: Zxid, countLimit: Int, byteLimit: Int) {
        self.floor = floor
        self.countLimit = max(1, countLimit)
        self.byteLimit = max(1, byteLimit)
    }

    package init(after floor: Zxid, options: EnsembleOptions) {
        self.init(after: floor, countLimit: options.commitLogCount + 1, byteLimit: options.commitLogBytes)
    }

    package var count: Int { entries.count }
    package var isEmpty: Bool { entries.isEmpty }
    /// The newest transaction of the history; the floor while the log is empty.
    package var last: Zxid { entries.last?.zxid ?? floor }

    /// The transaction `offset` places behind the first; the offset must be below ``count``.
    package subscript(offset: Int) -> Proposal { entries[offset] }

    /// Adds the next transaction. One that is here already is ignored; one that does not follow the last empties the log
    /// and becomes its floor.
    package mutating func append(_ proposal: Proposal) {
        guard proposal.zxid > last else { return }
        guard last.isDirectlyBefore(proposal.zxid) else {
            removeAll(after: proposal.zxid)
            floor = proposal.zxid
            return
        }
        entries.append(proposal)
        byteCount += proposal.body.count
        while entries.count > countLimit || byteCount > byteLimit, let oldest = entries.popFirst() {
            byteCount -= oldest.body.count
            floor = oldest.zxid
        }
    }

    /// Forgets everything behind a transaction, because the history was cut there.
    package mutating func truncate(to zxid: Zxid) {
        if zxid < floor {
            removeAll(after: zxid)
        } else {
            while let newest = entries.last, newest.zxid > zxid, let dropped = entries.popLast() {
                byteCount -= dropped.body.count
            }
            // The cut is where the history ends, so nothing between it and the last entry exists.
            if last < zxid { removeAll(after: zxid) }
        }
    }

    /// Empties the log: the history was replaced, and ends here now.
    package mutating func removeAll(after zxid: Zxid) {
        entries.removeAll()
        byteCount = 0
        floor = zxid
    }

    /// The offset of the first transaction behind a zxid; ``count`` if there is none. Cost: O(log n).
    package func offset(behind zxid: Zxid) -> Int {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].zxid <= zxid { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

extension Zxid {
    /// Whether nothing can stand between this transaction and `next`: the next number, or the first of a later epoch.
    func isDirectlyBefore(_ next: Zxid) -> Bool {
        successor == next || (next > self && next.epoch != epoch && next.counter == 1)
    }
}
