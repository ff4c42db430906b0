import ConclaveCore

/// How long an attempt to hold something waits.
package enum AttemptPatience: Hashable, Sendable {
    /// Until it holds, is cancelled or meets its deadline.
    case wait
    /// Not at all: gives up if anything stands in the way, or if any request fails.
    case once
}

/// How an attempt, or the hold that it led to, ended.
package enum AttemptEnding: Hashable, Sendable {
    /// A try found somebody in the way.
    case busy
    case failed(ZooKeeperError.Code)
    case cancelled
    case deadlinePassed
    /// The same task tree holds what it would wait for.
    case selfDeadlock
    /// The parent's 32-bit counter is about to overflow.
    case sequenceExhausted
    case released
    case lost(HoldLoss)
}

extension AttemptEnding {
    /// Why an attempt has come to no hold, for whoever made it.
    package var failure: StepFailure {
        switch self {
        case .failed(let code): return StepFailure(code)
        case .cancelled: return StepFailure(.cancelled, message: "the task was cancelled while it competed")
        case .deadlinePassed: return StepFailure(.deadlineExceeded, message: "the deadline passed in the queue")
        case .selfDeadlock: return StepFailure(.selfDeadlock)
        case .sequenceExhausted:
            let limit = ContenderName.lastSequence
            let message = "the parent has given out sequence numbers up to \(limit); use a fresh path"
            return StepFailure(.sequenceExhausted, message: message)
        case .busy, .released, .lost: preconditionFailure("an attempt does not fail as \(self)")
        }
    }
}

/// Why a hold ended although its owner had not given it up.
public enum HoldLoss: Hashable, Sendable, CustomStringConvertible {
    /// No server confirmed the session in time, so that another client may hold from now on; the session may still
    /// live.
    case windowLapsed
    /// The session has expired, was closed or was refused.
    case sessionOver
    /// Somebody removed the node that stood for the hold while the session lived.
    case nodeRemoved

    /// A sentence for people.
    public var description: String {
        switch self {
        case .windowLapsed: "no server confirmed the session within the hold window"
        case .sessionOver: "the session is over"
        case .nodeRemoved: "the node that stood for the hold was removed"
        }
    }
}

extension ZooKeeperError.Code {
    /// The session is over: its nodes go by themselves and no later call can succeed.
    package var endsSession: Bool { self == .sessionExpired || self == .closed || self == .authenticationFailed }

    /// The outcome is unknown, or the connection was the reason: it can be found out once there is a connection again.
    package var isWorthReconnecting: Bool {
        self == .connectionLoss || self == .operationTimeout || self == .requestTimeout || self == .sessionMoved
            || self == .notReadOnly
    }
}
