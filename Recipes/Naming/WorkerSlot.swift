public import ConclaveClient
public import ConclaveCore

/// A worker's number, held or given back: what ``WorkerSlots`` gives.
///
/// It ends once: by ``release()``, by loss, or when the last reference to it goes, which releases it in the background.
public final class WorkerSlot: Sendable {
    let hold: Hold

    /// The number, from 0.
    public let number: Int

    init(number: Int, _ hold: Hold) {
        self.number = number
        self.hold = hold
    }

    deinit { hold.abandon() }

    /// Greater than that of every earlier holder of any number here: tells apart ids of different holders.
    public var token: FencingToken { hold.token }

    /// The path of the node that stands for the number.
    public var path: String { hold.path }

    /// Until when nobody else can hold the number unless a server confirms the session anew, which moves this on.
    public var validUntil: ContinuousClock.Instant { hold.client.validUntil }

    /// Whether the number is held, as far as this side can know now.
    public var isHeld: Bool { hold.isHeld }

    /// Why it was lost; `nil` while it is held and after a release.
    public var loss: HoldLoss? { hold.loss }

    /// Waits for the end: returns the reason of a loss, or `nil` after a release. Throws if the waiting task is
    /// cancelled.
    public func lost() async throws(CancellationError) -> HoldLoss? { try await hold.waitForLoss() }

    /// Sends operations that take effect only if the number is still held when they do; see
    /// ``LockGrant/guarded(_:)``.
    @discardableResult
    public func guarded(_ operations: [Operation]) async throws(ZooKeeperError) -> [OperationResult] {
        try await hold.guarded(operations)
    }

    /// Gives the number back. Does nothing if it was given back or lost before. Cost: one request.
    public func release() async { await hold.release() }
}
