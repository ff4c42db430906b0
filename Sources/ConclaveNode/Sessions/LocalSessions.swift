import ConclaveCore
import ConclaveTree

/// The sessions that this server keeps to itself: no transaction makes or ends them, and nobody else knows them.
///
/// ```
///   created ──▶ local ──▶ ended: by its client, or when its time is over
///                 │
///                 └─ wants an ephemeral node ─▶ upgrading ──▶ global: no longer in here
/// ```
/// From the moment an upgrade begins the session is not local any more, whatever becomes of it: if the leader is lost meanwhile
/// nobody can tell whether the transaction will be committed, and a session must not be two (ZOOKEEPER-3471).
/// Source: wire-protocol, section 12; quorum-protocol, section 8.
struct LocalSessions: Sendable {
    private var expiry: SessionExpiry
    /// Sessions that are about to become global, with the request that needs it.
    private var upgrading: [SessionID: Int32] = [:]
    /// Global sessions that have ended, so that a leader does not take them for local ones of other servers.
    var endedElsewhere = EndedSessions()

    init(tickMilliseconds: Int64) { expiry = SessionExpiry(tickMilliseconds: tickMilliseconds) }

    var isEmpty: Bool { expiry.count == 0 }
    var count: Int { expiry.count }

    func contains(_ session: SessionID) -> Bool { !isEmpty && expiry.contains(session) }

    func isUpgrading(_ session: SessionID) -> Bool { !upgrading.isEmpty && upgrading[session] != nil }

    /// Whether a number is no longer free.
    func isTaken(_ session: SessionID) -> Bool { contains(session) || isUpgrading(session) }

    // MARK: Time

    var nextDeadline: Instant? { expiry.nextDeadline }

    /// A session begins, or goes on with this timeout.
    mutating func add(_ session: SessionID, timeoutMilliseconds: Int32, now: Instant) {
        expiry.add(session, timeoutMilliseconds: Int64(timeoutMilliseconds), now: now)
    }

    mutating func touch(_ session: SessionID, now: Instant) { expiry.touch(session, now: now) }

    mutating func remove(_ session: SessionID) { expiry.remove(session) }

    /// Takes out the sessions whose time is over, sorted.
    mutating func expire(now: Instant) -> [SessionID] { expiry.expire(now: now) }

    /// Gives every session its full time: nobody could be heard of while the server did not serve.
    mutating func restart(now: Instant) { expiry.restart(now: now) }

    /// By the moment at which they end.
    var expiries: [(deadline: Instant, sessions: [SessionID])] {
        var buckets: [Instant: [SessionID]] = [:]
        for session in expiry.sessions {
            if let end = expiry.end(of: session) { buckets[end, default: []].append(session) }
        }
        return buckets.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    // MARK: Becoming global

    /// The session is local no more.
    ///
    /// - Parameter request: the cxid behind whose transaction the session must be known; `nil` if it is known already.
    mutating func upgrade(_ session: SessionID, for request: Int32?) {
        expiry.remove(session)
        if let request { upgrading[session] = request }
    }

    /// The request that an upgrade under way is for.
    func upgradingRequest(of session: SessionID) -> Int32? { upgrading.isEmpty ? nil : upgrading[session] }

    /// The upgrade has ended, one way or the other.
    mutating func upgraded(_ session: SessionID) { if !upgrading.isEmpty { upgrading[session] = nil } }

    mutating func forgetUpgrades() { upgrading = [:] }
}

/// The global sessions that ended last, the newest 16,384.
struct EndedSessions: Sendable {
    static let limit = 16_384

    private var known: Set<SessionID> = []
    private var order = RingBuffer<SessionID>()

    func contains(_ session: SessionID) -> Bool { known.contains(session) }

    mutating func insert(_ session: SessionID) {
        guard known.insert(session).inserted else { return }
        order.append(session)
        if order.count > Self.limit, let oldest = order.popFirst() { known.remove(oldest) }
    }
}
