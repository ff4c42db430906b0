/// How a member does, as a ``HeartbeatMonitor`` sees it.
public struct MemberHealth: Hashable, Sendable {
    /// Why a member counts as dead.
    public enum Cause: Hashable, Sendable {
        /// Its node has gone: it left, or its session is over.
        case gone
        /// Its node is there, but it has not beaten for too long: the session lives, the work does not.
        case silent
    }

    /// What is thought of it.
    public enum Condition: Hashable, Sendable {
        /// It is there, and has beaten in time where beats are expected.
        case alive
        /// It is there but has not beaten for a while.
        case suspect
        /// It stopped. A member that beats or joins again is alive again.
        case dead(Cause)
    }

    /// The name of its node.
    public let name: String
    /// What is thought of it.
    public let condition: Condition
    /// When it was last heard: the time of its last write, milliseconds since 1970 by the leader's clock.
    public let lastBeatMilliseconds: Int64
    /// For how long it has not been heard, by the monitor's clock; from the monitor's first look on at most.
    public let silence: Duration
    /// The member as it was last seen.
    public let member: GroupMember
}

/// What a ``HeartbeatMonitor`` has found out.
public struct HeartbeatReport: Hashable, Sendable {
    /// Everybody who is there, and who has gone since the monitor began (the last thousand of them); sorted by name.
    public let members: [MemberHealth]
    /// Those whose condition is another one than in the report before; in the first report everybody.
    public let changed: [MemberHealth]

    /// Those who are there and in time.
    public var alive: [MemberHealth] { members.filter { $0.condition == .alive } }
}
