import ConclaveCore
import ConclaveSession
import ConclaveWire
import Synchronization

extension SessionShell {
    /// The body of a request's answer, or the error that tells what was attempted and what became of it.
    func reply(to request: ClientRequest, _ attempted: String, _ path: String?) async throws(ZooKeeperError)
        -> ReplyBody
    {
        try body(await outcome(of: request, attempted, path), attempted, path)
    }

    @inline(__always)
    func body(_ outcome: RequestOutcome, _ attempted: String, _ path: String?) throws(ZooKeeperError) -> ReplyBody {
        if case .reply(let body) = outcome { return body }
        throw error(outcome, attempted, path)
    }

    /// The stat of an exists; `nil` for a missing node.
    func existence(_ outcome: RequestOutcome, _ path: String) throws(ZooKeeperError) -> Stat? {
        switch outcome {
        case .reply(.stat(let stat)): return stat
        case .refused(.noNode): return nil
        case .reply(let body): throw unexpected(body, "exists", path)
        case .refused, .failed: throw error(outcome, "exists", path)
        }
    }

    private func error(_ outcome: RequestOutcome, _ attempted: String, _ path: String?) -> ZooKeeperError {
        switch outcome {
        case .reply:
            return ZooKeeperError(
                .protocolViolation, path: path, message: "\(attempted): an answer of another kind came")
        case .refused(let code):
            return ZooKeeperError(code, path: path, message: "\(attempted): \(code.explanation)")
        case .failed(let failure):
            let doubt = failure.wasSent ? "; the outcome is unknown" : "; it was not sent"
            return ZooKeeperError(failure.code, path: path, message: "\(attempted): \(failure.reason)\(doubt)")
        }
    }

    func unexpected(_ body: ReplyBody, _ attempted: String, _ path: String?) -> ZooKeeperError {
        ZooKeeperError(.protocolViolation, path: path, message: "\(attempted): an answer of another kind came")
    }

    /// Why the session is over.
    func overError(attempted: String, path: String?) -> ZooKeeperError {
        guard let end = state.withLock({ $0.machine.end }) else {
            return ZooKeeperError(.closed, path: path, message: attempted + ": the session is over")
        }
        return ZooKeeperError(end.code, path: path, message: attempted + ": " + end.reason)
    }

    /// The server's path for a user's.
    ///
    /// - Parameter sequential: the server appends a number, so that the path may end with a slash.
    func fullPath(
        _ path: String, for attempted: String, sequential: Bool = false
    ) throws(ZooKeeperError) -> NodePath {
        let node = NodePath(path)
        let checked = sequential ? NodePath(utf8: node.utf8 + [UInt8(ascii: "1")]) : node
        if let violation = checked.violation {
            throw ZooKeeperError(.badArguments, path: path, message: "\(attempted): \(violation)")
        }
        return sequential ? chroot.fullSequential(node) : chroot.full(node)
    }
}
