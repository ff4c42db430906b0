public import ConclaveClient
public import ConclaveCore

/// Elects one leader among the clients of an ensemble.
///
/// ```swift
/// let billing = MasterElection(client, at: "/masters/billing", identity: "host-7")
/// try await billing.whileLeader { term in try await runBilling(term: term.token) }
/// ```
///
/// - **Guarantee**: S10: as a lock, with *term* for *token*. The body is cancelled when the term ends early.
/// - **Layout**: `<path>/_c_<uuid>-latch-<number>`, ephemeral, the identity as data: that of Curator's `LeaderLatch`.
///   First come: `<path>/lock`, as ``DistributedLock`` in that order: whoever creates the node leads, the others watch
///   it go.
/// - **Cancellation and deadline** end the candidacy at once; the node is removed in the background.
/// - **Session loss**: candidates throw `sessionExpired`, a leader's term is lost. A lost connection alone ends
///   neither.
/// - **Cost**: 2 requests to be elected without rivals and 1 to resign; a candidate watches only the one before it.
/// - **Source**: ZooKeeper's recipe for leader election; Curator's layout.
public struct MasterElection: Sendable {
    /// What follows a term in ``run(_:)``.
    public enum NextStep: Hashable, Sendable {
        /// Queue again, behind the candidates that wait.
        case competeAgain
        /// Leave.
        case stop
    }

    let contenders: Contenders
    /// Those who compete in the simple form.
    let comers: FirstComers?

    /// An election at a path, which is made when it is first needed.
    ///
    /// - Parameters:
    ///   - client: the session that stands as a candidate.
    ///   - path: the node below which candidates queue; for nothing else.
    ///   - order: who is elected next; all candidates of one path must use the same order.
    ///   - identity: what others see of this candidate, such as a host name and port.
    ///   - acl: the access control list of the nodes that this election creates.
    public init(
        _ client: ZooKeeperClient, at path: String, order: DistributedLock.Order = .fair, identity: String = "",
        acl: [ACL] = .open
    ) {
        contenders = Contenders(client, at: path, identity: identity, acl: acl)
        comers =
            order == .firstCome ? FirstComers(client, at: path, identity: identity, acl: acl) : nil
    }

    // MARK: - Scoped

    /// Waits to be elected, runs the body for one term, resigns.
    ///
    /// The body runs in a child task that is cancelled when the term is lost or the caller is cancelled; the call
    /// returns only when the body has ended.
    ///
    /// - Parameter timeout: how long to wait for the election at most; `nil` waits for ever, zero only tries.
    /// - Throws: what the body throws; `holdLost` if the term ended first, with the body's error as its cause; else as
    ///   ``DistributedLock/withLock(timeout:onPosition:_:)``.
    public func whileLeader<R: Sendable>(
        timeout: Duration? = nil, _ body: @escaping @Sendable (LeadershipTerm) async throws -> R
    ) async throws -> R {
        let term = try await campaign(timeout: timeout)
        return try await term.hold.scope { try await body(term) }
    }

    /// Leads term after term: competes again when a term was lost and when the body asks for it.
    ///
    /// Ends when the body returns ``NextStep/stop`` or throws on its own account, when the task is cancelled, or when
    /// the session is over; a lost connection or a removed node only costs the term. An error that the body throws
    /// while its term is being lost is taken for a consequence of the loss.
    public func run(_ body: @escaping @Sendable (LeadershipTerm) async throws -> NextStep) async throws {
        while true {
            let term = try await campaign()
            do {
                if try await term.hold.scope({ try await body(term) }) == .stop { return }
            } catch {
                // The next campaign waits for a connection, or throws if the session is over.
                guard term.loss != nil, !Task.isCancelled else { throw error }
            }
        }
    }

    // MARK: - By handle

    /// Waits to be elected.
    ///
    /// - Parameters:
    ///   - timeout: how long to wait at most; `nil` waits for ever, zero only tries.
    ///   - onPosition: is told the place among the candidates, see ``DistributedLock/acquire(timeout:onPosition:)``.
    public func campaign(
        timeout: Duration? = nil, onPosition: (@Sendable (QueuePosition) -> Void)? = nil
    ) async throws(ZooKeeperError) -> LeadershipTerm {
        let isTry = timeout.map { $0 <= .zero } ?? false
        let hold = try await hold(
            patience: isTry ? .once : .wait, deadline: isTry ? .never : .init(after: timeout),
            report: onPosition.map { PositionReport($0) })
        guard let hold else { throw ZooKeeperError(.deadlineExceeded, path: contenders.path) }
        return LeadershipTerm(hold)
    }

    /// Takes leadership if there is no candidate; else returns `nil` and leaves nothing behind.
    public func tryCampaign() async throws(ZooKeeperError) -> LeadershipTerm? {
        try await hold(patience: .once, deadline: .never).map(LeadershipTerm.init)
    }

    private func hold(
        patience: AttemptPatience, deadline: Deadline, report: PositionReport? = nil
    ) async throws(ZooKeeperError) -> Hold? {
        if let comers { return try await comers.acquire(patience: patience, deadline: deadline) }
        return try await contenders.acquire(.latch, patience: patience, deadline: deadline, report: report)
    }

    // MARK: - Looking on

    /// The candidates in the order in which they will lead; the first leads. First come, only the leader is known.
    public func candidates(
        limit: Int = Contenders.defaultListLimit
    ) async throws(ZooKeeperError) -> [Contender] {
        guard comers != nil else { return try await contenders.list(limit: limit) }
        guard limit > 0, let leader = try await leader() else { return [] }
        return [leader]
    }

    /// The leader; `nil` if there is no candidate. Cost: two requests; first come, one.
    public func leader() async throws(ZooKeeperError) -> Contender? {
        if let comers { return try await comers.holder() }
        return try await contenders.list(limit: 1).first
    }

    /// Returns when every node given up so far has been removed, or the session is over.
    package func waitUntilClean() async {
        await contenders.cleaner.waitUntilIdle()
        await comers?.cleaner.waitUntilIdle()
    }
}
