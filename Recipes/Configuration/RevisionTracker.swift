import ConclaveCore

/// Counts what a subscriber has not seen: pure arithmetic over the stats of what it has.
///
/// A node's version grows by one with each write, so the gap between two looks is exact. A node that was deleted and
/// made again starts at 0 and has another `czxid`; what happened to the old one after the last look is then not known.
package struct RevisionTracker: Sendable {
    /// What a look at the node has shown.
    package enum Look: Hashable, Sendable {
        /// The same as the last one.
        case unchanged
        /// New, after so many revisions that were never looked at.
        case new(skipped: Int, recreated: Bool)
    }

    private var last: (czxid: Zxid, version: Int32, mzxid: Zxid)?

    package init() {}

    /// Takes the stat of a look.
    package mutating func look(_ stat: Stat) -> Look {
        defer { last = (stat.czxid, stat.version, stat.mzxid) }
        guard let last else { return .new(skipped: 0, recreated: false) }
        guard last.czxid == stat.czxid else {
            return .new(skipped: Int(UInt32(bitPattern: stat.version)), recreated: true)
        }
        guard last.mzxid != stat.mzxid else { return .unchanged }
        // The version is a 32-bit counter that wraps, so the difference wraps too.
        let difference = UInt32(bitPattern: stat.version &- last.version)
        return .new(skipped: difference == 0 ? 0 : Int(difference - 1), recreated: false)
    }
}
