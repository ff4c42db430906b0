public import ConclaveClient
public import ConclaveCore

/// A queue between programs in which the most urgent item comes first.
///
/// ```swift
/// let jobs = PriorityQueue<Job>(client, at: "/queues/jobs")
/// try await jobs.put(job, priority: -10)                   // lower ones first
/// let next = try await jobs.take()
/// ```
///
/// Guarantees, cancellation, session loss and limits are those of ``DistributedQueue``; but:
///
/// - **Order**: the lowest priority first, and among equal ones first in, first out. Whoever takes looks at all items
///   that were put before. Several clients that take at the same time spread over items of the same priority only.
/// - **Layout**: `<path>/queue-<priority><n>` as Curator's `DistributedPriorityQueue`, or `<path>/entry-<priority>-<n>`
///   as kazoo's `Queue`. Items of both are taken, in one order; those without a priority have 0.
/// - **Cost**: put as there; take 3 requests, of which one lists the queue.
public final class PriorityQueue<Item: QueueItem>: Sendable {
    private let core: QueueCore<Item>

    /// A queue at a path, which is made when it is first needed.
    ///
    /// - Parameters:
    ///   - client: the session that puts and takes.
    ///   - path: the parent of the items, not the root; for nothing else.
    ///   - limit: how many items there may be, claimed ones included; `nil` for no limit.
    ///   - deliveries: how often an item is handed out before it goes to the ``deadLetters``; `nil` for no limit.
    ///   - layout: how items are named that this client puts: Curator's or kazoo's, which knows priorities from 0 to 999.
    ///   - identity: what others see of a consumer, such as a host name.
    ///   - acl: the access control list of the nodes that this creates.
    public init(
        _ client: ZooKeeperClient, at path: String, limit: Int? = nil, deliveries: Int? = 5,
        layout: QueueLayout = .curator, identity: String = "", acl: [ACL] = .open
    ) {
        core = QueueCore(
            client,
            QueueCore.Settings(
                path: path, ordering: .priority, layout: layout, limit: limit.map { max(1, $0) },
                deliveryLimit: deliveries.map { max(1, $0) }, identity: identity, acl: acl))
    }

    /// Puts an item behind those of the same priority. Waits while the queue is full.
    ///
    /// - Throws: as ``DistributedQueue/put(_:timeout:)``; `badArguments` if the layout does not know the priority.
    public func put(_ item: Item, priority: Int32, timeout: Duration? = nil) async throws {
        try await core.put([item], at: .priority(priority), waits: true, timeout: timeout)
    }

    /// Puts items of one priority, up to a hundred in one transaction, so that all of those are there or none.
    public func put(contentsOf items: [Item], priority: Int32, timeout: Duration? = nil) async throws {
        try await core.put(items, at: .priority(priority), waits: true, timeout: timeout)
    }

    /// Puts an item if there is room, and tells whether there was.
    public func tryPut(_ item: Item, priority: Int32) async throws -> Bool {
        try await core.put([item], at: .priority(priority), waits: false, timeout: nil)
    }

    /// Takes the most urgent item out of the queue. Waits while there is none.
    public func take(timeout: Duration? = nil) async throws(ZooKeeperError) -> Item {
        try await core.takeFirst(timeout: timeout)
    }

    /// Takes the most urgent item; `nil` if there is none.
    public func tryTake() async throws(ZooKeeperError) -> Item? {
        try await core.take(upTo: 1, waits: false, timeout: nil).first?.item
    }

    /// Hands items to the body as ``DistributedQueue/consume(concurrency:onFailure:_:)`` does.
    public func consume(
        concurrency: Int = 1, onFailure: (@Sendable (QueueDelivery<Item>, any Error) -> Void)? = nil,
        _ body: @escaping @Sendable (QueueDelivery<Item>) async throws -> Void
    ) async throws(ZooKeeperError) {
        try await core.consume(concurrency: concurrency, onFailure: onFailure, body)
    }

    /// Claims the most urgent free item. Waits while there is none.
    public func receive(timeout: Duration? = nil) async throws(ZooKeeperError) -> QueueDelivery<Item> {
        try await core.claimFirst(timeout: timeout)
    }

    /// Claims the most urgent free item; `nil` if there is none.
    public func tryReceive() async throws(ZooKeeperError) -> QueueDelivery<Item>? {
        try await core.claim(waits: false, timeout: nil)
    }

    /// How many items there are, claimed ones included. One request.
    public func count() async throws(ZooKeeperError) -> Int { try await core.count() }

    /// Items from the most urgent on, with those who have them. Two requests and one for each hundred items.
    public func list(limit: Int = 1_000) async throws(ZooKeeperError) -> [QueueEntry] {
        try await core.list(limit: limit)
    }

    /// Items that were handed out as often as allowed, or that are no `Item`: a queue to look at and to take from.
    public var deadLetters: DistributedQueue<[UInt8]> { core.deadLetters }

    /// Returns when nothing is left to clean up, or the session is over.
    package func waitUntilClean() async { await core.waitUntilClean() }
}
