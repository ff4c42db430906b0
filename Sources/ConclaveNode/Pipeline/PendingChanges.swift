import ConclaveCore
import ConclaveTree

/// The difference between the tree and what it will be once everything in flight has been applied.
///
/// Validation looks here first, then in the tree. Root and children of the root need no special names: paths are whole.
struct PendingChanges: Sendable {
    /// One node as it will be.
    struct Node: Sendable {
        /// The transaction that put the record here; the record goes when that one has been applied.
        var zxid: Zxid
        var exists: Bool
        var stat: StoredStat
        var childCount: Int
        var data: Payload
        /// `nil` means open to the world.
        var acl: [ACL]?
        /// The node's part of the tree digest; 0 while digests are off.
        var digest: UInt32
    }

    /// Where a node's data is.
    enum Payload: Sendable {
        /// Unchanged since it was applied.
        case inTree(NodeIndex)
        case bytes([UInt8]?)
    }

    private var nodes: [NodePath: Node] = [:]
    private var order = RingBuffer<(zxid: Zxid, path: NodePath)>()
    /// Records that a multi has replaced, newest last, so that it can be taken back.
    private var undo: [(path: NodePath, previous: Node?)]?

    /// The node as it will be; `nil` if it will not exist.
    func node(at path: NodePath, in tree: borrowing DataTree) -> Node? {
        if let pending = nodes[path] { return pending.exists ? pending : nil }
        guard let index = tree.find(path) else { return nil }
        return Node(
            zxid: .zero, exists: true, stat: tree.storedStat(of: index), childCount: tree.childCount(of: index),
            data: .inTree(index), acl: tree.aclKey(of: index) == -1 ? nil : tree.acl(of: index),
            digest: tree.digest(of: index))
    }

    mutating func record(_ node: Node, at path: NodePath) {
        undo?.append((path, nodes[path]))
        nodes[path] = node
        order.append((node.zxid, path))
    }

    /// Drops what the tree holds by now.
    mutating func applied(through zxid: Zxid) {
        while let first = order.first, first.zxid <= zxid {
            _ = order.popFirst()
            guard let index = nodes.index(forKey: first.path), nodes.values[index].zxid == first.zxid else { continue }
            nodes.remove(at: index)
        }
    }

    mutating func beginMulti() { undo = [] }

    mutating func keepMulti() { undo = nil }

    /// Restores exactly the records from before ``beginMulti()`` (ZOOKEEPER-1624).
    mutating func rollBackMulti() {
        for (path, previous) in (undo ?? []).reversed() { nodes[path] = previous }
        undo = nil
    }

    /// The ephemeral nodes that a session will own, sorted.
    func ephemerals(of session: SessionID, in tree: borrowing DataTree) -> [NodePath] {
        // A node of that name may have come back, as somebody else's.
        var paths = tree.ephemerals(of: session).filter { path in
            nodes[path].map { $0.exists && $0.stat.owner == session.rawValue } ?? true
        }
        // Sorted below, so the order of the dictionary reaches nothing.
        for (path, node) in nodes where node.exists && node.stat.owner == session.rawValue {
            let isApplied = tree.find(path).map { tree.storedStat(of: $0).owner == session.rawValue } ?? false
            if !isApplied { paths.append(path) }
        }
        return paths.sorted()
    }
}
