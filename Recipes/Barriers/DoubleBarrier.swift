public import ConclaveClient
public import ConclaveCore

/// A barrier that so many members pass together, at the beginning of their work and at its end.
///
/// ```swift
/// let round = DoubleBarrier(client, at: "/barriers/round-7", count: 64)
/// try await round.together { try await compute() }         // begins when 64 are there, returns when 64 are done
/// ```
///
/// - **Guarantee**: `enter` returns after a moment at which so many members were there, `leave` after a moment at which
///   none of those was who were in with this member.
/// - **Layout**: `<path>/<id>` ephemeral for each member, `<path>/ready` while they are in; as Curator's
///   `DistributedDoubleBarrier` and kazoo's `DoubleBarrier`, whose members count with ours.
/// - **Broken barriers**: a member that dies, gives up or is cancelled before all are there simply is not there. With
///   `breaks` it breaks the barrier: those who wait throw `barrierBroken`, and so does who comes later, until ``reset()``.
///   No member goes unnoticed, however short its stay: the server counts them (`cversion`). All members must ask for it;
///   Curator's and kazoo's do not notice. While they work and when they leave, a member that dies counts as having left.
/// - **Cancellation** and deadlines end waiting, the own node goes.
/// - **Session loss**: waiters throw.
/// - **Cost**: 3 or 4 requests to enter and 4 to leave; one notification for each member when it opens. With `breaks` 4 more
///   to enter, and for the first member one listing for each that comes.
/// - **Source**: the double barrier recipe of ZooKeeper's documentation.
public struct DoubleBarrier: Sendable {
    private let client: ZooKeeperClient
    private let path: String
    private let count: Int
    private let breaks: Bool
    private let identity: String
    private let acl: [ACL]
    private let cleaner: Cleaner

    /// A barrier at a path, which is made when the first member comes.
    ///
    /// - Parameters:
    ///   - client: the session of the member.
    ///   - path: the parent of the members, not the root; for nothing else.
    ///   - count: how many members there are, at least 1; the same for all.
    ///   - breaks: whether a member that goes before all are there breaks the barrier for the others.
    ///   - identity: the data of the member's node, such as a host name.
    ///   - acl: the access control list of the nodes that this creates.
    public init(
        _ client: ZooKeeperClient, at path: String, count: Int, breaks: Bool = false, identity: String = "",
        acl: [ACL] = .open
    ) {
        self.client = client
        self.path = path
        self.count = max(1, count)
        self.breaks = breaks
        self.identity = identity
        self.acl = acl
        cleaner = Cleaner(client)
    }

    /// Enters, runs the body, leaves. A member whose body throws leaves without waiting for the others.
    ///
    /// - Parameter timeout: how long to wait at most, to enter and again to leave.
    public func together<R: Sendable>(
        timeout: Duration? = nil, _ body: @Sendable () async throws -> R
    ) async throws -> R {
        let member = try await enter(timeout: timeout)
        let result: R
        do {
            result = try await body()
        } catch {
            member.withdraw()
            throw error
        }
        try await member.leave(timeout: timeout)
        return result
    }

    /// Comes to the barrier and waits until all members are there.
    ///
    /// - Throws: `barrierBroken`, `deadlineExceeded`, `cancelled`, `sessionExpired` or what a request threw.
    public func enter(timeout: Duration? = nil) async throws(ZooKeeperError) -> DoubleBarrierMember {
        var generator = SystemRandomNumberGenerator()
        let nodes = DoubleBarrierNodes(path: path, member: AttemptID(using: &generator).text)
        try await Deadline(after: timeout).limit { (expiry: Expiry) async throws(ZooKeeperError) in
            let machine = EnterMachine(
                nodes: nodes, count: count, identity: Array(identity.utf8), breaks: breaks, session: client.sessionID,
                acl: acl)
            var runner = StepRunner(machine, client: client, cleaner: cleaner, path: path, acl: acl)
            try await runner.run(expiry: expiry)
        }
        return DoubleBarrierMember(client: client, nodes: nodes, cleaner: cleaner)
    }

    /// How many members are there: on their way in, in, or on their way out. One request.
    public func members() async throws(ZooKeeperError) -> Int {
        DoubleBarrierNodes.members(try await client.childrenIfPresent(of: path)).count
    }

    /// Makes a broken barrier usable again, when all members know that it was broken. One request.
    public func reset() async throws(ZooKeeperError) {
        try await client.deleteIfPresent(NodePath.text(of: DoubleBarrierNodes.readyName, below: path))
    }

    /// Returns when nothing is left to clean up, or the session is over.
    package func waitUntilClean() async { await cleaner.waitUntilIdle() }
}

/// One who is in: has entered and not left. Dropped, it leaves without waiting.
public final class DoubleBarrierMember: Sendable {
    private let client: ZooKeeperClient
    private let nodes: DoubleBarrierNodes
    private let cleaner: Cleaner

    init(client: ZooKeeperClient, nodes: DoubleBarrierNodes, cleaner: Cleaner) {
        self.client = client
        self.nodes = nodes
        self.cleaner = cleaner
    }

    deinit { withdraw() }

    /// Leaves and waits until the others have left. At once if this member has left before.
    ///
    /// - Throws: `deadlineExceeded`, `cancelled`, `sessionExpired` or what a request threw; the member has left all the
    ///   same.
    public func leave(timeout: Duration? = nil) async throws(ZooKeeperError) {
        guard hasLeft.fire(()) else { return }
        let nodes = nodes
        try await Deadline(after: timeout).limit {
            [client, cleaner] (expiry: Expiry) async throws(ZooKeeperError) in
            var runner = StepRunner(LeaveMachine(nodes: nodes), client: client, cleaner: cleaner, path: nodes.path)
            try await runner.run(expiry: expiry)
        }
    }

    /// Leaves without waiting for anybody.
    public func withdraw() {
        guard hasLeft.fire(()) else { return }
        let own = nodes.own
        cleaner.start { client throws(ZooKeeperError) in try await client.deleteIfPresent(own) }
    }

    private let hasLeft = Signal<Void>()
}
