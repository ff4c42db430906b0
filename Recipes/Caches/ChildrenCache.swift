public import ConclaveClient
public import ConclaveCore

/// Keeps the children of a node and their values at hand.
///
/// ```swift
/// let workers = ChildrenCache(client, at: "/workers")
/// try await workers.ready()
/// for try await change in workers.changes { rebalance(over: workers.nodes) }
/// ```
///
/// - **Guarantee**: each child as it was once, never going back in time, the newest within a round trip of the server's
///   notification. Steps in between may never be seen; different children may be of different moments.
/// - **Staleness, session loss, end, cancellation**: as ``NodeCache``.
/// - **Watches**: one persistent recursive watch; on servers older than 3.6 one for each child and one for the list. Do
///   not arm one-shot watches at the same path with the same client: Apache 3.8 then forgets the persistent one
///   (ZOOKEEPER-4466).
/// - **Cost**: at the beginning and after each reconnection 2 requests and 1 for each child; then 1 for each change.
/// - **Limits**: ``CacheLimits``; more than that ends it with `quotaExceeded`.
/// - **Source**: Curator's `PathChildrenCache`.
public final class ChildrenCache: Sendable {
    private let core: CacheCore
    private let task: Task<Void, Never>

    /// Begins to follow the children of a node, which need not exist.
    public init(_ client: ZooKeeperClient, at path: String, limits: CacheLimits = CacheLimits()) {
        core = CacheCore(path: path)
        task = CacheShell.start(client, core, .children, limits)
    }

    deinit { task.cancel() }

    /// The child of this name.
    public subscript(name: String) -> CachedNode? { core.node(at: NodePath.text(of: name, below: core.path)) }

    /// All children, in the order of their names' UTF-8 bytes. Cost: O(n log n).
    public var nodes: [CachedNode] { core.nodes }

    /// How many children there are.
    public var count: Int { core.count }

    /// How far the content can be believed.
    public var status: CacheStatus { core.status }

    /// Returns when all children have been read once.
    ///
    /// - Throws: `deadlineExceeded`, `cancelled`, or why the cache has ended.
    public func ready(timeout: Duration? = nil) async throws(ZooKeeperError) {
        try await core.waitUntilFilled(timeout: timeout)
    }

    /// The children that are there, then each step.
    public var changes: CacheChanges { CacheChanges(core: core) }

    /// Ends it; what was read stays.
    public func close() async {
        task.cancel()
        await task.value
    }
}
