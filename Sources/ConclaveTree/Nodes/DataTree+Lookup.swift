import ConclaveCore

/// From paths to nodes and back.
extension DataTree {
    /// The node at a path; the empty path and `/` are the root. Cost: one pass over the path, one bucket of the table.
    package func find(_ path: Span<UInt8>) -> NodeIndex? {
        if path.count <= 1 {
            return path.isEmpty || path[0] == Self.slash ? NodeIndex(rawValue: Self.root) : nil
        }
        guard let slot = lookUp(path, UInt32(truncatingIfNeeded: hash(path))) else { return nil }
        return NodeIndex(rawValue: slot)
    }

    /// The node at a path.
    package func find(_ path: NodePath) -> NodeIndex? { find(path.utf8.span) }

    /// The node at a path that is not the root's.
    func lookUp(_ path: Span<UInt8>, _ hash: UInt32) -> UInt32? {
        table.first(hash) { isPath(path, of: $0) }
    }

    /// Compares a path with the names of a node and of the nodes above it, from the end.
    private func isPath(_ path: Span<UInt8>, of slot: UInt32) -> Bool {
        var end = path.count
        var slot = slot
        while slot != Self.root {
            let count = Int(nodes[slot].nameBytes)
            let start = end - count
            guard start >= 1, path[start - 1] == Self.slash,
                blocks.begins(nodes[slot].block, with: path, at: start, count: count)
            else { return false }
            end = start - 1
            slot = nodes[slot].parent
        }
        return end == 0
    }

    /// The path of a node; the root's is `/`.
    package func path(of node: NodeIndex) -> NodePath {
        guard node.rawValue != Self.root else { return .root }
        var bytes: [UInt8] = []
        writePath(of: node.rawValue, into: &bytes)
        return NodePath(utf8: bytes)
    }

    /// Replaces the content of a buffer by a node's path; the root's is empty.
    func writePath(of slot: UInt32, into buffer: inout [UInt8]) {
        var count = 0
        var walk = slot
        while walk != Self.root {
            count += Int(nodes[walk].nameBytes) + 1
            walk = nodes[walk].parent
        }
        if buffer.count < count {
            buffer.append(contentsOf: repeatElement(Self.slash, count: count - buffer.count))
        } else {
            buffer.removeLast(buffer.count - count)
        }
        walk = slot
        while walk != Self.root {
            let name = blocks.bytes(of: nodes[walk].block, 0..<Int(nodes[walk].nameBytes))
            count -= name.count
            ByteRuns.copy(name.span, into: &buffer, at: count)
            count -= 1
            buffer[count] = Self.slash
            walk = nodes[walk].parent
        }
    }

    /// Whether a node, given by its path, is part of the tree's digest.
    @inline(__always)
    static func isCounted(_ path: Span<UInt8>) -> Bool {
        guard path.count > 1, path[1] == UInt8(ascii: "z") else { return true }
        let prefix = zooKeeperPrefix
        return !ByteRuns.areEqual(path, at: 0, prefix.span, at: 0, count: prefix.count)
    }

    private static let zooKeeperPrefix = Array("/zookeeper/".utf8)
}
