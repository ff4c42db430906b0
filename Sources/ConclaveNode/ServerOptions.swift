import ConclaveCore
import ConclaveTree

/// The rules and limits of one server machine, as plain values.
package struct ServerOptions: Sendable {
    /// The length of a tick; sessions expire on tick boundaries.
    package var tickMilliseconds: Int64 = 3000
    /// `nil` means two ticks.
    package var minimumSessionTimeoutMilliseconds: Int64?
    /// `nil` means twenty ticks.
    package var maximumSessionTimeoutMilliseconds: Int64?
    /// The largest frame a client may send.
    package var maximumFrameBytes = 1_048_575
    /// Requests in flight above which connections with unanswered requests are not read.
    package var outstandingLimit = 1000
    package var sessionLimit = 100_000
    package var watchesPerConnection = 10_000
    /// Operations in one multi; larger ones are refused.
    package var multiLimit = 10_000
    /// Bytes of events waiting for one connection above which it is closed.
    package var outputLimitBytes = 4 << 20
    /// What encoded lists of children may take that are kept for the next who asks; 0 for none.
    package var childListCacheBytes = 8 << 20
    /// Whether clients may authenticate with the scheme `digest`, and name it in access control lists.
    package var digestAuthentication = true
    /// Lets TTL nodes be created.
    package var extendedTypes = false
    package var enforceQuota = false
    package var skipACL = false
    /// Whether `exists` needs READ on a node that exists (3.8.4 and later; ZOOKEEPER-2590).
    package var existsRequiresRead = true
    /// Whether events are kept from connections that may not read the node (3.8.4 and later; CVE-2024-23944).
    package var checksReadOnEvents = true
    /// `user:base64(SHA-1)` of the super user of the digest scheme.
    package var superDigest: String?
    package var digestEnabled = true
    /// How long a connection may stay without a session.
    package var sessionlessTimeoutMilliseconds: Int64 = 10_000
    package var containerCheckMilliseconds: Int64 = 60_000
    package var containerDeletesPerMinute = 10_000
    package var containerNeverUsedMilliseconds: Int64 = 0
    /// Secret that seeds the tree's hash, so that clients cannot aim at its buckets.
    package var hashSeed: UInt64 = 0
    package var serverID: UInt8 = 1
    /// Whether clients may connect to this server of an ensemble while it leads.
    package var leaderServesClients = true
    /// Whether new sessions stay with this server of an ensemble instead of being made known to all.
    package var localSessions = false
    /// Whether such a session becomes a global one when it creates an ephemeral node, which it may not otherwise.
    package var upgradesLocalSessions = false
    /// Whether clients that ask for it may read from a server of an ensemble that has had no leader for a while.
    package var readOnlyMode = false

    package init() {}

    /// The schemes that may stand in access control lists besides `world` and `auth`.
    var schemes: [Scheme] { digestAuthentication ? Scheme.standard : Scheme.standard.filter { $0 != .digest } }

    var sessionTimeoutRange: ClosedRange<Int64> {
        let lower = max(1, minimumSessionTimeoutMilliseconds ?? 2 * tickMilliseconds)
        let upper = maximumSessionTimeoutMilliseconds ?? 20 * tickMilliseconds
        return lower...max(lower, min(upper, Int64(Int32.max)))
    }
}
