public import ConclaveCore

extension ZooKeeperClient {
    /// Makes a node and everything above it that is missing, the chroot included; what exists stays as it is.
    public func ensurePath(_ path: String, acl: [ACL] = .open) async throws(ZooKeeperError) {
        var missing = [try shell.fullPath(path, for: "ensurePath")]
        // From the bottom up until something can be made, then down again: the usual case costs one request.
        while let next = missing.last {
            let outcome = await shell.makeOrFind(next, acl, asked: path)
            switch outcome {
            case .there: missing.removeLast()
            case .noParent:
                guard let parent = next.parent, parent != .root, missing.count <= next.utf8.count else {
                    throw ZooKeeperError(
                        .noNode, path: path, message: "ensurePath: a parent is missing and cannot be made")
                }
                missing.append(parent)
            case .failed(let error): throw error
            }
        }
    }

    /// Deletes a node and everything below it, in batches of 100, the lowest first. Not one transaction: others may see
    /// a part of it, and nodes that others make meanwhile are deleted too.
    ///
    /// - Throws: `noNode` if the node does not exist; `notEmpty` if others keep making nodes faster than they can be
    ///   deleted.
    public func deleteSubtree(_ path: String) async throws(ZooKeeperError) {
        guard try await exists(path) != nil else {
            throw ZooKeeperError(.noNode, path: path, message: "deleteSubtree: the node does not exist")
        }
        for round in 1... {
            let paths = try await subtree(of: path)
            do throws(ZooKeeperError) {
                try await deleteAll(paths)
                return
            } catch {
                // Somebody made a node while the list was worked off.
                guard error.code == .notEmpty, round < Self.subtreeRounds else { throw error }
            }
        }
    }

    private static var subtreeRounds: Int { 16 }
    private static var batch: Int { 100 }

    /// The node and everything below it; parents before their children.
    private func subtree(of path: String) async throws(ZooKeeperError) -> [String] {
        var paths = [path]
        var next = 0
        while next < paths.count {
            let chunk = paths[next..<min(next + Self.batch, paths.count)]
            let results = try await read(chunk.map { .children($0) })
            next += chunk.count
            for (parent, result) in zip(chunk, results) {
                switch result {
                case .children(let names):
                    let folder = parent == "/" ? "/" : parent + "/"
                    // The servers' own nodes cannot be deleted.
                    paths += names.map { folder + $0 }.filter { chroot != "/" || $0 != "/zookeeper" }
                case .failed(let error) where error.code == .noNode: break
                case .failed(let error): throw error
                case .data:
                    throw ZooKeeperError(
                        .protocolViolation, path: parent, message: "deleteSubtree: another answer came")
                }
            }
        }
        return paths
    }

    private func deleteAll(_ paths: [String]) async throws(ZooKeeperError) {
        var end = paths.count
        while end > 0 {
            let chunk = paths[max(0, end - Self.batch)..<end].reversed().filter { chroot != "/" || $0 != "/" }
            end -= min(Self.batch, end)
            do throws(ZooKeeperError) {
                try await transaction(chunk.map { .delete($0) })
            } catch {
                guard error.code == .noNode else { throw error }
                // Somebody deleted a part of it: the rest one by one.
                for path in chunk {
                    do throws(ZooKeeperError) {
                        try await delete(path)
                    } catch {
                        guard error.code == .noNode else { throw error }
                    }
                }
            }
        }
    }
}
