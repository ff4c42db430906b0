import ConclaveClient
import ConclaveCore

extension Contenders {
    /// Competes until it holds; `nil` only if `patience` is `.once` and somebody was in the way.
    ///
    /// Requests: create and list without competition; two watches more and one listing per wake-up with it.
    func acquire(
        _ kind: ContenderKind, patience: AttemptPatience, deadline: Deadline
    ) async throws(ZooKeeperError) -> Hold? {
        try await deadline.limit { (expiry: Expiry) async throws(ZooKeeperError) -> Hold? in
            var generator = SystemRandomNumberGenerator()
            let machine = ContenderMachine(
                attempt: AttemptID(using: &generator), session: client.sessionID, isShared: kind.isShared,
                patience: patience, ownHolds: TaskHolds.names(under: path))
            var shell = ContenderShell(contenders: self, kind: kind, machine: machine, expiry: expiry)
            return try await shell.run()
        }
    }
}

extension Contenders {
    /// The error of an attempt that ended without a hold.
    func error(for ending: AttemptEnding, last: ZooKeeperError?) -> ZooKeeperError {
        switch ending {
        case .failed(let code):
            return if let last, last.code == code { last } else { ZooKeeperError(code, path: path) }
        case .cancelled:
            return ZooKeeperError(.cancelled, path: path, message: "the task was cancelled while it competed")
        case .deadlinePassed:
            return ZooKeeperError(.deadlineExceeded, path: path, message: "the deadline passed in the queue")
        case .selfDeadlock:
            return ZooKeeperError(.selfDeadlock, path: path)
        case .sequenceExhausted:
            let limit = ContenderName.lastSequence
            return ZooKeeperError(
                .sequenceExhausted, path: path,
                message: "the parent has given out sequence numbers up to \(limit); use a fresh path")
        case .busy, .released, .lost:
            preconditionFailure("an attempt does not end as \(ending)")
        }
    }

    /// Deletes every child that bears the id of an attempt.
    func sweep(_ attempt: AttemptID) async throws(ZooKeeperError) {
        try await client.sweep(below: path, mark: attempt.text)
    }
}
