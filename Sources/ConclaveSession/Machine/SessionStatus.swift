import ConclaveCore

/// Where a session stands.
package enum SessionStatus: Equatable, Sendable {
    /// No server has answered yet.
    case connecting
    /// The session has come to be.
    case connected
    /// The session went on, on a new connection.
    case reconnected
    /// Connected to a server without a quorum.
    case readOnly
    /// The connection is gone; the session may live.
    case suspended
    case over(SessionEnd)
}

/// Why a session is over.
package struct SessionEnd: Error, Equatable, Sendable {
    package enum Cause: Equatable, Sendable {
        case closed
        case expired
        case authenticationFailed
        /// The first session never came to be.
        case unreachable
    }

    package let cause: Cause
    /// For people.
    package let reason: String

    package init(_ cause: Cause, reason: String) {
        self.cause = cause
        self.reason = reason
    }

    /// What every later request fails with.
    package var code: ZooKeeperError.Code {
        switch cause {
        case .closed: .closed
        case .expired: .sessionExpired
        case .authenticationFailed: .authenticationFailed
        case .unreachable: .unreachable
        }
    }
}
