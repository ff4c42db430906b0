import ConclaveCore
import ConclaveSystem

extension ZooKeeperClient {
    /// Until when this client may believe that its session, and what the session owns, exists.
    ///
    /// `send time of the last answered ping, write or sync + session timeout − margin`, on a clock that
    /// counts suspend. Answered pings move it forward. In the past when it has lapsed and when the session is over.
    public var validUntil: ContinuousClock.Instant {
        // In this order: a pause between the two readings makes the answer earlier, not later.
        let here = ContinuousClock.now
        let (difference, overflow) = shell.validUntil.nanoseconds.subtractingReportingOverflow(
            SystemClock.now().nanoseconds)
        return here.advanced(by: .nanoseconds(overflow ? Int64.min / 2 : difference))
    }

    /// The newest state that an answer has shown to this session.
    package var lastZxidSeen: Zxid { shell.lastZxidSeen }

    /// Whether the session may be believed in now.
    public var isHolding: Bool { SystemClock.now() < shell.validUntil }

    /// Returns when the hold window has closed or the session is over; at once if that is so already.
    ///
    /// Any number of tasks may wait. The window may open again after ``HoldEnd/lapsed``, when a server answers.
    public func holdEnd() async throws(CancellationError) -> HoldEnd { try await shell.holdEnd() }
}
