import ConclaveCore

/// Builds the tree while storage reads the history.
package struct TreeLoader: RecoveryTarget {
    package private(set) var tree: DataTree
    package private(set) var problems: [LoadProblem] = []
    private var effects = TreeEffects(isRecording: false)
    /// Transactions after which the tree's digest was not what the log says.
    package private(set) var digestMismatches: [TreeEffects.DigestMismatch] = []

    /// The newest transactions, for servers that catch up.
    package private(set) var recent = RingBuffer<Transaction>()
    private let recentLimit: Int

    /// - Parameter keepingRecent: how many of the newest transactions to keep.
    package init(options: TreeOptions, keepingRecent recentLimit: Int = 0) {
        tree = DataTree(options: options)
        self.recentLimit = recentLimit
    }

    package mutating func beginSnapshot() { tree.beginLoading() }

    package mutating func session(_ session: SessionID, timeoutMilliseconds: Int32) {
        tree.loadSession(session, timeoutMilliseconds: timeoutMilliseconds)
    }

    package mutating func acl(key: Int64, _ acl: [ACL]) { tree.loadACL(key: key, acl: acl) }

    package mutating func node(path: Span<UInt8>, data: Span<UInt8>?, aclKey: Int64, stat: StoredStat) -> Bool {
        tree.loadNode(path: path, data: data, aclKey: aclKey, stat: stat)
    }

    package mutating func endSnapshot(zxid: Zxid, digest: (zxid: Zxid, digest: TreeDigest)?) {
        problems = tree.finishLoading(zxid: zxid, digest: digest)
    }

    package mutating func replay(_ transaction: Transaction) {
        tree.apply(transaction, effects: &effects)
        if recentLimit > 0 {
            recent.append(transaction)
            if recent.count > recentLimit { _ = recent.popFirst() }
        }
        if let mismatch = effects.digestMismatch {
            // The first few say enough.
            if digestMismatches.count < 16 { digestMismatches.append(mismatch) }
            effects.removeAll()
        }
    }
}
