import ConclaveCore

/// What changes of the tree mean for watches.
///
/// Source: wire-protocol, section 9.1. One event per connection, change and path; recursive watches never hear that
/// children changed (ZOOKEEPER-4475).
extension WatchTable {
    /// Appends the events that a change brings about, in the order in which they must be sent.
    package mutating func trigger(_ effect: TreeEffects.Effect, into output: inout WatchNotifications) {
        guard !isEmpty else { return }
        switch effect {
        case .created(let path, let acl, let parentACL):
            fireNode(.created, path, acl, heard: [.data, .persistent], used: .data, &output)
            fireChildren(of: path, parentACL, &output)
        case .dataChanged(let path, let acl):
            fireNode(.dataChanged, path, acl, heard: [.data, .persistent], used: .data, &output)
        case .deleted(let path, let acl, let parentACL):
            fireNode(.deleted, path, acl, heard: [.data, .child, .persistent], used: .once, &output)
            fireChildren(of: path, parentACL, &output)
        case .sessionCreated, .sessionClosed: break
        }
    }

    private mutating func fireNode(
        _ kind: WatchEvent.Kind, _ path: NodePath, _ acl: [ACL]?, heard: WatchModes, used: WatchModes,
        _ output: inout WatchNotifications
    ) {
        let path = path.utf8.isEmpty ? .root : path
        let start = output.watchers.count
        let bytes = path.utf8.span
        fire(at: bytes, heard: heard, used: used, into: &output.watchers)
        if recursiveCount > 0 {
            var end = bytes.count
            while end > 1 {
                listRecursive(at: bytes.extracting(0..<end), into: &output.watchers)
                repeat { end -= 1 } while end > 0 && bytes[end] != DataTree.slash
            }
            listRecursive(at: bytes.extracting(0..<1), into: &output.watchers)
        }
        output.close(kind, path, acl, from: start)
    }

    private mutating func fireChildren(of path: NodePath, _ acl: [ACL]?, _ output: inout WatchNotifications) {
        let bytes = path.utf8.span
        let slash = DataTree.nameStart(of: bytes) - 1
        guard slash >= 0 else { return }
        let start = output.watchers.count
        let parent = bytes.extracting(0..<max(slash, 1))
        fire(at: parent, heard: [.child, .persistent], used: .child, into: &output.watchers)
        // Only an event that somebody hears needs a path of its own.
        guard output.watchers.count > start else { return }
        output.close(.childrenChanged, path.parent ?? .root, acl, from: start)
    }
}
