import ConclaveCore

/// What a recovered history is given to: the tree, through an adapter, or a check that keeps nothing.
package protocol RecoveryTarget {
    /// Forgets everything; the parts of a snapshot follow. Called again when the snapshot turns out to be damaged and an
    /// older one is tried.
    mutating func beginSnapshot()
    mutating func session(_ session: SessionID, timeoutMilliseconds: Int32)
    mutating func acl(key: Int64, _ acl: [ACL])
    /// - Parameters:
    ///   - path: empty for the root; parents come before their children.
    ///   - data: `nil` for null.
    /// - Returns: false if the node cannot be placed; the snapshot then counts as damaged.
    mutating func node(path: Span<UInt8>, data: Span<UInt8>?, aclKey: Int64, stat: StoredStat) -> Bool
    /// The snapshot was whole and its checksums are right.
    /// - Parameters:
    ///   - zxid: the last transaction that the snapshot certainly contains.
    ///   - digest: the digest of the tree and the transaction after which it held; `nil` if there is none to compare.
    mutating func endSnapshot(zxid: Zxid, digest: (zxid: Zxid, digest: TreeDigest)?)
    /// The next transaction of the history.
    mutating func replay(_ transaction: Transaction)
}

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
