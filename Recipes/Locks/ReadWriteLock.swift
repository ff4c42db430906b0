public import ConclaveClient
public import ConclaveCore

/// A lock that many may hold for reading or one for writing.
///
/// Fair in the order of arrival: a reader that comes after a waiting writer waits behind it, so writers do not starve.
///
/// - **Guarantee**: S1–S9 of the safety statement, with "lowest" read as "nobody before it that excludes it"; a
///   reader's token is below that of every later writer.
/// - **Layout**: `<path>/_c_<uuid>-__READ__<number>` and `…-__WRIT__<number>`, those of Curator's
///   `InterProcessReadWriteLock`. Any other sequential child counts as a writer, kazoo's `__rlock__` as a reader.
/// - **Cancellation, deadline, session loss, self-deadlock**: as ``DistributedLock``. A task that holds for writing and
///   asks to read waits for itself and is told so; use ``downgrade(_:)``.
/// - **Cost**: 2 requests to get it uncontended and 1 to give it up. A waiting reader watches the last writer before
///   it, a waiting writer its predecessor: a release wakes one writer, or the readers up to the next writer.
/// - **Source**: ZooKeeper's recipe for shared locks; Curator's layout.
public struct ReadWriteLock: Sendable {
    private let contenders: Contenders

    /// A lock at a path, which is made when it is first needed.
    ///
    /// - Parameters:
    ///   - client: the session that contends.
    ///   - path: the node below which contenders queue; for nothing else.
    ///   - identity: what others see in ``contenders(limit:)``.
    ///   - acl: the access control list of the nodes that this lock creates.
    public init(_ client: ZooKeeperClient, at path: String, identity: String = "", acl: [ACL] = .open) {
        contenders = Contenders(client, at: path, identity: identity, acl: acl)
    }

    // MARK: - Scoped

    /// Waits until it may read, runs the body, gives the lock up; see
    /// ``DistributedLock/withLock(timeout:onPosition:_:)``.
    public func withReadLock<R: Sendable>(
        timeout: Duration? = nil, _ body: @escaping @Sendable (LockGrant) async throws -> R
    ) async throws -> R {
        let grant = try await acquireRead(timeout: timeout)
        return try await grant.hold.scope { try await body(grant) }
    }

    /// Waits until it may write, runs the body, gives the lock up; see
    /// ``DistributedLock/withLock(timeout:onPosition:_:)``.
    public func withWriteLock<R: Sendable>(
        timeout: Duration? = nil, _ body: @escaping @Sendable (LockGrant) async throws -> R
    ) async throws -> R {
        let grant = try await acquireWrite(timeout: timeout)
        return try await grant.hold.scope { try await body(grant) }
    }

    /// Waits until it may read, with the right to become the writer, and runs the body; see
    /// ``acquireUpgradableRead(timeout:)``.
    public func withUpgradableReadLock<R: Sendable>(
        timeout: Duration? = nil, _ body: @escaping @Sendable (LockGrant) async throws -> R
    ) async throws -> R {
        let grant = try await acquireUpgradableRead(timeout: timeout)
        return try await grant.hold.scope { try await body(grant) }
    }

    // MARK: - By handle

    /// Waits until no writer is before it.
    ///
    /// - Parameter timeout: how long to wait at most; `nil` waits for ever, zero only tries.
    public func acquireRead(timeout: Duration? = nil) async throws(ZooKeeperError) -> LockGrant {
        try await acquire(.read, timeout: timeout)
    }

    /// Waits until nobody is before it.
    ///
    /// - Parameter timeout: how long to wait at most; `nil` waits for ever, zero only tries.
    public func acquireWrite(timeout: Duration? = nil) async throws(ZooKeeperError) -> LockGrant {
        try await acquire(.write, timeout: timeout)
    }

    /// Takes the lock for reading if no writer holds or waits; else returns `nil` and leaves nothing behind.
    public func tryAcquireRead() async throws(ZooKeeperError) -> LockGrant? {
        try await contenders.acquire(.read, patience: .once, deadline: .never).map(LockGrant.init)
    }

    /// Takes the lock for writing if nobody holds or waits; else returns `nil` and leaves nothing behind.
    public func tryAcquireWrite() async throws(ZooKeeperError) -> LockGrant? {
        try await contenders.acquire(.write, patience: .once, deadline: .never).map(LockGrant.init)
    }

    // MARK: - Changing the mode

    /// Waits until no writer is before it, and holds for reading with the right to become the writer.
    ///
    /// It stands in the queue as a writer that may read already: it reads together with the readers before it, those
    /// that come later wait until it has decided. So nothing can come between its reading and its writing, and two of
    /// them do not wait for each other. It decides by ``upgrade(_:timeout:)``, by ``downgrade(_:)``, which lets the
    /// readers behind it in, or by releasing. In ``contenders(limit:)`` it does not count as a holder while readers are
    /// before it.
    ///
    /// - Parameter timeout: how long to wait at most; `nil` waits for ever, zero only tries.
    public func acquireUpgradableRead(timeout: Duration? = nil) async throws(ZooKeeperError) -> LockGrant {
        try await acquire(.write, isShared: true, timeout: timeout)
    }

    /// Waits until the readers before an upgradable one have gone; then its grant holds for writing, with the same
    /// token.
    ///
    /// Until then, and if it throws for another reason than `holdLost`, it goes on to hold for reading.
    ///
    /// - Parameter timeout: how long to wait at most; `nil` waits for ever, zero only tries.
    /// - Throws: `deadlineExceeded`, `cancelled`, `selfDeadlock` if the task tree itself reads before it, `holdLost`;
    ///   `badArguments` for a grant that is not upgradable.
    /// - Cost: one request if nobody reads; two watches and a listing for each reader that is waited for.
    public func upgrade(_ grant: LockGrant, timeout: Duration? = nil) async throws(ZooKeeperError) {
        let isTry = timeout.map { $0 <= .zero } ?? false
        let isDone = try await contenders.upgrade(
            grant, patience: isTry ? .once : .wait, deadline: isTry ? .never : .init(after: timeout))
        guard isDone else { throw ZooKeeperError(.deadlineExceeded, path: contenders.path) }
    }

    /// Turns a hold for writing, or an upgradable one, into one for reading without letting a writer in between.
    ///
    /// One transaction replaces the writer's node by a reader's at the same place in the queue, so readers behind it
    /// get in and no writer overtakes (the defect of CURATOR-621). The token stays the writer's, so that it remains
    /// below those of later writers. The grant given is released by it; for grants by handle.
    ///
    /// - Throws: `holdLost` if the hold had ended; `badArguments` for a grant that is not for writing at this path;
    ///   else what the transaction throws, with nothing changed, or, if the outcome is unknown, with both holds given
    ///   up.
    /// - Cost: one request.
    public func downgrade(_ grant: LockGrant) async throws(ZooKeeperError) -> LockGrant {
        try await contenders.downgrade(grant)
    }

    /// Who holds and who waits, in order.
    public func contenders(
        limit: Int = Contenders.defaultListLimit
    ) async throws(ZooKeeperError) -> [Contender] {
        try await contenders.list(limit: limit)
    }

    /// Asks a holder to give up; see ``Contenders/requestRevocation(of:)``.
    @discardableResult
    public func requestRevocation(of contender: Contender) async throws(ZooKeeperError) -> Bool {
        try await contenders.requestRevocation(of: contender)
    }

    /// Returns when every node given up so far has been removed, or the session is over.
    package func waitUntilClean() async { await contenders.cleaner.waitUntilIdle() }

    private func acquire(
        _ kind: ContenderKind, isShared: Bool? = nil, timeout: Duration?
    ) async throws(ZooKeeperError) -> LockGrant {
        let patience: AttemptPatience = if let timeout, timeout <= .zero { .once } else { .wait }
        guard
            let hold = try await contenders.acquire(
                kind, isShared: isShared, patience: patience,
                deadline: patience == .once ? .never : .init(after: timeout))
        else { throw ZooKeeperError(.deadlineExceeded, path: contenders.path) }
        return LockGrant(hold)
    }
}
