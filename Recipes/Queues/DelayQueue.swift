public import ConclaveClient
public import ConclaveCore

/// A queue between programs whose items may be taken only from a moment on.
///
/// ```swift
/// let reminders = DelayQueue<Reminder>(client, at: "/queues/reminders")
/// try await reminders.put(reminder, after: .seconds(60))
/// let due = try await reminders.take()
/// ```
///
/// Guarantees, cancellation, session loss and limits are those of ``DistributedQueue``; but:
///
/// - **Order**: an item is handed out when its moment has come, by the clock of whoever takes; moments are made with the
///   clock of whoever puts. Those that are due come in the order of their moments as far as they were read together.
/// - **Layout**: `<path>/queue-|<moment>|<n>`, as Curator's `DistributedDelayQueue`: milliseconds since 1970 in
///   hexadecimal digits. Items without a moment are due at once.
/// - **Cost**: as there; one of those who wait lists the queue when the next item is due, and at least once a minute.
public final class DelayQueue<Item: QueueItem>: Sendable {
    private let core: QueueCore<Item>

    /// A queue at a path, which is made when it is first needed.
    ///
    /// - Parameters:
    ///   - client: the session that puts and takes.
    ///   - path: the parent of the items, not the root; for nothing else.
    ///   - limit: how many items there may be, claimed ones and those that are not due included; `nil` for no limit.
    ///   - deliveries: how often an item is handed out before it goes to the ``deadLetters``; `nil` for no limit.
    ///   - identity: what others see of a consumer, such as a host name.
    ///   - acl: the access control list of the nodes that this creates.
    public init(
        _ client: ZooKeeperClient, at path: String, limit: Int? = nil, deliveries: Int? = 5, identity: String = "",
        acl: [ACL] = .open
    ) {
        core = QueueCore(
            client,
            QueueCore.Settings(
                path: path, ordering: .due, layout: .curator, limit: limit.map { max(1, $0) },
                deliveryLimit: deliveries.map { max(1, $0) }, identity: identity, acl: acl))
    }

    /// Puts an item that may be taken after so long. Waits while the queue is full.
    public func put(_ item: Item, after delay: Duration, timeout: Duration? = nil) async throws {
        let (moment, overflow) = ClientClock.wallMilliseconds.addingReportingOverflow(delay.wholeMilliseconds)
        try await put(item, dueMilliseconds: overflow ? .max : moment, timeout: timeout)
    }

    /// Puts an item that may be taken from a moment on, in milliseconds since 1970. Waits while the queue is full.
    public func put(_ item: Item, dueMilliseconds: Int64, timeout: Duration? = nil) async throws {
        try await core.put([item], at: .due(milliseconds: max(0, dueMilliseconds)), waits: true, timeout: timeout)
    }

    /// Takes the first item that is due. Waits while there is none.
    public func take(timeout: Duration? = nil) async throws(ZooKeeperError) -> Item {
        try await core.takeFirst(timeout: timeout)
    }

    /// Takes the first item that is due; `nil` if none is.
    public func tryTake() async throws(ZooKeeperError) -> Item? {
        try await core.take(upTo: 1, waits: false, timeout: nil).first?.item
    }

    /// Hands items that are due to the body as ``DistributedQueue/consume(concurrency:onFailure:_:)`` does.
    public func consume(
        concurrency: Int = 1, onFailure: (@Sendable (QueueDelivery<Item>, any Error) -> Void)? = nil,
        _ body: @escaping @Sendable (QueueDelivery<Item>) async throws -> Void
    ) async throws(ZooKeeperError) {
        try await core.consume(concurrency: concurrency, onFailure: onFailure, body)
    }

    /// Claims the first free item that is due. Waits while there is none.
    public func receive(timeout: Duration? = nil) async throws(ZooKeeperError) -> QueueDelivery<Item> {
        try await core.claimFirst(timeout: timeout)
    }

    /// Claims the first free item that is due; `nil` if none is.
    public func tryReceive() async throws(ZooKeeperError) -> QueueDelivery<Item>? {
        try await core.claim(waits: false, timeout: nil)
    }

    /// How many items there are, claimed ones and those that are not due included. One request.
    public func count() async throws(ZooKeeperError) -> Int { try await core.count() }

    /// Items in the order of their moments, with those who have them. Two requests and one for each hundred items.
    public func list(limit: Int = 1_000) async throws(ZooKeeperError) -> [QueueEntry] {
        try await core.list(limit: limit)
    }

    /// Items that were handed out as often as allowed, or that are no `Item`: a queue to look at and to take from.
    public var deadLetters: DistributedQueue<[UInt8]> { core.deadLetters }

    /// Returns when nothing is left to clean up, or the session is over.
    package func waitUntilClean() async { await core.waitUntilClean() }
}
