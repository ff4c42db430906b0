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
