import ConclaveClient
import ConclaveCore

/// Makes the nodes above contenders.
enum Parents {
    /// Rounds before giving up: servers remove empty containers, so a parent just made may be gone again.
    private static let roundLimit = 1_000

    /// Makes the node at `path` and what is missing above it; content if all of it exists.
    ///
    /// - Parameter mode: `.container` for parents of nodes that come and go: the server removes them when they have
    ///   been empty for a while. Servers that do not know containers get persistent nodes.
    /// - Cost: one request if only the node itself is missing, two more for each level above it.
    static func make(
        _ path: String, with client: ZooKeeperClient, mode: CreateMode, acl: [ACL]
    ) async throws(ZooKeeperError) {
        var missing = [path]
        var mode = mode
        for _ in 0..<roundLimit {
            guard let next = missing.last else { return }
            do {
                try await client.create(next, [], mode: mode, acl: acl)
                missing.removeLast()
            } catch {
                switch error.code {
                case .nodeExists:
                    missing.removeLast()
                case .noNode:
                    guard let parent = NodePath(next).parent, parent != .root else { throw error }
                    missing.append(parent.text)
                case .unimplemented where mode == .container:
                    mode = .persistent
                default:
                    throw error
                }
            }
        }
        throw ZooKeeperError(.noNode, path: path, message: "the parent nodes go as fast as they are made")
    }
}
