import ConclaveConsensus
import ConclaveCore

/// Serving reads while there is no leader.
///
/// A server that has looked for a leader for two seconds, or a tick if that is longer, lets clients read that have asked for it,
/// until it finds one. It shows what it has applied, which is what it knew to be committed when it last followed a leader, or, after a
/// restart, what its log held; others may have gone on since. What clients have seen here they take along as their last zxid, so no
/// server that is behind takes them.
///
/// Source: wire-protocol, section 12.
extension NodeMachine {
    static let leastReadOnlyWaitMilliseconds: Int64 = 2000

    mutating func waitForReadOnly(now: Instant) {
        guard server.options.readOnlyMode else { return }
        let wait = max(Self.leastReadOnlyWaitMilliseconds, options.tickMilliseconds)
        readOnlyAt = now.advanced(byMilliseconds: wait)
    }

    mutating func serveReadOnly(now: Instant, wall: WallTime) {
        readOnlyAt = nil
        // Whoever has decided serves everything soon.
        guard phase == .looking, decision == nil else { return }
        server.startServing(as: .readOnly, now: now, wall: wall)
        server.showConfiguration(configuration)
        note(.warning, "serves read-only: there is no leader")
        actions.append(.roleChanged(.readOnly))
    }

    /// An election has ended: clients must find out where they are served from now on.
    mutating func endReadOnly(now: Instant, wall: WallTime) {
        readOnlyAt = nil
        guard server.role == .readOnly else { return }
        server.stopServing(now: now, wall: wall)
        actions.append(.roleChanged(.none))
    }
}
