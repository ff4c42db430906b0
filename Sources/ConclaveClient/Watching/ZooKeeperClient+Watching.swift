public import ConclaveCore
import ConclaveSession
import ConclaveWire

extension ZooKeeperClient {
    /// The data of a node, and a watch on its next change: data set or node deleted. Nothing happens unseen between the
    /// two.
    ///
    /// Throws `noNode` and arms nothing if there is no node; see ``watchExists(_:)``.
    public func watchData(at path: String) async throws(ZooKeeperError) -> (node: NodeData, change: Watch) {
        let full = try shell.fullPath(path, for: "getData")
        let (outcome, change) = await shell.outcome(
            of: .getData(path: full, watch: true), "getData", path, arming: .data, at: full)
        let reply = try shell.body(outcome, "getData", path)
        guard case .data(let data, let stat) = reply else { throw shell.unexpected(reply, "getData", path) }
        return (NodeData(data: data, stat: stat), change)
    }

    /// The facts of a node, `nil` if it does not exist, and a watch on its creation, change or deletion.
    public func watchExists(_ path: String) async throws(ZooKeeperError) -> (stat: Stat?, change: Watch) {
        let full = try shell.fullPath(path, for: "exists")
        let (outcome, change) = await shell.outcome(
            of: .exists(path: full, watch: true), "exists", path, arming: .existence, at: full)
        return (try shell.existence(outcome, path), change)
    }

    /// The children of a node, and a watch on the next child that comes or goes, or on the node's own deletion.
    public func watchChildren(of path: String) async throws(ZooKeeperError) -> (children: Children, change: Watch) {
        let full = try shell.fullPath(path, for: "getChildren")
        let (outcome, change) = await shell.outcome(
            of: .getChildren2(path: full, watch: true), "getChildren", path, arming: .children, at: full)
        let reply = try shell.body(outcome, "getChildren", path)
        guard case .children(let names, let stat) = reply else { throw shell.unexpected(reply, "getChildren", path) }
        return (Children(names: names.sorted(), stat: stat), change)
    }

    /// Every event of a path from now on, or with `recursive` of the path and everything below it. The node need not
    /// exist.
    ///
    /// A recursive watch tells of nodes created, changed and deleted, a plain one also of its children coming and
    /// going. While the client is disconnected events are missed: read again after ``SessionState/reconnected``.
    ///
    /// An Apache 3.8 server keeps one kind of watch for a path and connection: arming a one-shot watch at the same path
    /// ends a persistent one there (ZOOKEEPER-4466).
    public func watch(_ path: String, recursive: Bool = false) async throws(ZooKeeperError) -> PersistentWatch {
        let full = try shell.fullPath(path, for: "addWatch")
        let (outcome, watch) = await shell.outcome(
            of: .addWatch(path: full, mode: recursive ? 1 : 0), path, persistentAt: full, recursive: recursive)
        _ = try shell.body(outcome, "addWatch", path)
        return watch
    }

    /// Removes this client's watches at a path; they throw `noWatcher` from then on.
    ///
    /// - Throws: `noWatcher` if the server had none.
    public func removeWatches(at path: String, kind: WatchKind) async throws(ZooKeeperError) {
        let full = try shell.fullPath(path, for: "removeWatches")
        let removal: WatchRemoval =
            switch kind {
            case .data: .data
            case .children: .children
            case .any: .any
            }
        _ = try shell.body(await shell.removeWatches(removal, at: full, path), "removeWatches", path)
    }
}
