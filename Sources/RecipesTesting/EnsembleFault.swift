/// Something that happens to an ensemble in production, for tests that must hold whatever happens.
///
/// An ensemble survives each of them; a client sees a pause, and calls whose outcome is unknown. ``TestEnsemble/recover()`` ends
/// them all.
public enum EnsembleFault: String, CaseIterable, Hashable, Sendable {
    /// The leader's process dies.
    case leaderKilled
    /// The leader's process stands still, as in a long pause for memory or a debugger; others replace it after two seconds.
    case leaderPaused
    /// The leader loses touch with the other servers, not with its clients.
    case leaderCutOff
    /// A server that does not lead dies. Needs more than one server.
    case followerKilled
    /// Every client loses its connection. Sessions live on.
    case connectionsCut
    /// All servers die at once and come back, as after a power failure.
    case everybodyKilled
}
