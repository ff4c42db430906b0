public import ConclaveClient
public import ConclaveCore

/// Keeps a node and everything below it at hand.
///
/// ```swift
/// let flags = SubtreeCache(client, at: "/flags")
/// try await flags.ready()
/// let dark = flags["/flags/ui/dark"]?.bytes
/// ```
///
/// - **Guarantee**: each node as it was once, never going back in time, the newest within a round trip of the server's
///   notification. Steps in between may never be seen; different nodes may be of different moments.
/// - **Staleness, session loss, end, cancellation**: as ``NodeCache``.
/// - **Watches**: as ``ChildrenCache``; on servers older than 3.6 two for each node.
/// - **Cost**: at the beginning and after each reconnection 2 requests for each node, 32 nodes at a time; then 1 or 2
///   for each change.
/// - **Limits**: ``CacheLimits``; more than that ends it with `quotaExceeded`.
/// - **Source**: Curator's `TreeCache` and `CuratorCache`.
public final class SubtreeCache: Sendable {
    private let core: CacheCore
    private let task: Task<Void, Never>

    /// Begins to follow a node, which need not exist, and everything below it.
    public init(_ client: ZooKeeperClient, at path: String, limits: CacheLimits = CacheLimits()) {
        core = CacheCore(path: path)
        task = CacheShell.start(client, core, .subtree, limits)
    }

    deinit { task.cancel() }

    /// The node at this path.
    public subscript(path: String) -> CachedNode? { core.node(at: path) }

    /// All nodes, in the order of their paths' UTF-8 bytes. Cost: O(n log n).
    public var nodes: [CachedNode] { core.nodes }

    /// How many nodes there are.
    public var count: Int { core.count }

    /// How far the content can be believed.
    public var status: CacheStatus { core.status }

    /// Returns when all nodes have been read once.
    ///
    /// - Throws: `deadlineExceeded`, `cancelled`, or why the cache has ended.
    public func ready(timeout: Duration? = nil) async throws(ZooKeeperError) {
        try await core.waitUntilFilled(timeout: timeout)
    }

    /// The nodes that are there, then each step.
    public var changes: CacheChanges { CacheChanges(core: core) }

    /// Ends it; what was read stays.
    public func close() async {
        task.cancel()
        await task.value
    }
}
