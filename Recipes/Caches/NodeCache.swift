public import ConclaveClient
public import ConclaveCore

/// Keeps the newest value of one node at hand.
///
/// ```swift
/// let motd = NodeCache(client, at: "/motd")
/// try await motd.ready(timeout: .seconds(5))
/// print(motd.node?.bytes ?? [], motd.status)
/// ```
///
/// - **Guarantee**: what is read here was there once, never goes back in time, and is the newest within a round trip of
///   the server's notification. Values in between may never be seen.
/// - **Staleness**: ``status`` says ``CacheStatus/stale(since:)`` from the moment at which the lost connection is
///   noticed until everything has been read again; values stay readable.
/// - **Session loss**: ``status`` becomes ``CacheStatus/ended(_:)``, readers of ``changes`` throw; values
///   stay readable.
/// - **End**: ``close()``, or when the last reference goes. **Cancellation** ends waits and readers only.
/// - **Cost**: 1 request for each change that is seen; the watch comes with it.
/// - **Source**: Curator's `NodeCache`.
public final class NodeCache: Sendable {
    private let core: CacheCore
    private let task: Task<Void, Never>

    /// Begins to follow a node, which need not exist.
    public init(_ client: ZooKeeperClient, at path: String) {
        core = CacheCore(path: path)
        task = CacheShell.start(client, core, .node, CacheLimits(), noticing: .oneShot)
    }

    deinit { task.cancel() }

    /// The node as it was last read; `nil` if there was none, or before the first reading.
    public var node: CachedNode? { core.node(at: core.path) }

    /// How far the content can be believed.
    public var status: CacheStatus { core.status }

    /// Returns when the node has been looked at once.
    ///
    /// - Throws: `deadlineExceeded`, `cancelled`, or why the cache has ended.
    public func ready(timeout: Duration? = nil) async throws(ZooKeeperError) {
        try await core.waitUntilFilled(timeout: timeout)
    }

    /// The node if there is one, then each step.
    public var changes: CacheChanges { CacheChanges(core: core) }

    /// Ends it; what was read stays.
    public func close() async {
        task.cancel()
        await task.value
    }
}
