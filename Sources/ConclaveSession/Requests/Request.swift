import ConclaveCore
import ConclaveWire

/// The machine's name for a request, from submission to completion. Grows.
package struct RequestID: Hashable, Comparable, Sendable {
    package let rawValue: UInt64

    @inlinable
    package init(rawValue: UInt64) { self.rawValue = rawValue }

    @inlinable
    package static func < (left: RequestID, right: RequestID) -> Bool { left.rawValue < right.rawValue }
}

/// How a request ended.
package enum RequestOutcome: Equatable, Sendable {
    /// The server did it.
    case reply(ReplyBody)
    /// The server refused it.
    case refused(ZooKeeperError.Code)
    /// No answer: something happened on this side or on the way.
    case failed(RequestFailure)
}

/// Why there is no answer.
package struct RequestFailure: Error, Equatable, Sendable {
    package let code: ZooKeeperError.Code
    /// Whether the request may have reached a server, so that its outcome is unknown.
    package let wasSent: Bool
    /// For people.
    package let reason: String

    package init(_ code: ZooKeeperError.Code, wasSent: Bool, reason: String) {
        self.code = code
        self.wasSent = wasSent
        self.reason = reason
    }
}

/// A request that waits for its answer. Answers come in the order of sending.
struct SentRequest: Sendable, SequenceNumbered {
    /// Who waits.
    enum Purpose: Equatable, Sendable {
        /// A caller.
        case caller
        /// Nobody: the caller has gone, or the machine sent it for itself.
        case nobody
        /// The machine: the session ends with the answer.
        case close
        /// A caller, and watches end with the answer.
        case removal(NodePath, WatchRemoval)
    }

    let number: UInt64
    let xid: Int32
    let operation: OperationCode
    var sentAt: Instant
    var purpose: Purpose
    /// The watch that the answer arms.
    var interest: WatchInterest?
}

/// A request that waits for a connection.
struct QueuedRequest: Sendable, SequenceNumbered {
    let number: UInt64
    let operation: OperationCode
    let queuedAt: Instant
    var purpose: SentRequest.Purpose
    var interest: WatchInterest?
    /// Length, header with an empty xid, body. `nil` once the caller has gone.
    var frame: [UInt8]?
}

/// Numbers of ordinary requests: 1 … 2^31 - 2, then 1 again.
///
/// Source: the reference's client skips 2^31 - 1 (wire-protocol section 3).
struct XidCounter: Equatable, Sendable {
    private var next: Int32

    init(next: Int32 = 1) { self.next = next }

    mutating func take() -> Int32 {
        defer { next = next >= Int32.max - 1 ? 1 : next + 1 }
        return next
    }
}
