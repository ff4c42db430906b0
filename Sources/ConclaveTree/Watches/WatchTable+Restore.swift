import ConclaveCore

/// What a client that has reconnected asks for: its watches, and the events that it missed.
package struct WatchRestoration: Sendable {
    /// The last zxid that the client saw.
    package var relativeZxid: Zxid
    package var data: [NodePath]
    package var exist: [NodePath]
    package var child: [NodePath]
    package var persistent: [NodePath]
    package var recursive: [NodePath]

    package init(
        relativeZxid: Zxid, data: [NodePath] = [], exist: [NodePath] = [], child: [NodePath] = [],
        persistent: [NodePath] = [], recursive: [NodePath] = []
    ) {
        self.relativeZxid = relativeZxid
        self.data = data
        self.exist = exist
        self.child = child
        self.persistent = persistent
        self.recursive = recursive
    }
}

extension WatchTable {
    /// An event for the client that has reconnected.
    package struct MissedEvent: Equatable, Sendable {
        package let kind: WatchEvent.Kind
        package let path: NodePath
        /// Who may see it; `nil` means everybody. A node that is gone has no list any more.
        package let acl: [ACL]?
    }

    /// Sets the watches of a client that has reconnected, path by path, or finds that they have fired in the meantime.
    ///
    /// - Returns: the missed events in the order of the request, and whether every watch found room; what came after
    ///   the limit is not watched.
    /// - Source: wire-protocol, section 9.3.
    package mutating func restore(
        _ request: WatchRestoration, for watcher: UInt64, tree: borrowing DataTree
    ) -> (events: [MissedEvent], isComplete: Bool) {
        var events: [MissedEvent] = []
        var isComplete = true
        func rearm(_ path: NodePath, _ modes: WatchModes, _ table: inout WatchTable) {
            if !table.add(path, modes, for: watcher) { isComplete = false }
        }
        for path in request.data {
            if let node = tree.find(path) {
                if tree.storedStat(of: node).mzxid > request.relativeZxid {
                    events.append(MissedEvent(kind: .dataChanged, path: path, acl: tree.closedACL(of: node.rawValue)))
                } else {
                    rearm(path, .data, &self)
                }
            } else {
                events.append(MissedEvent(kind: .deleted, path: path, acl: nil))
            }
        }
        for path in request.exist {
            if let node = tree.find(path) {
                events.append(MissedEvent(kind: .created, path: path, acl: tree.closedACL(of: node.rawValue)))
            } else {
                rearm(path, .data, &self)
            }
        }
        for path in request.child {
            if let node = tree.find(path) {
                if tree.storedStat(of: node).pzxid > request.relativeZxid {
                    events.append(
                        MissedEvent(kind: .childrenChanged, path: path, acl: tree.closedACL(of: node.rawValue)))
                } else {
                    rearm(path, .child, &self)
                }
            } else {
                events.append(MissedEvent(kind: .deleted, path: path, acl: nil))
            }
        }
        for path in request.persistent { rearm(path, .persistent, &self) }
        for path in request.recursive { rearm(path, .recursive, &self) }
        return (events, isComplete)
    }
}
