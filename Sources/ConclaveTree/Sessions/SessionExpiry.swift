import ConclaveCore

/// When sessions end that are not heard of: buckets one tick wide.
///
/// A session touched at `t` expires at the end of the tick in which `t + timeout` falls, so it lives between its
/// timeout and its timeout plus one tick. A touch only notes the new end; the bucket in which the session was filed
/// finds out when its time comes and files it again, so that a session costs work once per timeout and not once per
/// request.
/// Source: wire-protocol, section 2.3.
package struct SessionExpiry: Sendable {
    private struct Entry: Sendable {
        var timeoutMilliseconds: Int64
        /// The number of the tick at whose beginning the session ends.
        var end: Int64
        /// The bucket that the session is filed in; at most ``end``.
        var filed: Int64
    }

    private struct Bucket: Sendable {
        let tick: Int64
        /// In the order of filing; sessions that have gone or been filed elsewhere since are still there.
        var sessions: [SessionID] = []
    }

    private let tickMilliseconds: Int64
    private var entries: [SessionID: Entry] = [:]
    /// Sorted by tick.
    private var buckets: [Bucket] = []

    /// - Parameter tickMilliseconds: at least 1.
    package init(tickMilliseconds: Int64) { self.tickMilliseconds = max(1, tickMilliseconds) }

    package var count: Int { entries.count }

    /// Those that are watched over, sorted.
    package var sessions: [SessionID] { entries.keys.sorted() }

    package func contains(_ session: SessionID) -> Bool { entries[session] != nil }

    /// What the session was added with; `nil` for an unknown one.
    package func timeoutMilliseconds(of session: SessionID) -> Int64? { entries[session]?.timeoutMilliseconds }

    /// When the session ends unless it is touched; `nil` for an unknown one.
    package func end(of session: SessionID) -> Instant? { entries[session].map { moment($0.end) } }

    /// Watches over a session from now on, with its full timeout; one that is known gets the new timeout.
    package mutating func add(_ session: SessionID, timeoutMilliseconds: Int64, now: Instant) {
        let timeout = max(0, timeoutMilliseconds)
        let end = end(now, timeout)
        entries[session] = Entry(timeoutMilliseconds: timeout, end: end, filed: end)
        file(session, in: end)
    }

    /// The session has been heard of.
    /// - Returns: `false` for an unknown one. Costs O(1).
    @discardableResult
    package mutating func touch(_ session: SessionID, now: Instant) -> Bool {
        guard let entry = entries[session] else { return false }
        let end = end(now, entry.timeoutMilliseconds)
        if end > entry.end { entries[session]?.end = end }
        return true
    }

    package mutating func remove(_ session: SessionID) { entries[session] = nil }

    /// Gives every session a full timeout, as a new leader does.
    package mutating func restart(now: Instant) {
        let known = entries.sorted { $0.key < $1.key }
        entries = [:]
        buckets = []
        for (session, entry) in known { add(session, timeoutMilliseconds: entry.timeoutMilliseconds, now: now) }
    }

    /// Takes out the sessions whose time is over.
    /// - Returns: them, sorted.
    package mutating func expire(now: Instant) -> [SessionID] {
        var expired: [SessionID] = []
        while let first = buckets.first, moment(first.tick) <= now {
            buckets.removeFirst()
            for session in first.sessions {
                guard let entry = entries[session], entry.filed == first.tick else { continue }
                if moment(entry.end) <= now {
                    entries[session] = nil
                    expired.append(session)
                } else {
                    entries[session]?.filed = entry.end
                    file(session, in: entry.end)
                }
            }
        }
        return expired.sorted()
    }

    /// When ``expire(now:)`` has something to look at; `nil` without sessions.
    package var nextDeadline: Instant? { buckets.first.map { moment($0.tick) } }

    private func end(_ now: Instant, _ timeout: Int64) -> Int64 {
        let (sum, overflow) = now.milliseconds.addingReportingOverflow(timeout)
        let end = overflow ? Int64.max : sum
        let (quotient, remainder) = end.quotientAndRemainder(dividingBy: tickMilliseconds)
        // Rounded down also below zero, so that a bucket is one tick wide everywhere.
        return remainder < 0 || quotient == .max ? quotient : quotient + 1
    }

    private func moment(_ tick: Int64) -> Instant {
        let (milliseconds, overflow) = tick.multipliedReportingOverflow(by: tickMilliseconds)
        return overflow ? .distantFuture : Instant.start.advanced(byMilliseconds: milliseconds)
    }

    private mutating func file(_ session: SessionID, in tick: Int64) {
        // From the end: new ends are mostly the latest.
        var index = buckets.count
        while index > 0, buckets[index - 1].tick > tick { index -= 1 }
        if index == 0 || buckets[index - 1].tick != tick {
            buckets.insert(Bucket(tick: tick), at: index)
            index += 1
        }
        buckets[index - 1].sessions.append(session)
    }
}
