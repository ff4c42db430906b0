public import ConclaveClient
public import ConclaveCore

/// A number of leases for all clients of an ensemble: at most so many hold at once.
///
/// ```swift
/// let imports = Semaphore(client, at: "/semaphores/imports", limit: 4)
/// try await imports.withLease(timeout: .seconds(30)) { lease in
///     try await importNextFile(fencingToken: lease.token)
/// }
/// ```
///
/// - **Guarantee**: at no zxid do more leases exist than the limit that was in force when the newest of them was
///   given. First come, first served; tokens grow from grant to grant. What S3 and S5–S9 of the safety statement say
///   of a lock's hold is true of a lease.
/// - **Limit**: a number that all clients are given alike, or a node, which can be changed at any time: a raise lets
///   waiters in at once, a cut takes no lease away.
/// - **Layout**: that of Curator's `InterProcessSemaphoreV2`: `<path>/locks/_c_<uuid>-lock-<n>` is the queue,
///   `<path>/leases/_c_<uuid>-lease-<n>` a lease; all ephemeral, the identity as data. The limit's node holds four
///   bytes, big-endian, as Curator's `SharedCount`.
/// - **Cancellation and deadline** end the wait at once; the nodes are removed in the background.
/// - **Session loss**: waiters throw `sessionExpired`, leases are lost. A lost connection alone ends neither.
/// - **Cost**: 3 requests to get leases, however many at once, and 1 to give them up. Who waits watches only the one
///   before it in the queue; only the first watches the leases, so that one that is given back wakes one waiter.
/// - **Source**: Curator's layout; one transaction in the place of a lease that waits.
public struct Semaphore: Sendable {
    private let client: ZooKeeperClient
    private let plan: SemaphorePlan
    private let cleaner: Cleaner

    /// A semaphore whose limit every client knows.
    ///
    /// - Parameters:
    ///   - client: the session that contends.
    ///   - path: the node below which queue and leases are kept; for nothing else. It is made when it is first needed.
    ///   - limit: how many leases may be out; all clients of the path must say the same.
    ///   - identity: what others see in ``contenders(limit:)``.
    ///   - acl: the access control list of the nodes that this semaphore creates.
    public init(_ client: ZooKeeperClient, at path: String, limit: Int, identity: String = "", acl: [ACL] = .open) {
        self.init(client, SemaphorePlan(path: path, limit: .fixed(limit), identity: Array(identity.utf8), acl: acl))
    }

    /// A semaphore whose limit is in a node and can be changed at any time.
    ///
    /// - Parameters:
    ///   - client: the session that contends.
    ///   - path: the node below which queue and leases are kept; for nothing else.
    ///   - limitPath: the node of the limit, outside of `path/locks` and `path/leases`.
    ///   - initialLimit: what is written there if there is no such node yet.
    ///   - identity: what others see in ``contenders(limit:)``.
    ///   - acl: the access control list of the nodes that this semaphore creates.
    public init(
        _ client: ZooKeeperClient, at path: String, limitAt limitPath: String, initially initialLimit: Int32,
        identity: String = "", acl: [ACL] = .open
    ) {
        let limit = SemaphorePlan.Limit.shared(limitPath, initially: initialLimit)
        self.init(client, SemaphorePlan(path: path, limit: limit, identity: Array(identity.utf8), acl: acl))
    }

    private init(_ client: ZooKeeperClient, _ plan: SemaphorePlan) {
        self.client = client
        self.plan = plan
        cleaner = Cleaner(client)
    }

    // MARK: - Scoped

    /// Waits for leases, runs the body, gives them up.
    ///
    /// The body runs in a child task that is cancelled when a lease is lost or the caller is cancelled; the call
    /// returns only when the body has ended.
    ///
    /// - Parameters:
    ///   - permits: how many leases, all or none.
    ///   - timeout: how long to wait at most; `nil` waits for ever, zero only tries.
    /// - Throws: as ``DistributedLock/withLock(timeout:onPosition:_:)``.
    public func withLease<R: Sendable>(
        permits: Int = 1, timeout: Duration? = nil, _ body: @escaping @Sendable (LockGrant) async throws -> R
    ) async throws -> R {
        let grant = try await acquire(permits: permits, timeout: timeout)
        return try await grant.hold.scope { try await body(grant) }
    }

    /// Runs the body if the leases can be had at once and returns its result; returns `nil` if not.
    public func tryWithLease<R: Sendable>(
        permits: Int = 1, _ body: @escaping @Sendable (LockGrant) async throws -> R
    ) async throws -> R? {
        guard let grant = try await tryAcquire(permits: permits) else { return nil }
        return try await grant.hold.scope { try await body(grant) }
    }

    // MARK: - By handle

    /// Waits for leases.
    ///
    /// Who wants many waits at the head of the queue until there are so many, and those behind wait with it.
    ///
    /// - Parameters:
    ///   - permits: how many, all or none.
    ///   - timeout: how long to wait at most; `nil` waits for ever, zero only tries.
    /// - Throws: `badArguments` for more permits than a fixed limit, or fewer than one; else as
    ///   ``DistributedLock/acquire(timeout:onPosition:)``.
    public func acquire(permits: Int = 1, timeout: Duration? = nil) async throws(ZooKeeperError) -> LockGrant {
        let isTry = timeout.map { $0 <= .zero } ?? false
        let hold = try await hold(
            permits, patience: isTry ? .once : .wait, deadline: isTry ? .never : .init(after: timeout))
        guard let hold else { throw ZooKeeperError(.deadlineExceeded, path: plan.path) }
        return LockGrant(hold)
    }

    /// Takes leases if nobody waits and so many are left; else returns `nil` and leaves nothing behind.
    public func tryAcquire(permits: Int = 1) async throws(ZooKeeperError) -> LockGrant? {
        try await hold(permits, patience: .once, deadline: .never).map(LockGrant.init)
    }

    // MARK: - Limit

    /// The limit; of a shared one what its node says now, or would say at the first acquire.
    public func currentLimit() async throws(ZooKeeperError) -> Int {
        switch plan.limit {
        case .fixed(let limit): return limit
        case .shared(let path, let initially):
            let bytes: [UInt8]
            do {
                bytes = try await client.data(at: path).bytes
            } catch let error where error.code == .noNode {
                return Int(initially)
            }
            guard let limit = SharedLimit.decode(bytes) else {
                throw ZooKeeperError(.badConfiguration, path: path, message: "the limit must be four bytes")
            }
            return Int(limit)
        }
    }

    /// Changes a shared limit for everybody: a raise lets waiters in at once, a cut takes no lease away.
    ///
    /// - Throws: `badArguments` if the limit is fixed; else what the write throws.
    public func setLimit(_ limit: Int32) async throws(ZooKeeperError) {
        guard case .shared(let path, _) = plan.limit else {
            throw ZooKeeperError(.badArguments, path: plan.path, message: "the limit of this semaphore is fixed")
        }
        do {
            try await client.setData(at: path, to: SharedLimit.encode(limit))
        } catch let error where error.code == .noNode {
            try await client.ensurePath(path, acl: plan.acl)
            try await client.setData(at: path, to: SharedLimit.encode(limit))
        }
    }

    // MARK: - Looking on

    /// Who has leases, then who waits, each in the order of arrival; one entry for each lease.
    ///
    /// - Parameter limit: how many of each kind to read.
    public func contenders(limit: Int = Contenders.defaultListLimit) async throws(ZooKeeperError) -> [Contender] {
        let holders = try await Contenders(client, at: plan.leases).list(limit: limit)
        let waiters = try await Contenders(client, at: plan.locks).list(limit: limit)
        return holders.map { $0.asLease(holds: true, position: $0.position) }
            + waiters.map { $0.asLease(holds: false, position: holders.count + $0.position) }
    }

    /// Asks a holder to give its leases back; see ``Contenders/requestRevocation(of:)``.
    @discardableResult
    public func requestRevocation(of contender: Contender) async throws(ZooKeeperError) -> Bool {
        try await Revocation.request(contender.path, with: client)
    }

    /// Returns when every node given up so far has been removed, or the session is over.
    package func waitUntilClean() async { await cleaner.waitUntilIdle() }

    private func hold(
        _ permits: Int, patience: AttemptPatience, deadline: Deadline
    ) async throws(ZooKeeperError) -> Hold? {
        let most = if case .fixed(let limit) = plan.limit { limit } else { Self.permitLimit }
        guard (1...Self.permitLimit).contains(permits), permits <= most else {
            throw ZooKeeperError(
                .badArguments, path: plan.path, message: "\(permits) leases of at most \(most) cannot be had")
        }
        let plan = SemaphorePlan(
            path: plan.path, limit: plan.limit, permits: permits, identity: plan.identity, acl: plan.acl)
        var generator = SystemRandomNumberGenerator()
        let machine = SemaphoreMachine(
            plan, attempt: AttemptID(using: &generator), session: client.sessionID, patience: patience,
            ownLeases: TaskHolds.paths(under: plan.leases))
        let output = try await StepRunner.run(
            machine, client: client, cleaner: cleaner, path: plan.path, acl: plan.acl, deadline: deadline)
        guard case .granted(let leases) = output else { return nil }
        let hold = Hold(
            client: client, cleaner: cleaner,
            nodes: leases.paths.map { HeldNode(parent: plan.leases, path: $0, isShared: true) },
            token: FencingToken(leases.czxid), removal: .byName)
        hold.begin(ownWatch: nil)
        return hold
    }

    /// The most leases that one acquire may ask for.
    public static let permitLimit = 1_000
}
