import ConclaveClient
import ConclaveCore

/// Keeps a copy of nodes in step with the server: what was noticed in, what to read and what has changed out.
///
/// Events of watches say only where to look; what is there is told by a read, so neither lost, doubled nor reordered
/// events can do harm. One batch of reads is under way at a time, and a server's answers never go back in time, so an
/// answer is at least as new as everything noticed before it was asked for.
///
/// ```
/// armed ──▶ read the root, what is below it, … ──nothing left──▶ current ──noticed──▶ read ──▶ current
///   ▲                                                               │
///   └─────────────────────────── disconnected: stale ◀──────────────┘
/// ```
package struct MirrorMachine: Sendable {
    /// What is copied.
    package enum Scope: Hashable, Sendable {
        /// The node itself.
        case node
        /// The children, without the node itself.
        case children
        /// The node and everything below it.
        case subtree
    }

    /// What to read of a node.
    package struct Look: Hashable, Sendable {
        package let path: String
        /// Whether its children are listed too.
        package let listsChildren: Bool
    }

    package enum Finding: Hashable, Sendable {
        /// Children as they were listed; `nil` if that was not asked for.
        case found(NodeData, children: [String]?)
        /// It is not there, or must not be read.
        case missing
    }

    package enum Event: Hashable, Sendable {
        /// From now on changes are noticed; what was before is not known.
        case armed
        /// Something happened at these paths.
        case noticed([String])
        /// What the looks of the last batch have found, in their order.
        case read([Finding])
        case disconnected
    }

    package enum Action: Equatable, Sendable {
        /// Make these looks; answered by ``Event/read(_:)``.
        case read([Look])
        case added(CachedNode)
        case changed(CachedNode)
        case removed(CachedNode)
        case becameCurrent
        case becameStale
        /// More than the limits allow.
        case overflowed
    }

    private struct Known {
        var node: CachedNode?
        var children: Set<String> = []
    }

    /// How many nodes are read at once.
    package static let batchLimit = 32

    private let root: String
    private let scope: Scope
    private let limits: CacheLimits
    /// Whether each event of a watch uses it up, so that children are listed again with every look.
    private let isOneShot: Bool
    private var nodes: [String: Known] = [:]
    private var nodeCount = 0
    private var byteCount = 0
    private var queue: [Look] = []
    private var queued: Set<Look> = []
    private var underWay: [Look] = []
    private var isArmed = false
    private var isCurrent = false
    private var hasOverflowed = false

    package init(root: String, scope: Scope, limits: CacheLimits, isOneShot: Bool) {
        self.root = root
        self.scope = scope
        self.limits = limits
        self.isOneShot = isOneShot
    }

    /// Takes one event and says what to do, in this order.
    package mutating func handle(_ event: Event) -> [Action] {
        guard !hasOverflowed else { return [] }
        var actions: [Action] = []
        switch event {
        case .armed:
            isArmed = true
            underWay = []
            restart()
        case .noticed(let paths):
            guard isArmed else { return [] }
            for path in paths { notice(path) }
        case .read(let findings):
            guard findings.count == underWay.count else { return [] }
            let looks = underWay
            underWay = []
            for (look, finding) in zip(looks, findings) { take(finding, of: look, into: &actions) }
        case .disconnected:
            isArmed = false
            underWay = []
            forgetQueue()
            guard isCurrent else { return [] }
            isCurrent = false
            return [.becameStale]
        }
        if nodeCount > limits.nodes || byteCount > limits.bytes {
            hasOverflowed = true
            return [.overflowed]
        }
        goOn(into: &actions)
        return actions
    }

    // MARK: - What to look at

    private mutating func restart() {
        forgetQueue()
        isCurrent = false
        enqueue(Look(path: root, listsChildren: scope != .node))
    }

    private mutating func forgetQueue() {
        queue = []
        queued = []
    }

    private mutating func notice(_ path: String) {
        guard let depth = depth(of: path) else { return }
        let isListed = depth == 0 ? scope != .node : scope == .subtree
        let isKnown = nodes[path] != nil
        let listsChildren = isListed && (isOneShot || !isKnown || depth == 0 && scope == .children)
        enqueue(Look(path: path, listsChildren: listsChildren))
        // More places than nodes are allowed: looking everywhere is less work than looking at each.
        if queue.count > limits.nodes { restart() }
    }

    /// How far below the root it is; `nil` if it is not copied.
    private func depth(of path: String) -> Int? {
        if path == root { return 0 }
        let prefix = root == "/" ? "/" : root + "/"
        guard path.hasPrefix(prefix) else { return nil }
        let depth = 1 + path.dropFirst(prefix.count).utf8.count(where: { $0 == UInt8(ascii: "/") })
        switch scope {
        case .node: return nil
        case .children: return depth == 1 ? 1 : nil
        case .subtree: return depth
        }
    }

    private mutating func enqueue(_ look: Look) {
        if queued.insert(look).inserted { queue.append(look) }
    }

    private mutating func goOn(into actions: inout [Action]) {
        guard isArmed, underWay.isEmpty else { return }
        guard !queue.isEmpty else {
            if !isCurrent {
                isCurrent = true
                actions.append(.becameCurrent)
            }
            return
        }
        underWay = Array(queue.prefix(Self.batchLimit))
        queue.removeFirst(underWay.count)
        for look in underWay { queued.remove(look) }
        actions.append(.read(underWay))
    }

    // MARK: - What was found

    private mutating func take(_ finding: Finding, of look: Look, into actions: inout [Action]) {
        switch finding {
        case .missing:
            forget(look.path, into: &actions)
        case .found(let data, let children):
            guard look.path == root || link(look.path) else { return }
            keep(look.path, data, into: &actions)
            if let children { compare(children, below: look.path, into: &actions) }
        }
    }

    /// Enters a node with its parent; if that is not known, it is looked at first and leads here again.
    private mutating func link(_ path: String) -> Bool {
        let (parent, name) = Self.split(path)
        guard nodes[parent] != nil else {
            enqueue(Look(path: parent, listsChildren: true))
            return false
        }
        nodes[parent]?.children.insert(name)
        return true
    }

    private mutating func keep(_ path: String, _ data: NodeData, into actions: inout [Action]) {
        var known = nodes[path] ?? Known()
        defer { nodes[path] = known }
        guard path != root || scope != .children else { return }
        let node = CachedNode(path: path, bytes: data.bytes, stat: data.stat)
        guard let old = known.node else {
            known.node = node
            nodeCount += 1
            byteCount += Self.size(of: node)
            actions.append(.added(node))
            return
        }
        guard old.stat.mzxid != node.stat.mzxid || old.stat.czxid != node.stat.czxid else { return }
        known.node = node
        byteCount += Self.size(of: node) - Self.size(of: old)
        actions.append(.changed(node))
    }

    /// Looks at every child that is there, and forgets those that are not.
    private mutating func compare(_ names: [String], below path: String, into actions: inout [Action]) {
        let isListed = scope == .subtree
        for name in names {
            let child = NodePath.text(of: name, below: path)
            // With every event its own watch, known children are looked at when their own watches say so.
            if isOneShot, isCurrent, nodes[child] != nil { continue }
            enqueue(Look(path: child, listsChildren: isListed))
        }
        guard let known = nodes[path]?.children, !known.isEmpty else { return }
        for name in known.subtracting(names).sorted() {
            forget(NodePath.text(of: name, below: path), into: &actions)
        }
    }

    /// Forgets a node and everything below it, the deepest first.
    private mutating func forget(_ path: String, into actions: inout [Action]) {
        var stack = [path]
        var order: [String] = []
        while let next = stack.popLast() {
            guard let known = nodes[next] else { continue }
            order.append(next)
            for name in known.children.sorted(by: >) { stack.append(NodePath.text(of: name, below: next)) }
        }
        for gone in order.reversed() {
            guard let node = nodes.removeValue(forKey: gone)?.node else { continue }
            nodeCount -= 1
            byteCount -= Self.size(of: node)
            actions.append(.removed(node))
        }
        guard path != root else { return }
        let (parent, name) = Self.split(path)
        nodes[parent]?.children.remove(name)
    }

    // MARK: - Arithmetic

    private static func size(of node: CachedNode) -> Int { node.path.utf8.count + node.bytes.count }

    private static func split(_ path: String) -> (parent: String, name: String) {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return ("/", path) }
        let name = String(path[path.utf8.index(after: slash)...])
        return (slash == path.startIndex ? "/" : String(path[..<slash]), name)
    }
}
