public import ConclaveCore
import ConclaveSession

/// Where a session stands.
///
/// ```
/// connecting ─► connected ─► suspended ─► reconnected ─► suspended …
///           └─► readOnly ─┘      └─► expired        (closed, authentication failed: from anywhere)
/// ```
public enum SessionState: Hashable, Sendable {
    /// No server has answered yet.
    case connecting
    /// The session has come to be.
    case connected
    /// The session went on with another connection: nothing of it is lost. Persistent watches may have missed changes.
    case reconnected
    /// Connected to a server that has lost its quorum: reads only, and they may be old.
    case readOnly
    /// The connection is gone and another one is looked for; the session may or may not live.
    case suspended
    /// The session is over: a server said so, or none was reached for so long that it must be.
    case expired
    /// The client was closed.
    case closed
    /// The server refused the credentials.
    case authenticationFailed

    /// Whether no other state can follow.
    public var isOver: Bool {
        switch self {
        case .expired, .closed, .authenticationFailed: true
        case .connecting, .connected, .reconnected, .readOnly, .suspended: false
        }
    }

    init(_ status: SessionStatus) {
        switch status {
        case .connecting: self = .connecting
        case .connected: self = .connected
        case .reconnected: self = .reconnected
        case .readOnly: self = .readOnly
        case .suspended: self = .suspended
        case .over(let end):
            switch end.cause {
            case .closed, .unreachable: self = .closed
            case .expired: self = .expired
            case .authenticationFailed: self = .authenticationFailed
            }
        }
    }
}

/// How a hold window ended; see ``ZooKeeperClient/holdEnd()``.
public enum HoldEnd: Sendable, Equatable {
    /// No answer came for so long that the session may have ended. It may also come back.
    case lapsed
    /// The session is over.
    case sessionOver(ZooKeeperError)
}

/// The states of a session from now on, the present one first; ends after the last possible one.
///
/// Any number of tasks may look, each sees every change. A reader more than 64 changes behind loses the oldest of them.
public struct SessionStates: AsyncSequence, Sendable {
    /// What the sequence delivers.
    public typealias Element = SessionState
    /// What ends it early.
    public typealias Failure = Never

    let shell: SessionShell

    /// Starts looking.
    public func makeAsyncIterator() -> Iterator { Iterator(base: shell.observeStates().makeAsyncIterator()) }

    /// One reader.
    public struct Iterator: AsyncIteratorProtocol {
        var base: AsyncStream<SessionState>.Iterator

        /// The next state; `nil` after the last one and when the task is cancelled.
        public mutating func next() async -> SessionState? { await base.next(isolation: #isolation) }

        /// The next state; `nil` after the last one and when the task is cancelled.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(Never) -> SessionState? {
            await base.next(isolation: actor)
        }
    }
}
