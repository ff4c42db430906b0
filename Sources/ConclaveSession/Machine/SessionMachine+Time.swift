import ConclaveCore
import ConclaveWire

extension SessionMachine {
    /// After so long without a byte the connection is given up: two thirds of the timeout, so that a third is left to
    /// find another server.
    var readTimeoutMilliseconds: Int64 { Int64(timeoutMilliseconds) * 2 / 3 }

    /// After so long without sending what proves the session a ping goes out: a third of the timeout, a second earlier where that is more than
    /// a second, at the latest after ten seconds.
    var pingMilliseconds: Int64 {
        let third = Int64(timeoutMilliseconds) / 3
        return min(third <= 1_000 ? max(third, 1) : max(third - 1_000, 1_000), 10_000)
    }

    /// After so long without contact a session is taken for expired although no server said so: the server's own limit
    /// and a third for the search.
    var expiryMilliseconds: Int64 { Int64(timeoutMilliseconds) * 4 / 3 }

    /// More pings than this are never open at once.
    private static var pingLimit: Int { 8 }

    /// When the machine wants to be told the time again; nothing to wait for is the distant future.
    package var nextDeadline: Instant {
        var next = phaseDeadline
        if case .over = phase { return next }
        if let deadline = searchDeadline { next = min(next, deadline) }
        if let deadline = queueDeadline { next = min(next, deadline) }
        if hold.validUntil > lapseReported { next = min(next, hold.validUntil) }
        return next
    }

    private var phaseDeadline: Instant {
        switch phase {
        case .idle, .over: return .distantFuture
        case .waiting(let until): return until
        case .resolving(let deadline), .connecting(let deadline), .handshaking(_, let deadline), .closing(let deadline):
            return deadline
        case .established:
            var next = min(readDeadline, pingDeadline)
            if let deadline = requestDeadline { next = min(next, deadline) }
            if let deadline = probe.dueAt { next = min(next, deadline) }
            return next
        }
    }

    private var readDeadline: Instant { lastReceivedAt.advanced(byMilliseconds: readTimeoutMilliseconds) }

    private var pingDeadline: Instant {
        pings.count < Self.pingLimit ? lastProofSentAt.advanced(byMilliseconds: pingMilliseconds) : .distantFuture
    }

    private var requestDeadline: Instant? {
        guard let limit = options.requestTimeoutMilliseconds, let request = sent.first else { return nil }
        return request.sentAt.advanced(byMilliseconds: limit)
    }

    private var queueDeadline: Instant? {
        guard let limit = options.requestTimeoutMilliseconds, let request = queue.first else { return nil }
        return request.queuedAt.advanced(byMilliseconds: limit)
    }

    /// Until when a server must be found: for the first session what the options say, for one that has been there until
    /// it counts as expired. A loss that came late leaves at least the time from there on that a loss by silence would.
    private var searchDeadline: Instant? {
        switch phase {
        case .idle, .established, .closing, .over: return nil
        case .waiting, .resolving, .connecting, .handshaking: break
        }
        guard wasEstablished else { return startedAt.advanced(byMilliseconds: options.connectTimeoutMilliseconds) }
        // A session without a quorum behind it cannot expire.
        guard hasSeenQuorum else { return nil }
        let silence = lastHeardAt.advanced(byMilliseconds: expiryMilliseconds)
        return max(silence, lostAt.advanced(byMilliseconds: readTimeoutMilliseconds))
    }

    /// The moment has come, or an earlier one: does what is due.
    package mutating func tick(now: Instant) {
        switch phase {
        case .idle, .over: return
        case .waiting(let until): if now >= until { beginAttempt(now: now) }
        case .resolving(let deadline):
            if now >= deadline {
                lossReason = "the name \(hosts.current.host) was not resolved in time"
                attemptFailed(now: now)
            }
        case .connecting(let deadline), .handshaking(_, let deadline):
            if now >= deadline { breakHandshake("\(hosts.current) did not answer in time", now: now) }
        case .closing(let deadline):
            if now >= deadline {
                end(SessionEnd(.closed, reason: "the client is closed"), disconnecting: true)
                return
            }
        case .established: tickEstablished(now: now)
        }
        tickSearch(now: now)
        tickQueue(now: now)
        if hold.validUntil > lapseReported, now >= hold.validUntil {
            lapseReported = hold.validUntil
            actions.append(.holdLapsed)
        }
    }

    private mutating func tickEstablished(now: Instant) {
        if now >= readDeadline {
            return breakConnection("nothing was heard for \(readTimeoutMilliseconds) ms", now: now)
        }
        if let deadline = requestDeadline, now >= deadline {
            return breakConnection("a request was not answered in time", now: now)
        }
        if now >= pingDeadline {
            output.writeRequestFrame(xid: ReservedXid.ping, .ping)
            pings.append(now)
            lastProofSentAt = now
        }
        if let due = probe.dueAt, now >= due, let host = probe.take(from: hosts) { actions.append(.probe(host)) }
    }

    private mutating func tickSearch(now: Instant) {
        guard let deadline = searchDeadline, now >= deadline else { return }
        if wasEstablished {
            let silence = now.milliseconds(since: lastHeardAt)
            let reason =
                "no server was reached for \(silence) ms, so that the session must have expired (\(lossReason))"
            end(SessionEnd(.expired, reason: reason), disconnecting: true)
        } else {
            let limit = options.connectTimeoutMilliseconds
            let detail = lossReason.isEmpty ? "" : ": " + lossReason
            let reason = "no server gave a session within \(limit) ms\(detail)"
            end(SessionEnd(.unreachable, reason: reason), disconnecting: true)
        }
    }

    private mutating func tickQueue(now: Instant) {
        while let deadline = queueDeadline, now >= deadline, let request = queue.popFirst() {
            guard let frame = request.frame else { continue }
            queuedBytes -= frame.count
            let failure = RequestFailure(.requestTimeout, wasSent: false, reason: "no connection came in time")
            actions.append(.complete(RequestID(rawValue: request.number), .failed(failure)))
        }
    }
}
