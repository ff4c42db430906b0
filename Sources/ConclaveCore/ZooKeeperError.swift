/// The one error type of clients and servers: a code, the path concerned, a sentence for people and what lies behind it.
///
/// ``Code/connectionLoss`` and ``Code/operationTimeout`` mean that the **outcome is unknown**: a write may or may not have
/// happened.
public struct ZooKeeperError: Error, Sendable {
    /// What went wrong, by the number that the protocol gives it. An open set: servers may send numbers not named here.
    public struct Code: RawRepresentable, Hashable, Sendable {
        /// The number on the wire.
        public let rawValue: Int32

        /// Takes the number on the wire.
        @inlinable
        public init(rawValue: Int32) { self.rawValue = rawValue }
    }

    /// What went wrong.
    public let code: Code
    /// The path concerned, as the caller wrote it, or `nil` if there is none.
    public let path: String?
    /// A sentence for people.
    public let message: String
    /// The error that caused this one, if there was one.
    public let underlying: (any Error)?

    /// Makes an error; without a message the code's own sentence is used.
    public init(_ code: Code, path: String? = nil, message: String? = nil, underlying: (any Error)? = nil) {
        self.code = code
        self.path = path
        self.message = message ?? code.explanation
        self.underlying = underlying
    }

    /// Whether the operation may have taken effect although it threw.
    public var isOutcomeUnknown: Bool {
        code == .connectionLoss || code == .operationTimeout || code == .requestTimeout || code == .cancelled
    }

    /// Whether the session is over, so that no later call on the same client can succeed.
    public var isSessionOver: Bool {
        code == .sessionExpired || code == .authenticationFailed || code == .closed
    }
}

extension ZooKeeperError: CustomStringConvertible {
    /// The sentence, the path and the code in one line.
    public var description: String {
        var text = message
        if let path { text += ": " + path }
        text += " (" + code.description + ")"
        if let underlying { text += ", caused by " + String(describing: underlying) }
        return text
    }
}

extension ZooKeeperError: Equatable {
    /// Compares code and path; messages and causes are for people.
    public static func == (left: ZooKeeperError, right: ZooKeeperError) -> Bool {
        left.code == right.code && left.path == right.path
    }
}

extension ZooKeeperError.Code {
    /// No error.
    public static let ok = Self(rawValue: 0)
    /// The server failed in a way it did not foresee.
    public static let systemError = Self(rawValue: -1)
    /// In a failed multi: the operations after the one that failed.
    public static let runtimeInconsistency = Self(rawValue: -2)
    /// The server found its data inconsistent.
    public static let dataInconsistency = Self(rawValue: -3)
    /// The connection went before the answer came: the outcome is unknown.
    public static let connectionLoss = Self(rawValue: -4)
    /// The server could not decode the request, or the client the answer.
    public static let marshallingError = Self(rawValue: -5)
    /// The server does not know the operation.
    public static let unimplemented = Self(rawValue: -6)
    /// No answer in time: the outcome is unknown.
    public static let operationTimeout = Self(rawValue: -7)
    /// The arguments make no sense: a bad path, flags or limits.
    public static let badArguments = Self(rawValue: -8)
    /// The new configuration would have no quorum.
    public static let newConfigurationNoQuorum = Self(rawValue: -13)
    /// Another reconfiguration is under way.
    public static let reconfigurationInProgress = Self(rawValue: -14)
    /// The node does not exist.
    public static let noNode = Self(rawValue: -101)
    /// The connection may not do this.
    public static let noAuth = Self(rawValue: -102)
    /// The node has another version.
    public static let badVersion = Self(rawValue: -103)
    /// Ephemeral nodes have no children.
    public static let noChildrenForEphemerals = Self(rawValue: -108)
    /// The node exists already.
    public static let nodeExists = Self(rawValue: -110)
    /// The node has children.
    public static let notEmpty = Self(rawValue: -111)
    /// The session has expired; a new client is needed.
    public static let sessionExpired = Self(rawValue: -112)
    /// The access control list is not valid.
    public static let invalidACL = Self(rawValue: -114)
    /// The server refused the credentials.
    public static let authenticationFailed = Self(rawValue: -115)
    /// The session has moved to another connection.
    public static let sessionMoved = Self(rawValue: -118)
    /// The server is read-only.
    public static let notReadOnly = Self(rawValue: -119)
    /// Local sessions own no ephemeral nodes.
    public static let ephemeralOnLocalSession = Self(rawValue: -120)
    /// There is no such watch.
    public static let noWatcher = Self(rawValue: -121)
    /// No answer in time by the client's clock: the outcome is unknown.
    public static let requestTimeout = Self(rawValue: -122)
    /// Dynamic reconfiguration is off.
    public static let reconfigurationDisabled = Self(rawValue: -123)
    /// The server wants SASL authentication first.
    public static let saslRequired = Self(rawValue: -124)
    /// A hard quota would be exceeded.
    public static let quotaExceeded = Self(rawValue: -125)
    /// The server shed the request because it had waited too long.
    public static let throttled = Self(rawValue: -127)

    // Codes that never travel: they tell what happened on this side. The protocol uses none above zero.

    /// The client has been closed.
    public static let closed = Self(rawValue: 1)
    /// The calling task was cancelled while it waited: the outcome is unknown if the request had been sent.
    public static let cancelled = Self(rawValue: 2)
    /// No server could be reached in time.
    public static let unreachable = Self(rawValue: 3)
    /// The peer sent something that the protocol does not allow.
    public static let protocolViolation = Self(rawValue: 4)
    /// A deadline passed before the recipe got what it waited for.
    public static let deadlineExceeded = Self(rawValue: 5)
    /// A hold (lock, leadership, lease) ended although its owner had not given it up.
    public static let holdLost = Self(rawValue: 6)
    /// A file or a disk did not do what was asked of it.
    public static let storageFailure = Self(rawValue: 7)
    /// The configuration is not usable.
    public static let badConfiguration = Self(rawValue: 8)
    /// The task waits for something that it, or a task around it, holds already: it would wait for ever.
    public static let selfDeadlock = Self(rawValue: 9)
    /// The parent's 32-bit counter of sequence numbers is about to overflow; a fresh path is needed.
    public static let sequenceExhausted = Self(rawValue: 10)
    /// A member of a barrier has gone before all were there, and the barrier was to be broken by that.
    public static let barrierBroken = Self(rawValue: 11)
}

extension ZooKeeperError.Code: CustomStringConvertible {
    /// The field's name of the code, with its number where it has no name.
    public var description: String { Self.names[self]?.name ?? "error \(rawValue)" }

    /// A sentence for people.
    public var explanation: String { Self.names[self]?.sentence ?? "the server answered with error \(rawValue)" }

    private static let names: [Self: (name: String, sentence: String)] = [
        .ok: ("Ok", "no error"),
        .systemError: ("SystemError", "the server failed"),
        .runtimeInconsistency: ("RuntimeInconsistency", "an earlier operation of the same transaction failed"),
        .dataInconsistency: ("DataInconsistency", "the server found its data inconsistent"),
        .connectionLoss: ("ConnectionLoss", "the connection was lost; the outcome is unknown"),
        .marshallingError: ("MarshallingError", "a message could not be encoded or decoded"),
        .unimplemented: ("Unimplemented", "the server does not know this operation"),
        .operationTimeout: ("OperationTimeout", "no answer in time; the outcome is unknown"),
        .badArguments: ("BadArguments", "the arguments are not valid"),
        .newConfigurationNoQuorum: ("NewConfigNoQuorum", "the new configuration would have no quorum"),
        .reconfigurationInProgress: ("ReconfigInProgress", "another reconfiguration is under way"),
        .noNode: ("NoNode", "the node does not exist"),
        .noAuth: ("NoAuth", "permission denied"),
        .badVersion: ("BadVersion", "the node has another version"),
        .noChildrenForEphemerals: ("NoChildrenForEphemerals", "ephemeral nodes have no children"),
        .nodeExists: ("NodeExists", "the node exists already"),
        .notEmpty: ("NotEmpty", "the node has children"),
        .sessionExpired: ("SessionExpired", "the session has expired"),
        .invalidACL: ("InvalidACL", "the access control list is not valid"),
        .authenticationFailed: ("AuthFailed", "the server refused the credentials"),
        .sessionMoved: ("SessionMoved", "the session has moved to another connection"),
        .notReadOnly: ("NotReadOnly", "the server is read-only"),
        .ephemeralOnLocalSession: ("EphemeralOnLocalSession", "local sessions own no ephemeral nodes"),
        .noWatcher: ("NoWatcher", "there is no such watch"),
        .requestTimeout: ("RequestTimeout", "no answer in time; the outcome is unknown"),
        .reconfigurationDisabled: ("ReconfigDisabled", "dynamic reconfiguration is off"),
        .saslRequired: ("SessionClosedRequireSaslAuth", "the server wants SASL authentication"),
        .quotaExceeded: ("QuotaExceeded", "the quota would be exceeded"),
        .throttled: ("ThrottledOp", "the server shed the request"),
        .closed: ("Closed", "the client is closed"),
        .cancelled: ("Cancelled", "the calling task was cancelled; if the request was sent its outcome is unknown"),
        .unreachable: ("Unreachable", "no server could be reached in time"),
        .protocolViolation: ("ProtocolViolation", "the peer broke the protocol"),
        .deadlineExceeded: ("DeadlineExceeded", "the deadline passed"),
        .holdLost: ("HoldLost", "the hold was lost"),
        .storageFailure: ("StorageFailure", "storage failed"),
        .badConfiguration: ("BadConfiguration", "the configuration is not usable"),
        .selfDeadlock: ("SelfDeadlock", "the task waits for something that it holds itself"),
        .sequenceExhausted: ("SequenceExhausted", "the sequence numbers of the parent node are used up"),
        .barrierBroken: ("BarrierBroken", "a member of the barrier has gone before all were there"),
    ]
}
