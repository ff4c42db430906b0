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
/// - **Not reentrant**: a task that waits for what it holds itself gets `selfDeadlock` instead of hanging.
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

    /// A lock at a path, which is made when it is first needed.
    ///
    /// - Parameters:
    ///   - client: the session that contends.
    ///   - path: the node below which contenders queue; for nothing else.
    ///   - order: who is next; all clients of one path must use the same order.
    ///   - identity: what others see in ``contenders(limit:)``, such as a host name.
    ///   - acl: the access control list of the nodes that this lock creates.
    public init(
        _ client: ZooKeeperClient, at path: String, order: Order = .fair, identity: String = "", acl: [ACL] = .open
    ) {
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
    /// - Parameter timeout: how long to wait at most; `nil` waits for ever, zero only tries.
    /// - Throws: what the body throws; `holdLost` if the hold ended first, with the body's error as its cause;
    ///   `deadlineExceeded`, `cancelled`, `sessionExpired`, `selfDeadlock` or what a request threw if there was no
    ///   hold.
    public func withLock<R: Sendable>(
        timeout: Duration? = nil, _ body: @escaping @Sendable (LockGrant) async throws -> R
    ) async throws -> R {
        let grant = try await acquire(timeout: timeout)
        return try await grant.hold.scope { try await body(grant) }
    }

    /// Runs the body if nobody holds the lock and returns its result; returns `nil` at once if somebody does.
    public func tryWithLock<R: Sendable>(
        _ body: @escaping @Sendable (LockGrant) async throws -> R
    ) async throws -> R? {
        guard let grant = try await tryAcquire() else { return nil }
        return try await grant.hold.scope { try await body(grant) }
    }

    // MARK: - By handle

    /// Waits for the lock.
    ///
    /// - Parameter timeout: how long to wait at most; `nil` waits for ever, zero only tries.
    public func acquire(timeout: Duration? = nil) async throws(ZooKeeperError) -> LockGrant {
        if let timeout, timeout <= .zero { return try await acquireNow() }
        return try await acquire(.init(after: timeout))
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

    private func acquire(_ deadline: Deadline) async throws(ZooKeeperError) -> LockGrant {
        guard let hold = try await hold(patience: .wait, deadline: deadline) else {
            preconditionFailure("an attempt that waits ended without a hold and without an error")
        }
        return LockGrant(hold)
    }

    private func hold(patience: AttemptPatience, deadline: Deadline) async throws(ZooKeeperError) -> Hold? {
        switch form {
        case .fair(let contenders): try await contenders.acquire(.lock, patience: patience, deadline: deadline)
        case .firstCome(let comers): try await comers.acquire(patience: patience, deadline: deadline)
        }
    }

    private var path: String {
        switch form {
        case .fair(let contenders): contenders.path
        case .firstCome(let comers): comers.path
        }
    }
}
