import ConclaveClient
import ConclaveCore

/// Being asked to give something up, in the way of Curator's `Revoker`: the request is written over the data of the
/// holder's node.
enum Revocation {
    static let message = Array("__REVOKE__".utf8)

    /// Writes the request; `false` if the node has gone.
    static func request(_ path: String, with client: ZooKeeperClient) async throws(ZooKeeperError) -> Bool {
        do {
            try await client.setData(at: path, to: message)
            return true
        } catch let error where error.code == .noNode {
            return false
        }
    }
}

extension Hold {
    /// Waits until somebody asks for it; `false` if it ends first.
    func waitForRevocation() async throws(CancellationError) -> Bool {
        let result = await withTaskGroup(of: Bool?.self, returning: Bool?.self) { group in
            group.addTask { [self] in (try? await ending.wait()).map { _ in false } }
            for node in nodes {
                group.addTask { [self] in await isAsked(at: node.path) ? true : nil }
            }
            while let answer = await group.next() {
                guard let answer else { continue }
                group.cancelAll()
                return answer
            }
            return nil
        }
        guard let result else { throw CancellationError() }
        return result
    }

    /// `false` when it cannot be found out any more: cancelled, or the node or the session has gone.
    private func isAsked(at path: String) async -> Bool {
        while isLive, !Task.isCancelled {
            do throws(ZooKeeperError) {
                let (node, change) = try await client.watchData(at: path)
                if node.bytes == Revocation.message { return true }
                _ = try await change.fired()
            } catch {
                guard error.code.isWorthReconnecting, await client.isConnectedAgain() else { return false }
            }
        }
        return false
    }
}
