public import ConclaveCore
import ConclaveSession

extension ZooKeeperClient {
    /// Makes a node so that a lost answer does no harm: the name gets an id, and after a lost connection the node is
    /// looked for before it is made again.
    ///
    /// Only a node whose name has the id **and**, for ephemeral modes, whose owner is this session is taken for one's
    /// own: a node of a dying earlier session is not. Survives any number of lost connections while the session lives.
    /// Never makes two.
    ///
    /// - Parameters:
    ///   - path: the node's path without the prefix: `/locks/x-` becomes `/locks/_c_<id>-x-`.
    ///   - prefix: the id, without slashes; `nil` makes a random one.
    /// - Throws: as ``create(_:_:mode:acl:)`` except for connection loss. If the calling task is cancelled, a node that
    ///   may have been made is deleted in the background, for as long as the session lives.
    public func createProtected(
        _ path: String, prefix: String? = nil, _ data: [UInt8]? = [], mode: CreateMode = .persistent, acl: [ACL] = .open
    ) async throws(ZooKeeperError) -> CreatedNode {
        let name = ProtectedName(path, id: prefix ?? ProtectedName.randomID())
        // Whether a request may have made the node although nobody heard so.
        var isInDoubt = false
        while true {
            do throws(ZooKeeperError) {
                if isInDoubt, let node = try await findOwn(name, isEphemeral: mode.isEphemeral) { return node }
                return try await create(name.path, data, mode: mode, acl: acl)
            } catch {
                switch error.code {
                case .connectionLoss, .requestTimeout, .operationTimeout: isInDoubt = true
                case .cancelled:
                    cleanUp(name, isEphemeral: mode.isEphemeral)
                    throw error
                default: throw error
                }
            }
        }
    }

    /// Looks for the node that an unanswered create may have made.
    ///
    /// The sync makes the server see everything that was committed before. A create that is still on its way through
    /// the old server cannot come later: servers refuse requests of a session that has moved on.
    private func findOwn(
        _ name: ProtectedName, isEphemeral: Bool
    ) async throws(ZooKeeperError) -> CreatedNode? {
        try await sync(name.parent)
        let names: [String]
        do {
            names = try await children(of: name.parent).names
        } catch  where error.code == .noNode {
            return nil
        }
        for child in names where child.hasPrefix(name.prefix) {
            let path = name.child(child)
            guard let stat = try await exists(path) else { continue }
            if !isEphemeral || stat.ephemeralOwner == sessionID { return CreatedNode(path: path, stat: stat) }
        }
        return nil
    }

    private func cleanUp(_ name: ProtectedName, isEphemeral: Bool) {
        cleanUp { client throws(ZooKeeperError) in
            guard let node = try await client.findOwn(name, isEphemeral: isEphemeral) else { return }
            try await client.delete(node.path)
        }
    }

    /// Runs work that must not be left out because a caller was cancelled: in a task of its own, repeated after lost
    /// connections, ended by the session's end at the latest. `noNode` counts as done.
    ///
    /// The task keeps the client, so that a client that is dropped closes after it; ``close()`` ends it.
    package func cleanUp(_ work: @escaping @Sendable (ZooKeeperClient) async throws(ZooKeeperError) -> Void) {
        Task.detached { [self] in
            while true {
                do throws(ZooKeeperError) {
                    return try await work(self)
                } catch {
                    switch error.code {
                    // Repeated when there is a connection again: until then the next request waits.
                    case .connectionLoss, .requestTimeout, .operationTimeout: continue
                    default: return
                    }
                }
            }
        }
    }
}
