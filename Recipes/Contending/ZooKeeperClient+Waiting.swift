import ConclaveClient
import ConclaveCore

extension ZooKeeperClient {
    /// Waits until requests can be answered; `false` when the session is over or the task was cancelled.
    ///
    /// - Parameter readsSuffice: whether a server that has lost its quorum will do.
    func isConnectedAgain(readsSuffice: Bool = false) async -> Bool {
        for await state in states {
            switch state {
            case .connected, .reconnected: return true
            case .readOnly where readsSuffice: return true
            case .expired, .closed, .authenticationFailed: return false
            case .connecting, .readOnly, .suspended: continue
            }
        }
        return false
    }

    /// Deletes a node, content if it is gone already.
    func deleteIfPresent(_ path: String) async throws(ZooKeeperError) {
        do {
            try await delete(path)
        } catch let error where error.code == .noNode {
            // Gone is what was wanted.
        }
    }

    /// Waits for a connection or the end of the session and tells which came.
    func connectionEvent<Event>(
        connected: Event, over: (ZooKeeperError.Code) -> Event
    ) async throws(ZooKeeperError) -> Event {
        for await state in states {
            switch state {
            case .connected, .reconnected: return connected
            case .expired: return over(.sessionExpired)
            case .closed: return over(.closed)
            case .authenticationFailed: return over(.authenticationFailed)
            case .connecting, .readOnly, .suspended: continue
            }
        }
        throw ZooKeeperError(Task.isCancelled ? .cancelled : .closed)
    }
}
