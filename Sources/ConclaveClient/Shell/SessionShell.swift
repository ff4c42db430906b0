import ConclaveCore
import ConclaveSession
import ConclaveSystem
import ConclaveTransport
import ConclaveWire
import Synchronization

/// The hands of a ``SessionMachine``: calling tasks on one side, the loop with the connection on the other.
///
/// Everything both sides touch is under one lock: the machine, who waits, what is to be sent. A calling task takes the
/// lock, lets the machine number and encode its request, and sends it by itself if nobody else is sending; otherwise
/// the one who is takes it along. Answers are read on the loop; continuations are resumed outside of the lock. All
/// actions of the machine are performed on the loop, in order.
package final class SessionShell: Sendable {
    let loop: EventLoop
    let chroot: Chroot
    let state: Mutex<ShellState>
    // Touched only on the loop.
    nonisolated(unsafe) let side: LoopSide
    /// Whether a request may be due before anything else is, so that the timer must look at it.
    let hasRequestTimeout: Bool

    init(options: SessionOptions, servers: ConnectString, loop: EventLoop) throws(ZooKeeperError) {
        self.loop = loop
        chroot = servers.chroot
        hasRequestTimeout = options.requestTimeoutMilliseconds != nil
        var random = SystemRandom()
        let machine = SessionMachine(options, servers: servers, seed: random.next())
        state = Mutex(ShellState(machine))
        side = LoopSide()
    }

    // MARK: What users ask

    var identity: SessionIdentity { state.withLock { $0.machine.identity } }
    var timeoutMilliseconds: Int32 { state.withLock { $0.machine.timeoutMilliseconds } }
    var lastZxidSeen: Zxid { state.withLock { $0.machine.lastZxidSeen } }

    var validUntil: Instant { state.withLock { $0.machine.validUntil } }
    var sessionState: SessionState { state.withLock { SessionState($0.machine.status) } }

    /// Watchers and waiting calls; for tests.
    package var load: (watchers: Int, waiters: Int, registered: Int) {
        state.withLock { ($0.watches.count, $0.waiters.count, $0.machine.watcherCount) }
    }

    // MARK: Requests

    /// Submits a request, sends it and waits for what becomes of it.
    func outcome(of request: ClientRequest, _ attempted: String, _ path: String?) async -> RequestOutcome {
        await outcome(attempted, path) { (state, now) throws(RequestFailure) in
            try state.machine.submit(request, now: now)
        }
    }

    func authenticate(_ credential: SessionCredential) async -> RequestOutcome {
        await outcome("authenticate", nil) { (state, now) throws(RequestFailure) in
            try state.machine.authenticate(credential, now: now)
        }
    }

    func removeWatches(_ removal: WatchRemoval, at full: NodePath, _ path: String) async -> RequestOutcome {
        await outcome("removeWatches", path) { (state, now) throws(RequestFailure) in
            try state.machine.removeWatches(removal, at: full, now: now)
        }
    }

    /// Submits a request that arms a one-shot watch. Without success the watch is empty and is dropped with its value.
    func outcome(
        of request: ClientRequest, _ attempted: String, _ path: String, arming kind: WatcherKind, at full: NodePath
    ) async -> (RequestOutcome, Watch) {
        let cell = WatchCell()
        let id = addWatcher(.once(cell))
        let watch = Watch(path: path, shell: self, id: id, cell: cell)
        let outcome = await outcome(attempted, path) { (state, now) throws(RequestFailure) in
            let interest = WatchInterest(kind, at: full, watcher: id)
            return try state.machine.submit(request, watching: interest, now: now)
        }
        return (outcome, watch)
    }

    /// Submits a request that arms a persistent watch.
    func outcome(
        of request: ClientRequest, _ path: String, persistentAt full: NodePath, recursive: Bool
    ) async -> (RequestOutcome, PersistentWatch) {
        let events = EventQueue()
        let id = addWatcher(.persistent(events))
        let watch = PersistentWatch(path: path, shell: self, id: id, events: events)
        let outcome = await outcome("addWatch", path) { (state, now) throws(RequestFailure) in
            let interest = WatchInterest(recursive ? .recursive : .persistent, at: full, watcher: id)
            return try state.machine.submit(request, watching: interest, now: now)
        }
        return (outcome, watch)
    }

    private func addWatcher(_ target: WatchTarget) -> WatcherID {
        state.withLock { state in
            let id = state.machine.takeWatcherID()
            state.watches[id] = target
            return id
        }
    }

    /// A watch has no reader any more.
    func drop(_ id: WatcherID) {
        let job = state.withLock { state -> SendJob? in
            state.watches[id] = nil
            state.machine.drop(id, now: SystemClock.now())
            return state.beginSending()
        }
        if let job { send(job) }
    }

    @inline(__always)
    private func outcome(
        _ attempted: String, _ path: String?,
        submit: (inout ShellState, Instant) throws(RequestFailure) -> RequestID
    ) async -> RequestOutcome {
        if let observer = ClientStep.observer {
            await observer("send \(attempted) \(path ?? "")")
            let outcome = await wait(submit)
            await observer("answer \(attempted) \(path ?? "")")
            return outcome
        }
        return await wait(submit)
    }

    @inline(__always)
    private func wait(
        _ submit: (inout ShellState, Instant) throws(RequestFailure) -> RequestID
    ) async -> RequestOutcome {
        guard !Task.isCancelled else {
            return .failed(RequestFailure(.cancelled, wasSent: false, reason: "the task had been cancelled before"))
        }
        let now = SystemClock.now()
        let submitted = state.withLock { state -> Submitted in
            do throws(RequestFailure) {
                let id = try submit(&state, now)
                state.waiters.expect(id)
                return Submitted(id: id, job: state.beginSending())
            } catch {
                return Submitted(failure: error)
            }
        }
        if let failure = submitted.failure { return .failed(failure) }
        if let job = submitted.job { send(job) }
        if hasRequestTimeout { loop.submit { self.rearm() } }
        let id = submitted.id
        return await withTaskCancellationHandler {
            await withUnsafeContinuation { (waiter: WaiterTable.Waiter) in
                let known = state.withLock { $0.waiters.park(id, waiter) }
                if let known { waiter.resume(returning: known) }
            }
        } onCancel: {
            cancel(id)
        }
    }

    /// The calling task was cancelled: it waits no longer. What has been sent may still take effect.
    private func cancel(_ id: RequestID) {
        let (waiter, outcome) = state.withLock { state -> (WaiterTable.Waiter?, RequestOutcome?) in
            guard let wasSent = state.machine.cancel(id) else { return (nil, nil) }
            let reason = wasSent ? "the task was cancelled after the request was sent" : "the request was not sent"
            let outcome = RequestOutcome.failed(RequestFailure(.cancelled, wasSent: wasSent, reason: reason))
            return (state.waiters.complete(id, outcome), outcome)
        }
        if let waiter, let outcome { waiter.resume(returning: outcome) }
    }

    private struct Submitted {
        var id = RequestID(rawValue: 0)
        var job: SendJob?
        var failure: RequestFailure?
    }
}
