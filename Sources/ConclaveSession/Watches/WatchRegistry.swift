import ConclaveCore
import ConclaveWire

/// Every watcher of a session: who is told about an event, and what a new connection must arm again.
///
/// A watcher enters when the answer to its request arrives, never before: a lost answer leaves nothing behind. Paths
/// are the server's, with the chroot.
package struct WatchRegistry: Sendable {
    private var paths: [NodePath: PathWatches] = [:]
    private var homes: [WatcherID: (path: NodePath, kind: WatcherKind)] = [:]
    /// How many recursive watchers there are; without any, events need no look at the paths above them.
    private var recursiveCount = 0

    package init() {}

    /// How many watchers there are.
    package var count: Int { homes.count }

    // MARK: Requests

    /// A request that will arm a watch is on its way to the server.
    mutating func expect(_ interest: WatchInterest) {
        paths[interest.path, default: PathWatches()].coming[interest.kind] += 1
    }

    /// The request armed its watch, which as `kind` says may be another than was asked for.
    ///
    /// - Parameter isWanted: false if the caller has gone meanwhile: then nobody is entered.
    mutating func armed(_ interest: WatchInterest, as kind: WatcherKind, isWanted: Bool) {
        paths[interest.path, default: PathWatches()].armed.insert(PathWatches.Armed(kind))
        forget(interest)
        guard isWanted else { return }
        paths[interest.path, default: PathWatches()][kind].append(interest.watcher)
        homes[interest.watcher] = (interest.path, kind)
        if kind == .recursive { recursiveCount += 1 }
    }

    /// The request armed nothing.
    mutating func forget(_ interest: WatchInterest) {
        guard var entry = paths[interest.path] else { return }
        entry.coming[interest.kind] = max(entry.coming[interest.kind] - 1, 0)
        paths[interest.path] = entry.isIdle ? nil : entry
    }

    // MARK: Events

    /// Who hears an event. One-shot watchers leave by it.
    /// - Returns: in the order of their registration.
    mutating func fired(_ kind: WatchEvent.Kind, at path: NodePath) -> [WatcherID] {
        var told: [WatcherID] = []
        if var entry = paths[path] {
            for once in Self.fired(by: kind) {
                told += entry[once]
                for watcher in entry[once] { homes[watcher] = nil }
                entry[once] = []
                entry.armed.remove(PathWatches.Armed(once))
            }
            told += entry.persistent
            paths[path] = entry.isIdle ? nil : entry
        }
        if recursiveCount > 0, kind != .childrenChanged {
            for above in Self.prefixes(of: path) { told += paths[above]?.recursive ?? [] }
        }
        return told.sorted()
    }

    /// Source: wire-protocol section 15, "watch bookkeeping".
    private static func fired(by kind: WatchEvent.Kind) -> [WatcherKind] {
        switch kind {
        case .created, .dataChanged: [.data, .existence]
        case .childrenChanged: [.children]
        case .deleted: [.data, .existence, .children]
        }
    }

    /// The path and every path above it, the root first.
    private static func prefixes(of path: NodePath) -> [NodePath] {
        var prefixes = [NodePath.root]
        let slash = UInt8(ascii: "/")
        for index in path.utf8.indices.dropFirst() where path.utf8[index] == slash {
            prefixes.append(NodePath(utf8: Array(path.utf8[..<index])))
        }
        if path != .root { prefixes.append(path) }
        return prefixes
    }

    // MARK: Leaving

    /// A watcher is not interested any more.
    /// - Returns: what the server can forget, if this was the last.
    mutating func drop(_ watcher: WatcherID) -> (path: NodePath, removal: WatchRemoval)? {
        guard let home = homes.removeValue(forKey: watcher), var entry = paths[home.path] else { return nil }
        entry[home.kind].removeAll { $0 == watcher }
        if home.kind == .recursive { recursiveCount -= 1 }
        paths[home.path] = entry
        return takeUnwanted(at: home.path)
    }

    /// What the server has armed at a path although nobody wants it.
    mutating func takeUnwanted(at path: NodePath) -> (path: NodePath, removal: WatchRemoval)? {
        guard var entry = paths[path] else { return nil }
        let removal = entry.takeUnwanted()
        paths[path] = entry.isIdle ? nil : entry
        return removal.map { (path, $0) }
    }

    /// The server has removed watches of a path: their watchers leave.
    mutating func removed(_ removal: WatchRemoval, at path: NodePath) -> [WatcherID] {
        guard var entry = paths[path] else { return [] }
        let kinds: [WatcherKind]
        switch removal {
        case .data: kinds = [.data, .existence]
        case .children: kinds = [.children]
        case .any: kinds = [.data, .existence, .children, .persistent, .recursive]
        }
        var gone: [WatcherID] = []
        for kind in kinds {
            gone += entry[kind]
            if kind == .recursive { recursiveCount -= entry[kind].count }
            entry[kind] = []
            entry.armed.remove(PathWatches.Armed(kind))
        }
        for watcher in gone { homes[watcher] = nil }
        paths[path] = entry.isIdle ? nil : entry
        return gone.sorted()
    }

    /// Everybody leaves.
    mutating func removeAll() -> [WatcherID] {
        let all = homes.keys.sorted()
        self = WatchRegistry()
        return all
    }

    // MARK: Connections

    /// The connection is gone, and with it everything that the server had armed and every request on its way.
    mutating func connectionLost() {
        for index in paths.values.indices {
            paths.values[index].armed = []
            paths.values[index].coming = PathWatches.Coming()
        }
        paths = paths.filter { !$0.value.isIdle }
    }

    /// What a new connection must arm, cut into requests whose paths stay below `limitBytes` each; from now on the
    /// server is taken to have it armed.
    ///
    /// A path whose data somebody watches and whose existence somebody else does goes into both lists: the server fires
    /// at most one of them.
    mutating func rearm(since zxid: Zxid, limitBytes: Int = WatchRegistry.chunkBytes) -> [SetWatches] {
        var chunks: [SetWatches] = []
        var chunk = SetWatches(relativeZxid: zxid)
        var bytes = 0
        for path in paths.keys.sorted() {
            guard var entry = paths[path] else { continue }
            for kind in WatcherKind.inOrder where !entry[kind].isEmpty {
                // Each path costs its length field too; a chunk holds at least one.
                let cost = path.utf8.count + 4
                if bytes > 0, bytes + cost > limitBytes {
                    chunks.append(chunk)
                    chunk = SetWatches(relativeZxid: zxid)
                    bytes = 0
                }
                bytes += cost
                chunk.add(path, kind)
                entry.armed.insert(PathWatches.Armed(kind))
            }
            paths[path] = entry
        }
        if !chunk.isEmpty { chunks.append(chunk) }
        return chunks
    }

    /// The most bytes of paths in one request: what the reference's client uses, far below every server's frame limit.
    package static let chunkBytes = 131_072
}

extension WatcherKind {
    static let inOrder: [WatcherKind] = [.data, .existence, .children, .persistent, .recursive]
}

extension SetWatches {
    fileprivate mutating func add(_ path: NodePath, _ kind: WatcherKind) {
        switch kind {
        case .data: data.append(path)
        case .existence: exist.append(path)
        case .children: child.append(path)
        case .persistent: persistent.append(path)
        case .recursive: persistentRecursive.append(path)
        }
    }
}
