public import ConclaveCore
import ConclaveSession
import ConclaveWire

extension ZooKeeperClient {
    /// The ephemeral nodes of this session at or below a path, sorted.
    public func ephemerals(under prefix: String = "/") async throws(ZooKeeperError) -> [String] {
        let full = try shell.fullPath(prefix, for: "getEphemerals")
        let reply = try await shell.reply(to: .getEphemerals(prefix: full), "getEphemerals", prefix)
        guard case .names(let paths) = reply else { throw shell.unexpected(reply, "getEphemerals", prefix) }
        // The server compares text, so that /ab is found under /a.
        let folder = full == .root ? "/" : full.text + "/"
        return paths.filter { $0 == full.text || $0.hasPrefix(folder) }.map(chrootless).sorted()
    }

    /// How many nodes there are below a node.
    public func descendantCount(of path: String) async throws(ZooKeeperError) -> Int {
        let full = try shell.fullPath(path, for: "getAllChildrenNumber")
        let reply = try await shell.reply(to: .getAllChildrenNumber(path: full), "getAllChildrenNumber", path)
        guard case .count(let count) = reply else { throw shell.unexpected(reply, "getAllChildrenNumber", path) }
        return Int(count)
    }

    /// Who the server takes this connection for.
    public func identities() async throws(ZooKeeperError) -> [Identity] {
        let reply = try await shell.reply(to: .whoAmI, "whoAmI", nil)
        guard case .identities(let identities) = reply else { throw shell.unexpected(reply, "whoAmI", nil) }
        return identities
    }

    /// Adds an identity to the session; it is proven again on every later connection.
    ///
    /// - Throws: `authenticationFailed`, which ends the session.
    public func authenticate(_ credential: Credential) async throws(ZooKeeperError) {
        let outcome = await shell.authenticate(SessionCredential(scheme: credential.scheme, secret: credential.secret))
        _ = try shell.body(outcome, "authenticate with scheme \(credential.scheme)", nil)
    }

    /// The ensemble's configuration as text, one server a line; empty on a standalone server.
    public func configuration() async throws(ZooKeeperError) -> NodeData {
        // Outside of every chroot.
        let path = "/zookeeper/config"
        let request = ClientRequest.getData(path: NodePath(path), watch: false)
        let reply = try await shell.reply(to: request, "getData", path)
        guard case .data(let data, let stat) = reply else { throw shell.unexpected(reply, "getData", path) }
        return NodeData(data: data, stat: stat)
    }

    /// Changes the members of the ensemble: by joining and leaving ones, or all at once.
    ///
    /// - Parameters:
    ///   - joining: `server.N=…` lines, separated by commas.
    ///   - leaving: ids, separated by commas.
    ///   - members: all `server.N=…` lines of the new configuration; not together with the other two.
    ///   - version: the configuration's version (its `mzxid`) it must have before; -1 takes any.
    /// - Returns: the new configuration.
    @discardableResult
    public func reconfigure(
        joining: String? = nil, leaving: String? = nil, members: String? = nil, fromVersion version: Int64 = -1
    ) async throws(ZooKeeperError) -> NodeData {
        let request = ClientRequest.reconfig(
            joining: joining, leaving: leaving, newMembers: members, version: version)
        let reply = try await shell.reply(to: request, "reconfigure", nil)
        guard case .configuration(let text, let stat) = reply else { throw shell.unexpected(reply, "reconfigure", nil) }
        return NodeData(data: text, stat: stat)
    }
}
