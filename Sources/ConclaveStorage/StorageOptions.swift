/// How storage behaves; the defaults are the reference's.
package struct StorageOptions: Sendable {
    /// A snapshot is due after this many transactions, less up to one half of them chosen at random, so that the servers of
    /// an ensemble do not all write theirs at once ("snapCount").
    package var snapshotEvery = 100_000
    /// A snapshot is due after this many bytes of log, less up to one half; 0 switches the rule off ("snapSizeLimitInKb").
    package var snapshotEveryBytes: Int64 = 4_194_304 * 1024
    /// Where the random choices above begin.
    package var seed: UInt64 = 0
    /// Log files grow in steps of this size; 0 switches preallocation off ("preAllocSize").
    package var preallocateBytes = 64 << 20
    /// A new log file is begun when one has reached this size; `nil` is no limit ("txnLogSizeLimitInKb").
    package var logSizeLimitBytes: Int64?
    /// Whether receipts wait for the disk. Without it they promise nothing ("forceSync").
    package var forceSync = true
    /// How many valid snapshots ``Store/purge()`` leaves, at least 1 ("autopurge.snapRetainCount").
    package var retainSnapshots = 3
    /// An empty data directory may be started as a new, empty database ("db.autocreate").
    package var autoCreate = true
    /// Logs without any snapshot may be replayed onto an empty tree ("snapshot.trust.empty"); for directories of releases
    /// that wrote no first snapshot.
    package var trustEmptySnapshot = false
    /// Whether snapshots end with the digest part ("digest.enabled").
    package var writesDigest = true
    /// The longest transaction, path or value that is written or read back, in bytes.
    package var maximumEntryBytes = 64 << 20

    package init() {}
}
