import ConclaveCore
import ConclaveTree

/// Everything that can be seen of a tree, as one value that can be compared.
struct TreeImage: Equatable {
    struct Node: Equatable {
        var stored: StoredStat
        var stat: Stat
        var data: [UInt8]?
        var acl: [ACL]
        var children: [[UInt8]]
    }

    var nodes: [NodePath: Node] = [:]
    var sessions: [SessionID: Int32]
    var ephemerals: [SessionID: [NodePath]] = [:]
    var digest: Int64
    var nodeCount: Int
    var ephemeralCount: Int
    var dataSize: Int
    var lastProcessed: Zxid

    init(_ tree: borrowing DataTree) {
        sessions = tree.sessions
        digest = tree.digest
        nodeCount = tree.nodeCount
        ephemeralCount = tree.ephemeralCount
        dataSize = tree.approximateDataSize
        lastProcessed = tree.lastProcessed
        for session in tree.sessionsWithEphemerals { ephemerals[session] = tree.ephemerals(of: session) }
        var waiting = [NodePath.root]
        while let path = waiting.popLast() {
            guard let index = tree.find(path) else { continue }
            let children = tree.childNames(of: index)
            nodes[path] = Node(
                stored: tree.storedStat(of: index), stat: tree.stat(of: index), data: tree.data(of: index),
                acl: tree.acl(of: index), children: children.sorted { $0.lexicographicallyPrecedes($1) })
            waiting += children.map { path.appending($0) }
        }
    }

    /// The first things in which another image differs, in words; empty for an equal one.
    func differences(from other: TreeImage) -> [String] {
        guard self != other else { return [] }
        var found: [String] = []
        for path in Set(nodes.keys).union(other.nodes.keys).sorted() where nodes[path] != other.nodes[path] {
            found.append(
                "\(path): \(String(describing: nodes[path])) instead of \(String(describing: other.nodes[path]))")
        }
        if sessions != other.sessions { found.append("sessions: \(sessions) instead of \(other.sessions)") }
        if ephemerals != other.ephemerals { found.append("ephemerals: \(ephemerals) instead of \(other.ephemerals)") }
        for (name, one, two) in [
            ("digest", Int(digest), Int(other.digest)), ("nodes", nodeCount, other.nodeCount),
            ("ephemeral nodes", ephemeralCount, other.ephemeralCount), ("bytes", dataSize, other.dataSize),
            ("zxid", Int(lastProcessed.rawValue), Int(other.lastProcessed.rawValue)),
        ] where one != two { found.append("\(name): \(one) instead of \(two)") }
        return Array(found.prefix(5))
    }

    /// The digest by its definition, from the nodes alone.
    var computedDigest: Int64 {
        var sum: UInt64 = 0
        for (path, node) in nodes where !path.utf8.starts(with: "/zookeeper/".utf8) {
            sum &+= UInt64(DataTree.nodeDigest(path: path, data: node.data, stat: node.stored))
        }
        return Int64(bitPattern: sum)
    }
}

/// Short forms for tests.
enum Make {
    static let alice = SessionID(rawValue: 0x1_0001)
    static let bob = SessionID(rawValue: 0x1_0002)

    static func header(_ zxid: Int64, session: SessionID = alice, time: Int64? = nil) -> TransactionHeader {
        TransactionHeader(
            session: session, cxid: 1, zxid: Zxid(rawValue: zxid), timeMilliseconds: time ?? 1_000_000 + zxid)
    }

    static func create(
        _ path: NodePath, _ data: [UInt8]? = [], acl: [ACL] = .open, form: CreateChange.Form = .create,
        ephemeral: Bool = false, creates: Int32 = -1, ttl: Int64 = 0
    ) -> Change {
        .create(
            CreateChange(
                form: form, path: path, data: data, acl: acl, isEphemeral: ephemeral, parentChildCreates: creates,
                timeToLiveMilliseconds: ttl))
    }
}

extension DataTree {
    /// Applies one change and returns what it brought about.
    @discardableResult
    mutating func apply(
        _ zxid: Int64, _ change: Change, session: SessionID = Make.alice, time: Int64? = nil
    ) -> [TreeEffects.Effect] {
        var effects = TreeEffects()
        apply(Transaction(header: Make.header(zxid, session: session, time: time), change: change), effects: &effects)
        return effects.effects
    }

    /// Loads a node of a snapshot.
    mutating func load(_ path: [UInt8], _ data: [UInt8]?, key: Int64 = -1, _ stat: StoredStat) -> Bool {
        if let data { return loadNode(path: path.span, data: data.span, aclKey: key, stat: stat) }
        return loadNode(path: path.span, data: nil, aclKey: key, stat: stat)
    }

    func stat(_ path: NodePath) -> Stat? { find(path).map { stat(of: $0) } }
    func stored(_ path: NodePath) -> StoredStat? { find(path).map { storedStat(of: $0) } }
    func text(_ path: NodePath) -> String? {
        find(path).flatMap { data(of: $0) }.map { String(decoding: $0, as: UTF8.self) }
    }
}
