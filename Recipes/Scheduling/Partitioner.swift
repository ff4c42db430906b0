public import ConclaveClient
public import ConclaveCore

/// Divides named shares of work among those who take part: cooperative, sticky, fenced.
///
/// ```swift
/// let partitioner = Partitioner(client, at: "/jobs/orders", member: "host-7", shares: (0..<64).map { "p\($0)" })
/// try await partitioner.run { share in                       // once for each share that this member gets
///     while true { try await process(share.name, fencingToken: share.token) }
/// }
/// ```
///
/// A share is a lock. Who should compete for it is written by an elected member into one node; everybody reads it, lets
/// go of what is another's, and queues for what is its own. So a wrong or old assignment can make a share wait, never
/// run twice: that rests on the lock alone.
///
/// - **Guarantee**: S1 to S5 for each share, with *share* for *lock*: one member runs it at a time within the hold
///   window, tokens grow. Members differ by at most one share; only the fewest possible shares move. The shares of a
///   member that dies are with others once its session is over; a share that moves is let go before it is taken.
/// - **Layout**: members `path/members/<member>`, election `path/assigner`, assignment `path/assignment` (JSON),
///   shares `path/shares/<share>/…-lock-<n>`: that of ``DistributedLock``.
/// - **Cancellation**: every share's body is cancelled and waited for, its lock released, then the group is left.
/// - **Session loss**: every body is cancelled, ``run(_:)`` throws `holdLost`.
/// - **Cost**: each change of members costs the elected member 2 requests and every member 1; a share that moves costs
///   those of a lock. One notification per member and assignment, one per share that moves.
/// - **Source**: Kafka's cooperative sticky assignment for what moves; ``DistributedLock`` and ``MasterElection`` for
///   the rest.
public struct Partitioner: Sendable {
    let client: ZooKeeperClient
    let path: String
    let member: String
    private let shares: [String]
    private let settle: Duration
    private let acl: [ACL]
    let cleaner: Cleaner

    /// Takes part in the division of work at a path.
    ///
    /// - Parameters:
    ///   - member: the name of this member, unique among them: a node's name.
    ///   - shares: the names of all shares, each a node's name; the same for all members, else the elected one's count.
    ///     Together with the members' names they must fit into one node.
    ///   - settle: how long newcomers are waited for before shares move to them; those of members that went move at
    ///     once.
    ///   - acl: the access control list of the nodes that are made.
    public init(
        _ client: ZooKeeperClient, at path: String, member: String, shares: some Sequence<String>,
        settle: Duration = .milliseconds(500), acl: [ACL] = .open
    ) {
        self.client = client
        self.path = path
        self.member = member
        self.shares = Set(shares).sorted()
        self.settle = settle
        self.acl = acl
        cleaner = Cleaner(client)
    }

    /// A share of the work, for as long as this member has it.
    public struct Share: Sendable {
        /// Its name.
        public let name: String
        /// The lock that stands for it: its hold window, its loss and its guarded writes.
        public let grant: LockGrant

        /// The number to send along with every effect: greater than that of every earlier member that had this share.
        public var token: FencingToken { grant.token }
    }

    // MARK: - Taking part

    /// Takes part until the task is cancelled.
    ///
    /// The body runs once for each share whenever this member gets it, in a child task that is cancelled when the share
    /// goes to another member or is lost; only when it has ended does the share go on. A body that returns by itself
    /// leaves the share with this member, at rest.
    ///
    /// - Throws: what a body throws of its own account, after all others have been cancelled; `holdLost` when the
    ///   session is over; `cancelled`. What a body throws while its share is taken away is taken for a consequence.
    public func run(_ body: @escaping @Sendable (Share) async throws -> Void) async throws {
        for share in shares where share.isEmpty || share.contains("/") {
            throw ZooKeeperError(
                .badArguments, path: path, message: "a share's name is the name of a node: not empty, without /")
        }
        let group = Group(client, at: path + "/members", acl: acl)
        try await group.withMembership(as: member) { _ in
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try await assign() }
                tasks.addTask { try await follow(body) }
                defer { tasks.cancelAll() }
                try await tasks.next()
            }
        }
    }

    /// Stands for election, and assigns while it is elected.
    private func assign() async throws {
        let election = MasterElection(client, at: path + "/assigner", identity: member, acl: acl)
        try await election.run { term in
            let machine = AssignerMachine(
                node: assignmentPath, members: path + "/members", term: term.path, shares: shares, settle: settle,
                acl: acl)
            var runner = StepRunner(machine, client: client, cleaner: cleaner, path: path, acl: acl)
            switch try await runner.run(expiry: Expiry()) {
            case .overtaken: return .competeAgain
            }
        }
    }

    /// Runs what the newest assignment gives to this member, and stops what it gives to others.
    private func follow(_ body: @escaping @Sendable (Share) async throws -> Void) async throws {
        let failure = Signal<any Error>()
        let result = await Scope.run {
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                var running: [String: Signal<Void>] = [:]
                for try await revision in Configuration<ShareAssignment>(client, at: assignmentPath).updates {
                    let own = Set(revision.value.shares(of: member))
                    for (share, stop) in running where !own.contains(share) {
                        stop.fire(())
                        running[share] = nil
                    }
                    for share in own.sorted() where running[share] == nil {
                        let stop = Signal<Void>()
                        running[share] = stop
                        tasks.addTask { await keep(share, until: stop, failure: failure, body) }
                    }
                }
                tasks.cancelAll()
            }
        } until: { () async throws(CancellationError) in
            _ = try await failure.wait()
            return true
        }
        if let error = failure.value { throw error }
        try result.get()
        try Task.checkCancellation()
    }

    /// Has one share, again after each loss, until it is told to stop.
    private func keep(
        _ share: String, until stop: Signal<Void>, failure: Signal<any Error>,
        _ body: @escaping @Sendable (Share) async throws -> Void
    ) async {
        let lock = DistributedLock(client, at: path + "/shares/" + share, identity: member, acl: acl)
        let result = await Scope.run {
            while true {
                let grant = try await lock.acquire()
                do {
                    try await grant.hold.scope {
                        try await body(Share(name: share, grant: grant))
                        // Nobody else gets it for that the work on it is done.
                        try await Signal<Void>().wait()
                    }
                } catch {
                    // The next acquire waits for a connection, or throws if the session is over.
                    guard grant.loss != nil, !Task.isCancelled else { throw error }
                }
            }
        } until: { () async throws(CancellationError) in
            try await stop.wait()
            return true
        }
        if case .failure(let error) = result, stop.value == nil, !Task.isCancelled { failure.fire(error) }
    }

    // MARK: - Looking on

    private var assignmentPath: String { path + "/assignment" }

    /// Who should have which share; `nil` before the first assignment. Cost: one request.
    public func assignment() async throws -> ShareAssignment? {
        try await Configuration<ShareAssignment>(client, at: assignmentPath).current()?.value
    }

    /// Who has a share now, and who waits for it: the first has it.
    public func holders(of share: String) async throws(ZooKeeperError) -> [Contender] {
        try await Contenders(client, at: path + "/shares/" + share).list()
    }
}
