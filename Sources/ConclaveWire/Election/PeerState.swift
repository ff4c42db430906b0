/// What a server of an ensemble is doing, as its votes say.
package enum PeerState: Int32, Sendable {
    /// Electing.
    case looking = 0
    /// Learning from a leader, with a vote.
    case following = 1
    case leading = 2
    /// Learning from a leader, without a vote.
    case observing = 3
}
