public import ConclaveClient
public import ConclaveCore

/// An exclusive lock for all clients of an ensemble.
///
/// ```swift
/// let orders = DistributedLock(client, at: "/locks/orders")
/// try await orders.withLock(timeout: .seconds(5)) { grant in
///     try await store.write(order, fencingToken: grant.token)
/// }
/// ```
///
/// - **Guarantee**: S1–S9 of the safety statement. At most one contender is the lowest live one; tokens grow; the body
///   is cancelled when the hold ends early. Unfenced effects have only the promise of the hold window.
/// - **Layout**: `<path>/_c_<uuid>-lock-<number>`, ephemeral, the identity as data; Curator's `InterProcessMutex` and
///   kazoo's `Lock` (with `extra_lock_patterns=["-lock-"]`) exclude it and are excluded. First come: `<path>/lock`.
/// - **Cancellation and deadline** end the wait at once; the node is removed in the background (S7).
/// - **Session loss**: waiters throw `sessionExpired`; holders are told `lost`. A lost connection alone ends neither:
///   waiters wait on, holders go on within the hold window.
/// - **Cost**: 2 requests to get it uncontended and 1 to give it up; with waiters 2 watches and 1 listing more each.
///   Holds longer than 20 ms cost one more request for a watch on the own node.
/// - **Not reentrant** unless asked for: a task that waits for what it holds itself gets `selfDeadlock` instead of
///   hanging. If `isReentrant`, a scope inside of another on the same path and client, in the same tree of tasks, gets
///   the same hold, which ends with the last of the scopes; by handle it still is an error.
/// - **Lock-delay**: if asked for, a hold that ends without a release (its session ends, its window closes, its node is
///   removed) keeps the next one waiting so long, whoever of our clients that is: what the lost holder had sent can
///   arrive meanwhile. For resources that cannot check tokens (Chubby, 2.4). One request more for each acquire. The
///   delay counts from when somebody first finds that the holder has gone, by the leaders' clocks, and for those
///   who waited then by their own: it is cut short only by leaders' clocks that jump forward. Other libraries' clients
///   do not wait.
/// - **Source**: ZooKeeper's recipe for locks; Curator's layout.
public struct DistributedLock: Sendable {
    /// Who gets the lock next.
    public enum Order: Hashable, Sendable {
        /// First in, first out; a release wakes one waiter.
        case fair
        /// Whoever creates the one node first; a release wakes all waiters. The simplest form, best with little
        /// contention.
        case firstCome
    }

    private enum Form: Sendable {
        case fair(Contenders)
        case firstCome(FirstComers)
    }

    private let form: Form
    private let isReentrant: Bool
    private let lockDelay: Duration?

    /// A lock at a path, which is made when it is first needed.
    ///
    /// - Parameters:
    ///   - client: the session that contends.
    ///   - path: the node below which contenders queue; for nothing else.
    ///   - order: who is next; all clients of one path must use the same order.
    ///   - identity: what others see in ``contenders(limit:)``, such as a host name.
    ///   - isReentrant: whether scopes inside of each other share one hold.
    ///   - lockDelay: how long the next holder waits if a hold of this value ends without a release; fair order only,
    ///     at most an hour.
    ///   - acl: the access control list of the nodes that this lock creates.
    public init(
        _ client: ZooKeeperClient, at path: String, order: Order = .fair, identity: String = "",
        isReentrant: Bool = false, lockDelay: Duration? = nil, acl: [ACL] = .open
    ) {
        self.isReentrant = isReentrant
        self.lockDelay = lockDelay
        form =
            switch order {
            case .fair: .fair(Contenders(client, at: path, identity: identity, acl: acl))
            case .firstCome: .firstCome(FirstComers(client, at: path, identity: identity, acl: acl))
            }
    }

    // MARK: - Scoped

    /// Waits for the lock, runs the body, gives the lock up.
    ///
    /// The body runs in a child task that is cancelled when the hold is lost or the caller is cancelled; in either case
    /// the call returns only when the body has ended. When it returns the lock has been released.
    ///
    /// - Parameters:
    ///   - timeout: how long to wait at most; `nil` waits for ever, zero only tries.
    ///   - onPosition: is told the place in the queue, see ``acquire(timeout:onPosition:)``.
    /// - Throws: what the body throws; `holdLost` if the hold ended first, with the body's error as its cause;
    ///   `deadlineExceeded`, `cancelled`, `sessionExpired`, `selfDeadlock` or what a request threw if there was no
    ///   hold.
    public func withLock<R: Sendable>(
        timeout: Duration? = nil, onPosition: (@Sendable (QueuePosition) -> Void)? = nil,
        _ body: @escaping @Sendable (LockGrant) async throws -> R
    ) async throws -> R {
        if let hold = joined() {
            return try await hold.scope(isNested: true) { try await body(LockGrant(hold, isNested: true)) }
        }
        let grant = try await acquire(timeout: timeout, onPosition: onPosition)
        return try await grant.hold.scope { try await body(grant) }
    }

    /// Runs the body if nobody holds the lock and returns its result; returns `nil` at once if somebody does.
    public func tryWithLock<R: Sendable>(
        _ body: @escaping @Sendable (LockGrant) async throws -> R
    ) async throws -> R? {
        if let hold = joined() {
            return try await hold.scope(isNested: true) { try await body(LockGrant(hold, isNested: true)) }
        }
        guard let grant = try await tryAcquire() else { return nil }
        return try await grant.hold.scope { try await body(grant) }
    }

    // MARK: - By handle

    /// Waits for the lock.
    ///
    /// - Parameters:
    ///   - timeout: how long to wait at most; `nil` waits for ever, zero only tries.
    ///   - onPosition: is told the place in the queue, at first and when it has changed; while one waits that is looked
    ///     up once a second, for one request each time. Not told of a first-come lock, which has no queue.
    public func acquire(
        timeout: Duration? = nil, onPosition: (@Sendable (QueuePosition) -> Void)? = nil
    ) async throws(ZooKeeperError) -> LockGrant {
        if let timeout, timeout <= .zero { return try await acquireNow() }
        return try await acquire(.init(after: timeout), report: onPosition.map { PositionReport($0) })
    }

    /// Waits for the lock until a moment.
    public func acquire(until deadline: ContinuousClock.Instant) async throws(ZooKeeperError) -> LockGrant {
        try await acquire(.init(instant: deadline))
    }

    /// Takes the lock if nobody holds it and leaves nothing behind if somebody does: then it returns `nil`.
    ///
    /// Throws instead of waiting when a request fails, also for a lost connection.
    ///
    /// - Cost: 1 request while somebody holds, 3 to get it (first come: 1 and 1).
    public func tryAcquire() async throws(ZooKeeperError) -> LockGrant? {
        try await hold(patience: .once, deadline: .never).map(LockGrant.init)
    }

    /// Who holds and who waits, in order; of a first-come lock only the holder is known.
    public func contenders(
        limit: Int = Contenders.defaultListLimit
    ) async throws(ZooKeeperError) -> [Contender] {
        switch form {
        case .fair(let contenders): return try await contenders.list(limit: limit)
        case .firstCome(let comers):
            guard limit > 0, let holder = try await comers.holder() else { return [] }
            return [holder]
        }
    }

    /// Asks a holder to give up; see ``Contenders/requestRevocation(of:)``.
    @discardableResult
    public func requestRevocation(of contender: Contender) async throws(ZooKeeperError) -> Bool {
        try await Revocation.request(contender.path, with: client)
    }

    /// Returns when every node given up so far has been removed, or the session is over.
    package func waitUntilClean() async {
        switch form {
        case .fair(let contenders): await contenders.cleaner.waitUntilIdle()
        case .firstCome(let comers): await comers.cleaner.waitUntilIdle()
        }
    }

    // MARK: - Private

    private func acquireNow() async throws(ZooKeeperError) -> LockGrant {
        guard let grant = try await tryAcquire() else { throw ZooKeeperError(.deadlineExceeded, path: path) }
        return grant
    }

    func acquire(
        _ deadline: Deadline, report: PositionReport? = nil
    ) async throws(ZooKeeperError) -> LockGrant {
        guard let hold = try await hold(patience: .wait, deadline: deadline, report: report) else {
            preconditionFailure("an attempt that waits ended without a hold and without an error")
        }
        return LockGrant(hold)
    }

    private func hold(
        patience: AttemptPatience, deadline: Deadline, report: PositionReport? = nil
    ) async throws(ZooKeeperError) -> Hold? {
        if let lockDelay, order == .firstCome || !(.zero...HoldMarker.delayLimit).contains(lockDelay) {
            throw ZooKeeperError(
                .badArguments, path: path, message: "a lock-delay of at most \(HoldMarker.delayLimit) needs a fair lock"
            )
        }
        return switch form {
        case .fair(let contenders):
            try await contenders.acquire(
                .lock, patience: patience, deadline: deadline, delay: lockDelay, report: report)
        case .firstCome(let comers): try await comers.acquire(patience: patience, deadline: deadline)
        }
    }

    /// The hold of a scope around this one, if they may share it.
    private func joined() -> Hold? {
        guard isReentrant, let hold = TaskHolds.exclusive(under: path, of: client), hold.join() else { return nil }
        return hold
    }

    private var order: Order {
        switch form {
        case .fair: .fair
        case .firstCome: .firstCome
        }
    }

    private var client: ZooKeeperClient {
        switch form {
        case .fair(let contenders): contenders.client
        case .firstCome(let comers): comers.client
        }
    }

    private var path: String {
        switch form {
        case .fair(let contenders): contenders.path
        case .firstCome(let comers): comers.path
        }
    }
}
