public import ConclaveClient
public import ConclaveCore

/// A queue between programs: first in, first out.
///
/// ```swift
/// let jobs = DistributedQueue<Job>(client, at: "/queues/jobs", limit: 10_000)
/// try await jobs.put(job)
/// try await jobs.consume { delivery in try await run(delivery.item) }      // at least once
/// let next = try await jobs.take(timeout: .seconds(5))                     // once, or lost with this process
/// ```
///
/// - **Guarantee**: what `put` has returned for is in the queue once, also if connections were lost meanwhile. `take`
///   hands each item to one caller only. `consume` and `receive` hand it out until somebody finishes with it: at least
///   once, to one consumer at a time as long as its session lives.
/// - **Order**: one client takes in the order in which items were put. Several clients that take at the same time spread
///   over the first 512 items at most, the more the more often they meet, so an item may be overtaken by that many.
/// - **Layout**: `<path>/qn-<n>`, or Curator's or kazoo's names; items of all three are taken. Beside it
///   `<path>-state` (claims, lines of those who wait) and `<path>-dead`.
/// - **Cancellation** and deadlines end waiting. A transaction that has been sent is waited for: no item is taken from
///   the queue and handed to nobody.
/// - **Session loss**: calls throw. Claimed items return; a put or take that was under way has an unknown outcome.
/// - **No herd**: those who wait stand in line; an item, or room, wakes one of them.
/// - **Cost**: put 1 request, with a limit 1 more for each 1 to 16 items; take 1, and 1 or 2 more for each 1 to 64
///   items read ahead; consume 2. Who waits costs what a lock's waiter costs.
/// - **Limits**: 2³¹ − 10⁶ items per path altogether; the limit of the queue may be exceeded by 16 items for each
///   further client that puts at the same time; an item has at most a little less than the server's frame limit.
/// - **Source**: the queue recipe of ZooKeeper's documentation; claims are those of Curator's `lockPath`.
public final class DistributedQueue<Item: QueueItem>: Sendable {
    let core: QueueCore<Item>

    /// A queue at a path, which is made when it is first needed.
    ///
    /// - Parameters:
    ///   - client: the session that puts and takes.
    ///   - path: the parent of the items, not the root; for nothing else.
    ///   - limit: how many items there may be, claimed ones included; `nil` for no limit.
    ///   - deliveries: how often an item is handed out before it goes to the ``deadLetters``; `nil` for no limit.
    ///   - layout: how items are named that this client puts.
    ///   - identity: what others see of a consumer, such as a host name.
    ///   - acl: the access control list of the nodes that this creates.
    public init(
        _ client: ZooKeeperClient, at path: String, limit: Int? = nil, deliveries: Int? = 5,
        layout: QueueLayout = .zooKeeper, identity: String = "", acl: [ACL] = .open
    ) {
        core = QueueCore(
            client,
            QueueCore.Settings(
                path: path, ordering: .arrival, layout: layout, limit: limit.map { max(1, $0) },
                deliveryLimit: deliveries.map { max(1, $0) }, identity: identity, acl: acl))
    }

    // MARK: - Putting

    /// Puts an item at the end. Waits while the queue is full.
    ///
    /// - Throws: `deadlineExceeded` or `cancelled` if there was no room in time, `sequenceExhausted`, what the item's
    ///   conversion throws, or what a request threw. If the session is over the item may be in the queue or not.
    public func put(_ item: Item, timeout: Duration? = nil) async throws {
        try await core.put([item], at: .atTheEnd, waits: true, timeout: timeout)
    }

    /// Puts items one behind the other, up to a hundred in one transaction, so that all of those are there or none.
    public func put(contentsOf items: [Item], timeout: Duration? = nil) async throws {
        try await core.put(items, at: .atTheEnd, waits: true, timeout: timeout)
    }

    /// Puts an item if there is room, and tells whether there was.
    public func tryPut(_ item: Item) async throws -> Bool {
        try await core.put([item], at: .atTheEnd, waits: false, timeout: nil)
    }

    // MARK: - Taking

    /// Takes the first item out of the queue. Waits while there is none.
    ///
    /// - Throws: `deadlineExceeded` or `cancelled` if there was none in time, or what a request threw.
    public func take(timeout: Duration? = nil) async throws(ZooKeeperError) -> Item {
        try await core.takeFirst(timeout: timeout)
    }

    /// Takes items out of the queue in one transaction: at least one, for which it waits, and at most so many.
    public func take(upTo count: Int, timeout: Duration? = nil) async throws(ZooKeeperError) -> [Item] {
        try await core.take(upTo: count, waits: true, timeout: timeout).map(\.item)
    }

    /// Takes the first item; `nil` if there is none.
    public func tryTake() async throws(ZooKeeperError) -> Item? {
        try await core.take(upTo: 1, waits: false, timeout: nil).first?.item
    }

    // MARK: - Consuming

    /// Hands items to the body until the calling task is cancelled or the session is over; an item leaves the queue when
    /// the body returns, and is handed out again when it throws.
    ///
    /// The body runs in a child task that is cancelled when the claim is lost. Items that were handed out too often go
    /// to the ``deadLetters``.
    ///
    /// - Parameters:
    ///   - concurrency: how many items are handed out at a time.
    ///   - onFailure: is told what a body threw, or that a claim was lost.
    /// - Throws: `cancelled`, `sessionExpired`, or what a request threw; it does not return.
    public func consume(
        concurrency: Int = 1, onFailure: (@Sendable (QueueDelivery<Item>, any Error) -> Void)? = nil,
        _ body: @escaping @Sendable (QueueDelivery<Item>) async throws -> Void
    ) async throws(ZooKeeperError) {
        try await core.consume(concurrency: concurrency, onFailure: onFailure, body)
    }

    /// Claims the first free item. Waits while there is none. It leaves the queue with ``QueueDelivery/finish()``.
    public func receive(timeout: Duration? = nil) async throws(ZooKeeperError) -> QueueDelivery<Item> {
        try await core.claimFirst(timeout: timeout)
    }

    /// Claims the first free item; `nil` if there is none.
    public func tryReceive() async throws(ZooKeeperError) -> QueueDelivery<Item>? {
        try await core.claim(waits: false, timeout: nil)
    }

    // MARK: - Looking

    /// How many items there are, claimed ones included. One request.
    public func count() async throws(ZooKeeperError) -> Int { try await core.count() }

    /// Items from the first on, with those who have them. Two requests and one for each hundred items.
    public func list(limit: Int = 1_000) async throws(ZooKeeperError) -> [QueueEntry] {
        try await core.list(limit: limit)
    }

    /// Items that were handed out as often as allowed, or that are no `Item`: a queue to look at and to take from.
    public var deadLetters: DistributedQueue<[UInt8]> { core.deadLetters }

    /// Returns when nothing is left to clean up, or the session is over.
    package func waitUntilClean() async { await core.waitUntilClean() }
}
