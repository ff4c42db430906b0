public import ConclaveClient
public import ConclaveCore

/// A lock that is held, or was: what ``DistributedLock``, ``ReadWriteLock``, ``MultiLock`` and ``Semaphore`` give.
///
/// It ends once: by ``release()``, by loss, or when the last reference to it goes, which releases it in the background.
/// After its end it never becomes held again. What ends a hold, and when this side can know, is on the page
/// "What ends a hold".
public final class LockGrant: Sendable {
    /// What is held.
    public enum Mode: Hashable, Sendable {
        /// Nobody else holds.
        case exclusive
        /// Others may share; nobody holds exclusively.
        case shared
    }

    let hold: Hold
    /// Whether a scope around the one that it was given to holds, and gives up.
    private let isNested: Bool

    init(_ hold: Hold, isNested: Bool) {
        self.hold = hold
        self.isNested = isNested
    }

    convenience init(_ hold: Hold) { self.init(hold, isNested: false) }

    deinit { if !isNested { hold.abandon() } }

    /// The number to send along with every effect on a resource that checks it; see ``FencingToken`` and
    /// ``FenceGuard``.
    public var token: FencingToken { hold.token }

    /// Whether it is held exclusively or shared.
    public var mode: Mode { hold.isShared ? .shared : .exclusive }

    /// The path of the contender's node, as the client that acquired sees it; the first of ``paths``.
    public var path: String { hold.path }

    /// The paths of all nodes that stand for the hold: several for a ``MultiLock`` and for several leases of a
    /// ``Semaphore``.
    public var paths: [String] { hold.nodes.map(\.path) }

    /// The session that the node belongs to: always the client's own (S6).
    public var session: SessionID { hold.session }

    /// Until when nobody else can hold unless a server confirms the session anew, which moves this moment on.
    ///
    /// In the past once the hold window has lapsed. Assumes what S5 says of clocks and pauses.
    public var validUntil: ContinuousClock.Instant { hold.client.validUntil }

    /// Whether it is held, as far as this side can know now: neither released nor lost, and within the hold window.
    ///
    /// An answer is old as soon as it is given: what must not happen twice needs ``token`` or ``guarded(_:)``.
    public var isHeld: Bool { hold.isHeld }

    /// Why it was lost; `nil` while it is held and after a release.
    public var loss: HoldLoss? { hold.loss }

    /// Waits for the end: returns the reason of a loss, or `nil` after a release. Throws if the waiting task is
    /// cancelled.
    ///
    /// Any number of tasks may wait, also after the end. Loss is told once, before any later grant of the same client
    /// (S9).
    public func lost() async throws(CancellationError) -> HoldLoss? { try await hold.waitForLoss() }

    /// Waits until somebody asks the holder to give it up (``Contenders/requestRevocation(of:)``, Curator's `Revoker`):
    /// returns `true` then, `false` if the hold ends first. Throws if the waiting task is cancelled.
    ///
    /// A request is only that: the hold goes on until it is released. Asked before the call counts too.
    ///
    /// - Cost: one request, and one after each change of the node.
    public func revocationRequested() async throws(CancellationError) -> Bool {
        try await hold.waitForRevocation()
    }

    /// What proves the hold to other processes; of several nodes, the first. See ``Sequencer``.
    public var sequencer: Sequencer { sequencers[0] }

    /// One for each of ``paths``.
    public var sequencers: [Sequencer] { hold.sequencers }

    /// Sends operations that take effect, all or none, only if the lock is still held when they do (S3).
    ///
    /// Exact under every pause, partition and clock, because the store itself checks the contender's node in the same
    /// transaction.
    ///
    /// - Returns: the result of each operation.
    /// - Throws: ``ZooKeeperError`` with code `holdLost` if the hold has ended, in which case nothing has happened;
    ///   else what the transaction throws. After `connectionLoss` the outcome is unknown.
    /// - Cost: one request.
    @discardableResult
    public func guarded(_ operations: [Operation]) async throws(ZooKeeperError) -> [OperationResult] {
        try await hold.guarded(operations)
    }

    /// Gives the lock up. Does nothing if it was released or lost before.
    ///
    /// Returns when the node is gone. If the connection is lost first or the task is cancelled, the removal goes on in
    /// the background until it is done or the session is over; the grant counts as released at once in every case.
    ///
    /// In a scope inside of another on the same reentrant lock it does nothing: the outermost scope gives up.
    ///
    /// - Cost: one request.
    public func release() async {
        if !isNested { await hold.release() }
    }
}
