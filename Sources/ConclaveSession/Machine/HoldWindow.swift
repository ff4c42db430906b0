import ConclaveCore

/// Until when this client may believe that its session lives.
///
/// ```
/// validUntil = send time of the last answered ping or write + negotiated timeout − margin
/// ```
///
/// Reads do not count: a follower answers them by itself, also when it is cut off from its leader, who alone ends
/// sessions. Neither does sync: a leader answers it without asking whether it still leads.
///
/// The server cannot have started its own count before that request was sent, so it does not expire the session earlier
/// as long as the two clocks differ in rate by less than the margin.
///
/// The rule is exact for a standalone server, and for Conclave servers, which answer a ping only when their leader has
/// heard of the session since and a quorum has followed that leader since. An Apache follower answers pings by itself and tells its leader with its own next ping: the leader's
/// count may have started up to a third of the timeout plus half a tick earlier, and a follower cut off from its leader
/// goes on answering for `tickTime × syncLimit`, as does a leader cut off from its followers. Against Apache ensembles choose the margin accordingly.
package struct HoldWindow: Equatable, Sendable {
    /// `nil`: ``defaultMargin(timeoutMilliseconds:)``.
    private let chosenMargin: Int64?
    /// The latest send time of an answered request.
    private var provenAt: Instant?
    private var timeoutMilliseconds: Int64 = 0
    /// The session is over, or has been told to end: no answer proves it any more.
    private var hasEnded = false

    package init(marginMilliseconds: Int64?) { chosenMargin = marginMilliseconds }

    /// A twentieth of the timeout, at least 10 ms: clocks of machines differ by far less, the rest is for scheduling.
    package static func defaultMargin(timeoutMilliseconds: Int64) -> Int64 { max(timeoutMilliseconds / 20, 10) }

    package mutating func negotiated(timeoutMilliseconds: Int32) {
        self.timeoutMilliseconds = Int64(timeoutMilliseconds)
    }

    /// A request sent at that moment has been answered.
    package mutating func answered(sentAt: Instant) {
        if !hasEnded { provenAt = max(provenAt ?? sentAt, sentAt) }
    }

    /// Nothing is held any more, whatever answers still come.
    package mutating func end() {
        provenAt = nil
        hasEnded = true
    }

    /// The first moment at which nothing may be believed; `.start` if there never was anything to believe.
    package var validUntil: Instant {
        guard let provenAt else { return .start }
        let margin = chosenMargin ?? Self.defaultMargin(timeoutMilliseconds: timeoutMilliseconds)
        return provenAt.advanced(byMilliseconds: timeoutMilliseconds - margin)
    }
}

extension OperationCode {
    /// Whether an answer means that the leader, still leading, has heard of the session since.
    var reachesLeader: Bool {
        switch self {
        case .create, .create2, .createContainer, .createTTL, .delete, .setData, .setACL, .multi, .reconfig, .ping,
            .closeSession:
            true
        default: false
        }
    }
}
