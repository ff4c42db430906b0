import ConclaveCore

/// What was found wrong with a snapshot while it was loaded; the tree is usable all the same.
package enum LoadProblem: Equatable, Sendable {
    /// A node names a key that the ACL table lacks; nobody but the super user may use it until its list is set again.
    case unknownACLKey(Int64)
    /// A built-in node was missing and has been made.
    case missingBuiltInNode(NodePath)
    /// Nodes that could not be placed: no parent, twice, or no valid path.
    case unplacedNodes(Int)
    /// The digest in the file is not that of the nodes in it.
    case digestMismatch(expected: Int64, found: Int64)
    /// Nodes whose owner is a time to live, while extended types are off: they would belong to sessions that do not
    /// exist and be removed. To be refused.
    case timeToLiveNodesWithoutExtendedTypes(Int)
}

extension LoadProblem: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unknownACLKey(let key): "the ACL table lacks the key \(key) that nodes refer to; they are locked"
        case .missingBuiltInNode(let path): "the node \(path) was missing and has been made"
        case .unplacedNodes(let count): "\(count) nodes have no parent, no valid path or stand there twice"
        case .digestMismatch(let expected, let found): "the digest is \(found), the file says \(expected)"
        case .timeToLiveNodesWithoutExtendedTypes(let count):
            "\(count) nodes have a time to live, but extendedTypesEnabled is off: they would be lost"
        }
    }
}

/// What is remembered while a snapshot is loaded.
struct LoadingState: Sendable {
    var unknownKeys: [Int64] = []
    var unplaced = 0
    /// The parent of the node before: most nodes follow a sibling.
    var parentPath: [UInt8] = []
    var parent = DataTree.root
    /// Nodes that are not in the path table yet.
    var unlisted: [(hash: UInt32, slot: UInt32)] = []
    /// Keeps reads ahead of their use from being dropped as useless.
    var touched: UInt64 = 0
    /// So many reads of memory are worth waiting for together.
    static let unlistedLimit = 32
}

/// Building a tree from a snapshot.
extension DataTree {
    /// Empties the tree; only the root is left, until the file brings its own.
    package mutating func beginLoading() {
        let keptOptions = options
        self = DataTree(emptyWith: keptOptions)
        loading = LoadingState()
    }

    private init(emptyWith options: TreeOptions) {
        self.options = options
        hash = PathHash(seed: options.hashSeed)
        quotas = QuotaTable(hash: hash)
        insertRoot()
    }

    package mutating func loadSession(_ session: SessionID, timeoutMilliseconds: Int32) {
        sessions[session] = timeoutMilliseconds
    }

    /// - Returns: `false` for a key that stands there twice; the first one counts.
    @discardableResult
    package mutating func loadACL(key: Int64, acl: [ACL]) -> Bool { acls.load(key: key, acl) }

    /// Takes one node; parents must come before their children. The root's path is empty.
    ///
    /// - Returns: `false` if the node cannot be placed: its parent is missing, or its path is none. One that stands there
    ///   already is dropped later and counted among ``LoadProblem/unplacedNodes(_:)``.
    package mutating func loadNode(
        path: Span<UInt8>, data: Span<UInt8>?, aclKey: Int64, stat: StoredStat
    ) -> Bool {
        if path.isEmpty {
            loadRoot(data, aclKey, stat)
            return true
        }
        let pathHash = UInt32(truncatingIfNeeded: hash(path))
        guard let parent = loadedParent(of: path) else {
            loading?.unplaced += 1
            return false
        }
        let acl = loadedACL(aclKey)
        let slot =
            if let data {
                insertUnlisted(
                    path, under: parent, data: data, dataBytes: Int32(clamping: data.count), acl: acl, stat: stat)
            } else {
                insertUnlisted(path, under: parent, data: Span(), dataBytes: -1, acl: acl, stat: stat)
            }
        loading?.unlisted.append((pathHash, slot))
        if (loading?.unlisted.count ?? 0) >= LoadingState.unlistedLimit { listLoaded() }
        return true
    }

    /// Puts the nodes loaded last into the path table; one that stands there already goes.
    private mutating func listLoaded() {
        guard let unlisted = loading?.unlisted, !unlisted.isEmpty else { return }
        loading?.unlisted.removeAll(keepingCapacity: true)
        var touched: UInt64 = 0
        for (pathHash, _) in unlisted { touched ^= table.touch(pathHash) }
        loading?.touched ^= touched
        for (pathHash, slot) in unlisted {
            let isTaken = table.first(pathHash) { haveSamePath($0, slot) } != nil
            if isTaken {
                loading?.unplaced += 1
                remove(slot, path: path(of: NodeIndex(rawValue: slot)).utf8.span)
            } else {
                table.insert(pathHash, slot)
            }
        }
    }

    /// Whether two nodes have the same path: the same name under the same parent.
    private func haveSamePath(_ one: UInt32, _ other: UInt32) -> Bool {
        nodes[one].parent == nodes[other].parent && nameSlice(of: one) == nameSlice(of: other)
    }

    private mutating func loadRoot(_ data: Span<UInt8>?, _ aclKey: Int64, _ stat: StoredStat) {
        removeDigest(Self.root, isCounted: true)
        let acl = loadedACL(aclKey)
        acls.release(nodes[Self.root].acl)
        nodes[Self.root].acl = acl
        nodes[Self.root].czxid = stat.czxid.rawValue
        nodes[Self.root].ctime = stat.ctime
        var bytes: [UInt8]?
        if let data {
            var copy = [UInt8](repeating: 0, count: data.count)
            ByteRuns.copy(data, into: &copy, at: 0)
            bytes = copy
        }
        replaceData(of: Self.root, path: Span(), with: bytes)
        setSide(of: Self.root, stat)
        addDigest(Self.root, isCounted: true)
    }

    private mutating func loadedParent(of path: Span<UInt8>) -> UInt32? {
        let nameStart = Self.nameStart(of: path)
        guard nameStart > 0, nameStart < path.count else { return nil }
        let count = nameStart - 1
        guard count > 0 else { return Self.root }
        if let loading, loading.parentPath.count == count,
            ByteRuns.areEqual(loading.parentPath.span, at: 0, path, at: 0, count: count)
        {
            return loading.parent
        }
        listLoaded()
        let parentPath = path.extracting(0..<count)
        guard let parent = lookUp(parentPath, UInt32(truncatingIfNeeded: hash(parentPath))) else { return nil }
        var copy = [UInt8](repeating: 0, count: count)
        ByteRuns.copy(parentPath, into: &copy, at: 0)
        loading?.parentPath = copy
        loading?.parent = parent
        return parent
    }

    private mutating func loadedACL(_ key: Int64) -> UInt32 {
        let (slot, isKnown) = acls.retain(key: key)
        if !isKnown { loading?.unknownKeys.append(key) }
        return slot
    }

    /// Ends loading: forgets unused lists, recomputes quotas, adds missing built-in nodes and checks the digest.
    ///
    /// - Parameters:
    ///   - zxid: the last transaction in the snapshot, by the name of its file.
    ///   - digest: the digest in the file and the zxid that it belongs to. One that belongs to a later zxid makes the
    ///     snapshot a fuzzy one: comparisons rest until that transaction has been replayed.
    package mutating func finishLoading(zxid: Zxid, digest: (zxid: Zxid, digest: TreeDigest)?) -> [LoadProblem] {
        listLoaded()
        lastProcessed = zxid
        let state = loading ?? LoadingState()
        loading = nil
        var problems = state.unknownKeys.map { LoadProblem.unknownACLKey($0) }
        if state.unplaced > 0 { problems.append(.unplacedNodes(state.unplaced)) }
        if options.digestEnabled, let digest, digest.zxid > .zero, digest.zxid >= zxid {
            if digest.zxid > zxid {
                fuzzyUntil = (digest.zxid, digest.digest)
            } else if digest.digest.version == TreeDigest.currentVersion, digest.digest.value != self.digest {
                problems.append(.digestMismatch(expected: digest.digest.value, found: self.digest))
            }
        }
        problems += insertMissingBuiltInNodes().map { LoadProblem.missingBuiltInNode($0) }
        acls.dropUnused()
        loadQuotas()
        let lost = lostTimeToLiveNodes()
        if lost > 0 { problems.append(.timeToLiveNodesWithoutExtendedTypes(lost)) }
        return problems
    }

    /// Owners with the prefix of times to live that are no open session although extended types are off.
    private func lostTimeToLiveNodes() -> Int {
        guard !options.extendedTypes else { return 0 }
        return ownersWithoutSession().reduce(0) { count, session in
            guard case .timeToLive = NodeOwner(stored: session.rawValue, extendedTypes: true) else { return count }
            return count + owners.members(ofSession: session).count
        }
    }
}
