import ConclaveCore
import ConclaveWire

/// What part a server plays for its clients at the moment.
package enum ServingRole: Equatable, Sendable {
    /// An ensemble of one: its own receipt commits.
    case standalone
    /// Prepares everybody's writes; a quorum commits.
    case leader
    /// Sends writes to the leader and answers them when they come back committed.
    case follower
    /// As a follower, without a vote.
    case observer
    /// Looking for a leader for long: clients that have asked for it read what was known last.
    case readOnly
    /// Looking for a leader, or catching up with one: clients are turned away.
    case none

    /// Whether a quorum stands behind what clients are told.
    package var hasQuorum: Bool {
        switch self {
        case .standalone, .leader, .follower, .observer: true
        case .readOnly, .none: false
        }
    }

    /// Whether this server turns requests into transactions and ends sessions.
    var isPreparing: Bool { self == .standalone || self == .leader }

    /// Whether writes go to a leader elsewhere.
    var isLearning: Bool { self == .follower || self == .observer }

    /// Whether what is said about a session has to wait: for the leader, or, at the leader, for the word of a quorum that it
    /// still is one.
    var asksAboutSessions: Bool { isLearning || self == .leader }
}

/// Who a session is connected through, as its leader sees it.
package enum SessionPlace: Equatable, Sendable {
    /// A connection of the leader's own.
    case here
    /// A learner, by the number of its connection.
    case learner(UInt64)
}

/// What a learner asks of its leader; a leader's own clients have it ask itself about their sessions.
package enum LeaderCall: Equatable, Sendable {
    case request(ForwardedRequest, [Identity])
    /// Does the session live, and may it be served here from now on?
    case revalidate(SessionID, timeoutMilliseconds: Int32, isPing: Bool = false)
}

/// A request of a client of this learner that the leader has, or is about to get.
struct AwaitedRequest: Sendable {
    let connection: ConnectionID
    let xid: Int32
    let operation: OperationCode
    /// The operations of a multi's parts, which its transaction does not tell.
    let parts: [OperationCode]
    /// The path of a sync, which its answer repeats.
    let path: NodePath?
    let received: Instant
}

/// Why the leader was asked whether a session lives.
enum SessionQuestion: Sendable {
    /// A client has brought it here.
    case join(ConnectionID)
    /// A client of ours has sent a ping, whose answer is to mean that the leader has heard of it.
    case ping(AwaitedRequest)
}

/// What a learner keeps besides: who waits for what.
struct LearnerState: Sendable {
    /// Writes by session, in the order in which they were sent.
    var awaited: [SessionID: RingBuffer<AwaitedRequest>] = [:]
    var awaitedCount = 0
    /// Syncs of all sessions, in the order in which they were sent.
    var syncs = RingBuffer<AwaitedRequest>()
    /// Connections whose session is being created.
    var joining: [SessionID: ConnectionID] = [:]
    /// What was asked about sessions, in the order in which it was asked.
    var questions: [SessionID: RingBuffer<SessionQuestion>] = [:]
    /// Sessions heard of since the leader was last told, with their timeouts.
    var touched: [SessionID: Int32] = [:]
    var calls: [LeaderCall] = []
}
