public import ConclaveCore
import ConclaveSession
import ConclaveWire

extension ZooKeeperClient {
    /// Makes a node.
    ///
    /// - Parameter data: at most the server's frame limit, a little below 1 MiB by default; `nil` is null.
    /// - Returns: the path, completed by the server's number for sequential modes, and the node's facts.
    /// - Throws: `nodeExists`, `noNode` (no parent), `noChildrenForEphemerals`, `noAuth`, `invalidACL`,
    ///   `quotaExceeded`; after `connectionLoss` the node may exist: see ``createProtected(_:prefix:_:mode:acl:)``.
    @discardableResult
    public func create(
        _ path: String, _ data: [UInt8]? = [], mode: CreateMode = .persistent, acl: [ACL] = .open
    ) async throws(ZooKeeperError) -> CreatedNode {
        let request = CreateRequest(
            path: try shell.fullPath(path, for: "create", sequential: mode.isSequential), data: data, acl: acl,
            mode: mode, wantsStat: true)
        let reply = try await shell.reply(to: .create(request), "create", path)
        guard case .created(let created, let stat) = reply else { throw shell.unexpected(reply, "create", path) }
        return CreatedNode(path: chrootless(created), stat: stat)
    }

    /// Deletes a node that has no children.
    ///
    /// - Parameter version: the data version it must have; `nil` takes any.
    /// - Throws: `noNode`, `notEmpty`, `badVersion`, `noAuth`.
    public func delete(_ path: String, version: Int32? = nil) async throws(ZooKeeperError) {
        let full = try shell.fullPath(path, for: "delete")
        _ = try await shell.reply(to: .delete(path: full, version: version ?? -1), "delete", path)
    }

    /// The facts of a node; `nil` if it does not exist.
    public func exists(_ path: String) async throws(ZooKeeperError) -> Stat? {
        let full = try shell.fullPath(path, for: "exists")
        let outcome = await shell.outcome(of: .exists(path: full, watch: false), "exists", path)
        return try shell.existence(outcome, path)
    }

    /// The data and facts of a node. Throws `noNode`, `noAuth`.
    public func data(at path: String) async throws(ZooKeeperError) -> NodeData {
        let full = try shell.fullPath(path, for: "getData")
        let reply = try await shell.reply(to: .getData(path: full, watch: false), "getData", path)
        guard case .data(let data, let stat) = reply else { throw shell.unexpected(reply, "getData", path) }
        return NodeData(data: data, stat: stat)
    }

    /// Replaces the data of a node.
    ///
    /// - Parameter version: the data version it must have before; `nil` takes any.
    /// - Throws: `noNode`, `badVersion`, `noAuth`, `quotaExceeded`. After `connectionLoss` with a version, read back
    ///   before trying again: `badVersion` may mean that the first attempt was done.
    @discardableResult
    public func setData(
        at path: String, to data: [UInt8]?, version: Int32? = nil
    ) async throws(ZooKeeperError) -> Stat {
        let full = try shell.fullPath(path, for: "setData")
        let request = ClientRequest.setData(path: full, data: data, version: version ?? -1)
        return try await stat(request, "setData", path)
    }

    /// The children of a node, sorted, and the node's facts. Throws `noNode`, `noAuth`.
    public func children(of path: String) async throws(ZooKeeperError) -> Children {
        let full = try shell.fullPath(path, for: "getChildren")
        let reply = try await shell.reply(to: .getChildren2(path: full, watch: false), "getChildren", path)
        guard case .children(let names, let stat) = reply else { throw shell.unexpected(reply, "getChildren", path) }
        return Children(names: names.sorted(), stat: stat)
    }

    /// Who may do what with a node, and its facts. Without admin permission password hashes are hidden.
    public func acl(of path: String) async throws(ZooKeeperError) -> (acl: [ACL], stat: Stat) {
        let reply = try await shell.reply(to: .getACL(path: try shell.fullPath(path, for: "getACL")), "getACL", path)
        guard case .acl(let acl, let stat) = reply else { throw shell.unexpected(reply, "getACL", path) }
        return (acl, stat)
    }

    /// Replaces the access control list of a node.
    ///
    /// - Parameter version: the ACL version (`aversion`) it must have before; `nil` takes any.
    @discardableResult
    public func setACL(
        of path: String, to acl: [ACL], version: Int32? = nil
    ) async throws(ZooKeeperError) -> Stat {
        let full = try shell.fullPath(path, for: "setACL")
        return try await stat(.setACL(path: full, acl: acl, version: version ?? -1), "setACL", path)
    }

    /// Returns when the connected server has everything that was committed before the call: reads after it are at least
    /// so new.
    public func sync(_ path: String = "/") async throws(ZooKeeperError) {
        _ = try await shell.reply(to: .sync(path: try shell.fullPath(path, for: "sync")), "sync", path)
    }

    private func stat(_ request: ClientRequest, _ name: String, _ path: String) async throws(ZooKeeperError) -> Stat {
        let reply = try await shell.reply(to: request, name, path)
        guard case .stat(let stat) = reply else { throw shell.unexpected(reply, name, path) }
        return stat
    }

    func chrootless(_ path: String) -> String { shell.chroot.visible(path) }
}
