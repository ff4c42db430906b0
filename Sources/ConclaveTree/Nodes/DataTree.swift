import ConclaveCore

/// Switches of a tree that do not change while it lives.
package struct TreeOptions: Sendable {
    /// Keeps the digest of the whole tree up to date and compares it with what transactions carry.
    package var digestEnabled = true
    /// Reads owners with the prefix 0xFF00 as times to live instead of sessions.
    package var extendedTypes = false
    /// The secret that keys the path table; the same for every tree unless it is set.
    package var hashSeed: UInt64 = 0x2545_F491_4F6C_DD1D

    package init() {}
}

/// The znodes, sessions, ephemerals and quotas of one server: the state that transactions change.
///
/// The one way to change it is ``apply(_:effects:)``, which cannot fail (DESIGN D6). Nodes are numbered slots; paths
/// are found by a hash of their bytes and proven by walking up the parents, so no path is stored whole. Reads allocate
/// nothing. A copy is cheap and shares memory until one side is written.
package struct DataTree: Sendable {
    static let root: UInt32 = 0
    static let slash = UInt8(ascii: "/")

    package let options: TreeOptions
    /// The newest transaction applied.
    package internal(set) var lastProcessed = Zxid.zero
    /// The open sessions with their timeouts in milliseconds.
    package internal(set) var sessions: [SessionID: Int32] = [:]
    /// How many nodes there are, the root and the built-in ones included. (The reference counts the root twice.)
    package internal(set) var nodeCount = 0
    /// The bytes of all paths and data.
    package internal(set) var approximateDataSize = 0

    var nodes = ChunkedArray<NodeRecord>()
    var sides = ChunkedArray<SideRecord>()
    var freeNode = NodeRecord.none
    var freeSide = NodeRecord.none
    var table = PathTable()
    var blocks = BlockStore()
    var acls = ACLTable()
    var owners = OwnerTable()
    var quotas: QuotaTable
    var digestSum: UInt64 = 0
    /// Until the tree of a fuzzy snapshot has reached this point its digest says nothing.
    var fuzzyUntil: (zxid: Zxid, digest: TreeDigest?)?
    var snapshot = SnapshotProgress(slotCount: 0)
    var loading: LoadingState?
    let hash: PathHash

    /// A fresh tree: the root and the nodes under /zookeeper.
    package init(options: TreeOptions = TreeOptions()) {
        self.options = options
        hash = PathHash(seed: options.hashSeed)
        quotas = QuotaTable(hash: hash)
        insertRoot()
        insertMissingBuiltInNodes()
    }

    /// The digest of the whole tree by the rule of version 2; 0 while digests are off.
    package var digest: Int64 { Int64(bitPattern: digestSum) }

    /// How many nodes belong to sessions.
    package var ephemeralCount: Int { owners.ephemeralCount }

    /// What nodes, names, data and the path table take, without access control lists, sessions and watches.
    package var allocatedBytes: Int {
        nodes.count * MemoryLayout<NodeRecord>.stride + sides.count * MemoryLayout<SideRecord>.stride
            + table.allocatedBytes + blocks.allocatedBytes
    }

    func insertedStat(_ zxid: Zxid, _ time: Int64, owner: Int64) -> StoredStat {
        StoredStat(
            czxid: zxid, mzxid: zxid, ctime: time, mtime: time, version: 0, childCreates: 0, aversion: 0, owner: owner,
            pzxid: zxid)
    }

    mutating func insertRoot() {
        precondition(nodes.count == 0, "the root is the first node")
        nodes.append(
            NodeRecord(
                czxid: 0, ctime: 0, parent: NodeRecord.none, block: BlockStore.none, nameBytes: 0, dataBytes: 0,
                acl: ACLTable.open, owner: OwnerTable.persistent))
        nodeCount = 1
        refreshContent(Self.root, path: Span())
        addDigest(Self.root, isCounted: true)
    }

    /// - Returns: the paths that were missing.
    @discardableResult
    mutating func insertMissingBuiltInNodes() -> [NodePath] {
        let builtIn: [(path: NodePath, acl: [ACL], aversion: Int32)] = [
            ("/zookeeper", .open, 0), ("/zookeeper/quota", .open, 0), ("/zookeeper/config", .readOnly, -1),
        ]
        var missing: [NodePath] = []
        for (path, acl, aversion) in builtIn where find(path) == nil {
            guard let parentPath = path.parent, let parent = find(parentPath) else { continue }
            var stat = insertedStat(.zero, 0, owner: 0)
            stat.aversion = aversion
            let slot = acls.retain(acl)
            insert(path.utf8.span, under: parent.rawValue, data: [], acl: slot, stat: stat)
            missing.append(path)
        }
        return missing
    }
}
