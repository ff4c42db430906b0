public import ConclaveClient
public import ConclaveCore

/// Several locks that are held together or not at all.
///
/// ```swift
/// let transfer = MultiLock(client, at: ["/locks/account-7", "/locks/account-9"])
/// try await transfer.withLock { grant in try await move(fencingToken: grant.token) }
/// ```
///
/// - **Guarantee**: S1–S9 of the safety statement at each of the paths; one token for all. The hold ends when any of
///   its nodes goes. Any number of multi-locks over the same paths, named in any order, cannot block each other for
///   ever: they queue everywhere in one transaction, so of two of them one is first in every queue they share. That
///   holds as long as a task takes all its locks by one multi-lock; one inside the scope of another can deadlock.
/// - **Layout**: at each path the node of ``DistributedLock`` or ``ReadWriteLock``, so both, and Curator's and kazoo's
///   locks, contend with it.
/// - **Cancellation and deadline** end the wait at once; all nodes are removed in the background.
/// - **Session loss**: as ``DistributedLock``.
/// - **Cost**: 2 requests to get them uncontended and 1 to give them up, however many there are; a watch, a watch on
///   the own node and a look for each contender that has to be waited for. While it waits for one of the locks it
///   stands in the queues of the others too, and those behind it wait with it.
/// - **Source**: atomic broadcast orders transactions totally; that no lower number can then come is ZooKeeper's
///   recipe for locks.
public struct MultiLock: Sendable {
    /// One of the locks, and how it is held.
    public struct Member: Hashable, Sendable {
        let path: String
        let kind: ContenderKind

        /// A ``DistributedLock`` in fair order.
        public static func lock(_ path: String) -> Member { Member(path: path, kind: .lock) }
        /// A ``ReadWriteLock``, for reading.
        public static func read(_ path: String) -> Member { Member(path: path, kind: .read) }
        /// A ``ReadWriteLock``, for writing.
        public static func write(_ path: String) -> Member { Member(path: path, kind: .write) }
    }

    /// The most locks that can be held together.
    public static let memberLimit = 50

    private let client: ZooKeeperClient
    private let members: [Member]
    private let identity: String
    private let acl: [ACL]
    private let cleaner: Cleaner

    /// Locks that are exclusive; see ``init(_:_:identity:acl:)``.
    public init(_ client: ZooKeeperClient, at paths: [String], identity: String = "", acl: [ACL] = .open) {
        self.init(client, paths.map { .lock($0) }, identity: identity, acl: acl)
    }

    /// Locks to be held together.
    ///
    /// - Parameters:
    ///   - client: the session that contends.
    ///   - members: 1 to 50 locks in any order, no path twice.
    ///   - identity: what others see in the contenders' lists.
    ///   - acl: the access control list of the nodes that are created.
    public init(_ client: ZooKeeperClient, _ members: [Member], identity: String = "", acl: [ACL] = .open) {
        self.client = client
        self.members = members.sorted { NodePath($0.path) < NodePath($1.path) }
        self.identity = identity
        self.acl = acl
        cleaner = Cleaner(client)
    }

    /// Waits for all the locks, runs the body, gives them up; see ``DistributedLock/withLock(timeout:onPosition:_:)``.
    public func withLock<R: Sendable>(
        timeout: Duration? = nil, _ body: @escaping @Sendable (LockGrant) async throws -> R
    ) async throws -> R {
        let grant = try await acquire(timeout: timeout)
        return try await grant.hold.scope { try await body(grant) }
    }

    /// Runs the body if all the locks are free and returns its result; returns `nil` at once if one is not.
    public func tryWithLock<R: Sendable>(
        _ body: @escaping @Sendable (LockGrant) async throws -> R
    ) async throws -> R? {
        guard let grant = try await tryAcquire() else { return nil }
        return try await grant.hold.scope { try await body(grant) }
    }

    /// Waits for all the locks.
    ///
    /// - Parameter timeout: how long to wait at most; `nil` waits for ever, zero only tries.
    /// - Throws: `badArguments` for no locks, too many, or the same path twice; else as
    ///   ``DistributedLock/acquire(timeout:onPosition:)``.
    public func acquire(timeout: Duration? = nil) async throws(ZooKeeperError) -> LockGrant {
        let isTry = timeout.map { $0 <= .zero } ?? false
        let hold = try await hold(patience: isTry ? .once : .wait, deadline: isTry ? .never : .init(after: timeout))
        guard let hold else { throw ZooKeeperError(.deadlineExceeded, path: members.first?.path) }
        return LockGrant(hold)
    }

    /// Takes all the locks if nobody holds or waits for any of them; else returns `nil` and leaves nothing behind.
    public func tryAcquire() async throws(ZooKeeperError) -> LockGrant? {
        try await hold(patience: .once, deadline: .never).map(LockGrant.init)
    }

    /// Returns when every node given up so far has been removed, or the session is over.
    package func waitUntilClean() async { await cleaner.waitUntilIdle() }

    private func hold(patience: AttemptPatience, deadline: Deadline) async throws(ZooKeeperError) -> Hold? {
        guard let first = members.first, members.count <= Self.memberLimit else {
            throw ZooKeeperError(
                .badArguments, message: "\(members.count) locks together; 1 to \(Self.memberLimit) are allowed")
        }
        for (member, next) in zip(members, members.dropFirst()) where member.path == next.path {
            throw ZooKeeperError(.badArguments, path: member.path, message: "the same lock twice")
        }
        var generator = SystemRandomNumberGenerator()
        let machine = MultiLockMachine(
            members.map { .init(path: $0.path, word: $0.kind.rawValue, isShared: $0.kind.isShared) },
            attempt: AttemptID(using: &generator), session: client.sessionID, identity: Array(identity.utf8), acl: acl,
            patience: patience,
            ownHolds: members.reduce(into: []) { $0.formUnion(TaskHolds.paths(under: $1.path)) })
        let output = try await StepRunner.run(
            machine, client: client, cleaner: cleaner, path: first.path, acl: acl, deadline: deadline)
        guard case .granted(let paths, let czxid) = output else { return nil }
        let nodes = zip(members, paths).map { HeldNode(parent: $0.path, path: $1, isShared: $0.kind.isShared) }
        let hold = Hold(
            client: client, cleaner: cleaner, nodes: nodes, token: FencingToken(czxid), removal: .byName)
        hold.begin(ownWatch: nil)
        return hold
    }
}
