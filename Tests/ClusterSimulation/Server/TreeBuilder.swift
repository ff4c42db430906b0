import ConclaveCore
import ConclaveStorage
import ConclaveTree

/// Builds the tree while storage reads the history, as the server's own loader does.
struct TreeBuilder: RecoveryTarget {
    private(set) var tree: DataTree
    private(set) var problems: [LoadProblem] = []
    private(set) var digestMismatch: TreeEffects.DigestMismatch?
    /// The newest transactions, for servers that catch up.
    private(set) var recent = RingBuffer<Transaction>()
    private let recentLimit: Int
    private var effects = TreeEffects(isRecording: false)

    init(options: TreeOptions, keepingRecent recentLimit: Int = 0) {
        tree = DataTree(options: options)
        self.recentLimit = recentLimit
    }

    mutating func beginSnapshot() { tree.beginLoading() }

    mutating func session(_ session: SessionID, timeoutMilliseconds: Int32) {
        tree.loadSession(session, timeoutMilliseconds: timeoutMilliseconds)
    }

    mutating func acl(key: Int64, _ acl: [ACL]) { tree.loadACL(key: key, acl: acl) }

    mutating func node(path: Span<UInt8>, data: Span<UInt8>?, aclKey: Int64, stat: StoredStat) -> Bool {
        tree.loadNode(path: path, data: data, aclKey: aclKey, stat: stat)
    }

    mutating func endSnapshot(zxid: Zxid, digest: (zxid: Zxid, digest: TreeDigest)?) {
        problems = tree.finishLoading(zxid: zxid, digest: digest)
    }

    mutating func replay(_ transaction: Transaction) {
        tree.apply(transaction, effects: &effects)
        if recentLimit > 0 {
            recent.append(transaction)
            if recent.count > recentLimit { _ = recent.popFirst() }
        }
        if let mismatch = effects.digestMismatch {
            if digestMismatch == nil { digestMismatch = mismatch }
            effects.removeAll()
        }
    }
}
