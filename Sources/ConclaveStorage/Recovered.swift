import ConclaveCore

/// Takes everything and keeps nothing: for checking files.
struct NoTarget: RecoveryTarget {
    func beginSnapshot() {}
    func session(_ session: SessionID, timeoutMilliseconds: Int32) {}
    func acl(key: Int64, _ acl: [ACL]) {}
    func node(path: Span<UInt8>, data: Span<UInt8>?, aclKey: Int64, stat: StoredStat) -> Bool { true }
    func endSnapshot(zxid: Zxid, digest: (zxid: Zxid, digest: TreeDigest)?) {}
    func replay(_ transaction: Transaction) {}
}

/// What a recovery found.
package struct Recovered: Sendable {
    /// The newest transaction of the history; -1 when the directory is empty and may not be started as a new database.
    package var lastZxid = Zxid(rawValue: -1)
    /// The name of the snapshot it began with; `nil` when there is none.
    package var snapshot: String?
    /// What the snapshot contains; -1 when there is none.
    package var snapshotZxid = Zxid(rawValue: -1)
    /// How many transactions were replayed on it.
    package var replayed = 0
    /// The directory was empty, and a new database was begun.
    package var isNew = false
    /// What was cut off the last log: a write that a crash interrupted.
    package var torn: TornTail?
    /// What an operator should know, sentences.
    package var warnings: [String] = []

    /// Nothing is there: such a server takes no part in elections.
    package var isBlank: Bool { lastZxid.rawValue == -1 }
}
