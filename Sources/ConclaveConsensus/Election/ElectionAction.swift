import ConclaveCore
import ConclaveWire

/// What an election asks of its surroundings.
package enum ElectionAction: Equatable, Sendable {
    /// Give the message to the links; if none leads there, the newest one waits for it.
    case send(ElectionNotification, to: ServerID)
    /// Try at once to reach every server that is not connected.
    case connectAll
    /// The election is over: take this role. Servers that ask from now on are told so.
    case decided(leader: ServerID, state: PeerState)
    /// A server has a newer configuration than this one: store and use it. The machine uses it already and began anew.
    case adopt(EnsembleConfiguration)
    /// While this server leads, a voter is looking for a leader: for
    /// ``EnsembleOptions/maximumWaitForEpochMilliseconds``.
    case lookingSeen(ServerID)
    /// The leader that this server settled on is looking for another, or in another round: unless there is a connection
    /// to it that works, look again.
    ///
    /// `isLate`: it looks for whomever, long after the votes that this server settled on must have reached it. It does not
    /// hear them, or they are not enough for it.
    case leaderLooking(isLate: Bool)
    case note(LogEvent)
}
