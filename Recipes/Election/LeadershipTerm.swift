public import ConclaveClient
public import ConclaveCore

/// A term of leadership, current or past: what ``MasterElection`` gives.
///
/// It ends once: by ``resign()``, by loss, or when the last reference to it goes, which resigns in the background.
public final class LeadershipTerm: Sendable {
    let hold: Hold

    init(_ hold: Hold) { self.hold = hold }

    deinit { hold.abandon() }

    /// The number of the term: greater than that of every earlier term; send it along with every effect (S10).
    public var token: FencingToken { hold.token }

    /// The path of the candidate's node, as the client that was elected sees it.
    public var path: String { hold.path }

    /// The session that the node belongs to: always the client's own.
    public var session: SessionID { hold.session }

    /// Until when nobody else can lead unless a server confirms the session anew, which moves this moment on.
    public var validUntil: ContinuousClock.Instant { hold.client.validUntil }

    /// Whether this is the leader, as far as this side can know now.
    public var isLeading: Bool { hold.isHeld }

    /// Why the term was lost; `nil` while it lasts and after a resignation.
    public var loss: HoldLoss? { hold.loss }

    /// Waits for the end: returns the reason of a loss, or `nil` after a resignation. Throws if the waiting task is
    /// cancelled.
    public func lost() async throws(CancellationError) -> HoldLoss? { try await hold.waitForLoss() }

    /// Sends operations that take effect, all or none, only if this is still the leader when they do; see
    /// ``LockGrant/guarded(_:)``.
    @discardableResult
    public func guarded(_ operations: [Operation]) async throws(ZooKeeperError) -> [OperationResult] {
        try await hold.guarded(operations)
    }

    /// Replaces what others see in ``MasterElection/leader()``; takes effect only while this is the leader.
    ///
    /// - Parameter identity: the text; other clients of the election read it as the candidate's identity.
    /// - Cost: one request.
    public func announce(_ identity: String) async throws(ZooKeeperError) {
        _ = try await hold.guarded([.setData(hold.path, Array(identity.utf8), version: nil)])
    }

    /// What proves the term to other processes; see ``Sequencer``.
    public var sequencer: Sequencer { hold.sequencers[0] }

    /// Hands leadership to one of the candidates, past those who wait before it; the place of this one is taken in one
    /// transaction, so that nobody else leads in between.
    ///
    /// The candidate must be one of this library's. Stop whatever only the leader may do before; if nobody takes over,
    /// this is still the leader. The new term is greater than this one, and later ones are greater than it.
    ///
    /// - Parameters:
    ///   - candidate: one of ``MasterElection/candidates(limit:)``.
    ///   - timeout: how long the candidate may take.
    /// - Returns: whether it has taken over; then this term has ended as if by ``resign()``. `false` if the candidate
    ///   has gone or has not answered in time.
    /// - Throws: `badArguments` for a candidate of another election or of another library's making; `holdLost` if the
    ///   term had ended; `cancelled`, after which it may still take over.
    /// - Cost: 5 requests here, 2 for the candidate; until those who wait now have gone, 2 more for each new term.
    public func handOver(
        to candidate: Contender, within timeout: Duration = .seconds(5)
    ) async throws(ZooKeeperError) -> Bool {
        guard
            hold.isLive,
            let machine = HandOverMachine(
                path: hold.parent, own: hold.path, candidate: candidate.path, patience: timeout),
            NodePath(candidate.path).parent == NodePath(hold.parent)
        else {
            if !hold.isLive { throw hold.lostError() }
            throw ZooKeeperError(
                .badArguments, path: candidate.path, message: "this candidate cannot be handed over to")
        }
        let hold = hold
        try await hold.replace(isUnknown: { _ in false }) { () async throws(ZooKeeperError) -> Bool in
            try await StepRunner.run(
                machine, client: hold.client, cleaner: hold.cleaner, path: hold.parent, acl: .open) == .taken
        }
        return hold.wasReleased
    }

    /// Gives leadership up: the next candidate follows within a round trip. Does nothing if the term has ended.
    ///
    /// - Cost: one request.
    public func resign() async { await hold.release() }
}
