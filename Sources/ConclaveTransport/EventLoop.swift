import ConclaveCore
import ConclaveSystem
import Synchronization

/// One thread that waits for descriptors, timers and work from other threads, and does one thing at a time.
///
/// It is a serial executor: an actor whose `unownedExecutor` is a loop lives on its thread, and code that a loop calls
/// may use `assumeIsolated`. Members under "on the loop" may only be called there and trap elsewhere.
///
/// One turn: wait; descriptors that are ready (at most 256, each handler does a bounded amount); timers that are due
/// (at most 1,024); work from other threads (at most 1,024 items, never what the same turn added); hooks; connections
/// send what they have collected. What is left over is done in the next turn, before which the loop does not wait.
///
/// The thread keeps the loop alive until ``shutdown()``.
package final class EventLoop: SerialExecutor, Sendable {
    package let name: String
    private let inbox = Mutex(Inbox())
    /// The thread that may touch `state`, 0 if there is none.
    private let owner = Atomic<UInt>(0)
    // Touched only by the thread named by `owner`; ownership passes on under the inbox lock.
    nonisolated(unsafe) private let state: LoopState
    private let waker: EventWakeup
    private let thread = Mutex<ThreadHandle?>(nil)

    static let workPerTurn = 1_024
    static let timersPerTurn = 1_024

    /// Starts the thread. The name is seen in debuggers and `top -H`, cut at 15 bytes on Linux.
    package init(name: String) throws(ZooKeeperError) {
        self.name = name
        do throws(SystemError) {
            state = try LoopState()
        } catch {
            throw ZooKeeperError(.systemError, message: "cannot start event loop \(name)", underlying: error)
        }
        waker = state.poller.waker
        do throws(SystemError) {
            let handle = try ThreadHandle(name: name) { [self] in run() }
            thread.withLock { $0 = handle }
        } catch {
            throw ZooKeeperError(.systemError, message: "cannot start event loop \(name)", underlying: error)
        }
    }

    // MARK: From any thread

    /// Has `work` run on the loop, in the order of submission, exactly once. Costs a system call only if the loop
    /// waits.
    package func submit(_ work: @escaping @Sendable () -> Void) { add(.closure(work)) }

    /// Has `body` run on the loop and returns what it returns. Not cut short by cancellation.
    package func perform<R: Sendable, E: Error>(
        _ body: @escaping @Sendable () throws(E) -> R
    ) async throws(E) -> R {
        let result: Result<R, E> = await withCheckedContinuation { waiter in
            submit { waiter.resume(returning: Result { () throws(E) in try body() }) }
        }
        return try result.get()
    }

    /// Whether the caller runs on the loop.
    package var isCurrent: Bool { owner.load(ordering: .relaxed) == ThreadHandle.currentID }

    /// Ends the loop after its current turn; may be called repeatedly and from the loop itself.
    ///
    /// The loop then tells the handlers of all watched descriptors that they are abandoned (connections and listeners
    /// close themselves), drops the timers without running them, runs the work that has come until then, and ends its
    /// thread. Work submitted later is still run, one item at a time, on a short-lived thread that counts as the loop:
    /// an actor on an ended loop keeps working, but nothing can be watched and no timer fires.
    package func shutdown() {
        perform(inbox.withLock { $0.stop() })
    }

    /// Blocks until the thread has ended. Not on the loop itself, and not in a task; see ``ended()``.
    package func join() {
        precondition(!isCurrent, "event loop \(name) cannot wait for its own end")
        let handle = thread.withLock { $0 }
        handle?.join()
    }

    /// Returns when the loop has ended.
    package func ended() async {
        await withCheckedContinuation { waiter in
            if !inbox.withLock({ $0.awaitEnd(waiter) }) { waiter.resume() }
        }
    }

    // MARK: Executor

    package func enqueue(_ job: consuming ExecutorJob) { add(.job(UnownedJob(job))) }

    package func checkIsolated() { precondition(isCurrent, "not on event loop \(name)") }

    package func isIsolatingCurrentContext() -> Bool? { isCurrent }

    // MARK: On the loop

    /// The time at which the current turn began to act.
    package var now: Instant { onLoop.now }

    /// Reads the clock and moves ``now`` to it, for work that took long.
    @discardableResult
    package func refreshNow() -> Instant {
        let state = onLoop
        state.now = SystemClock.now()
        return state.now
    }

    /// Has `handler` hear when a descriptor is ready. The loop keeps the handler until ``remove(_:)``.
    ///
    /// Throws what the system says, and ECANCELED when the loop is ending.
    package func watch(
        _ descriptor: FileDescriptor, for interest: Interest, handler: any ReadinessHandler
    ) throws(SystemError) -> WatchToken {
        let state = onLoop
        guard !state.isEnding else { throw SystemError("watch", errno: .cancelled) }
        let token = state.watches.add(descriptor, interest: interest, handler: handler)
        do throws(SystemError) {
            try state.poller.add(descriptor, key: token.key, interest: interest)
        } catch {
            _ = state.watches.remove(token)
            throw error
        }
        return token
    }

    /// Changes what a handler wants to hear. A system call only if something changes; a removed token does nothing.
    package func update(_ token: WatchToken, to interest: Interest) {
        let state = onLoop
        guard let entry = state.watches[token], entry.interest != interest else { return }
        do throws(SystemError) {
            try state.poller.update(entry.descriptor, key: token.key, from: entry.interest, to: interest)
        } catch {
            // Modifying a watch that exists can only fail if its descriptor was closed without remove(_:).
            preconditionFailure("event loop \(name): \(error)")
        }
        state.watches.setInterest(of: token, to: interest)
    }

    /// Ends a watch; the handler hears nothing more, not even of what the current turn has found already. Before the
    /// descriptor is closed. A removed token does nothing.
    package func remove(_ token: WatchToken) {
        let state = onLoop
        guard let entry = state.watches.remove(token) else { return }
        state.poller.remove(entry.descriptor, interest: entry.interest)
    }

    /// Runs `work` on the loop at a moment, or in the next turn if it has passed. Those of one moment run in order.
    @discardableResult
    package func schedule(at deadline: Instant, _ work: @escaping () -> Void) -> TimerToken {
        onLoop.timers.add(at: deadline, work)
    }

    /// Takes a timer back and frees what it holds.
    package func cancel(_ token: TimerToken) {
        onLoop.timers.cancel(token)
    }

    /// Runs `hook` at the end of every turn, before connections send what they collected. Hooks run in the order they
    /// came.
    @discardableResult
    package func beforeWaiting(_ hook: @escaping () -> Void) -> HookToken { onLoop.hooks.add(hook) }

    package func remove(_ token: HookToken) { onLoop.hooks.remove(token) }

    /// Calls back once at the end of this turn, after the hooks; if called from there, at the end of the next turn.
    func atTurnEnd(_ handler: any TurnEndHandler) { onLoop.turnEnd.append(handler) }

    /// recv(2) into the loop's own buffer of 256 KiB; `body` sees the bytes if there are any. Not from within `body`.
    package func receive(from socket: Socket, _ body: (Span<UInt8>) -> Void) -> TransferResult {
        onLoop.receiveBuffer.receive(from: socket, body)
    }

    /// Empty arrays with storage, for output; see ``SpareBuffers``.
    func takeSpareBuffer() -> [UInt8] { onLoop.spareBuffers.take() }

    func giveSpareBuffer(_ buffer: consuming [UInt8]) { onLoop.spareBuffers.give(buffer) }

    /// How many descriptors are watched and how many timers wait; for tests and statistics.
    package var load: (watches: Int, timers: Int) { (onLoop.watches.count, onLoop.timers.count) }

    private var onLoop: LoopState {
        precondition(isCurrent, "not on event loop \(name)")
        return state
    }

    // MARK: The thread

    private func add(_ work: Work) {
        perform(inbox.withLock { $0.add(work) })
    }

    private func perform(_ duty: Inbox.Duty) {
        switch duty {
        case .nothing: break
        case .wake: waker.signal()
        case .runAside: startAside()
        }
    }

    private func run() {
        owner.store(ThreadHandle.currentID, ordering: .relaxed)
        let state = state
        var isRunning = true
        while isRunning {
            let mayWait = !state.hasWork && inbox.withLock { $0.fallAsleep() }
            state.wait(mayWait: mayWait)
            isRunning = inbox.withLock { inbox in
                if state.batch.isEmpty { inbox.take(into: &state.batch) }
                return inbox.phase == .running
            }
            state.dispatchEvents()
            state.runTimers(limit: Self.timersPerTurn)
            runBatch(limit: Self.workPerTurn)
            state.endTurn()
        }
        end()
    }

    private func runBatch(limit: Int) {
        let state = state
        let executor = asUnownedSerialExecutor()
        let end = state.batchPosition + min(state.batch.count - state.batchPosition, limit)
        while state.batchPosition < end {
            let work = state.batch[state.batchPosition]
            state.batchPosition += 1
            switch work {
            case .closure(let closure): closure()
            case .job(let job): job.runSynchronously(on: executor)
            }
        }
        guard state.batchPosition == state.batch.count, end > 0 else { return }
        state.batchPosition = 0
        state.batch.removeAll(keepingCapacity: state.batch.capacity / 16 <= limit)
    }

    private func end() {
        state.abandonAll()
        // Closing and the last work may submit more; a few rounds get it done here, the rest is run aside.
        for _ in 0..<64 {
            inbox.withLock { inbox in
                if state.batch.isEmpty { inbox.take(into: &state.batch) }
            }
            guard state.hasWork else { break }
            runBatch(limit: .max)
            state.endTurn()
        }
        let left = state.takeBatch()
        state.clear()
        owner.store(0, ordering: .relaxed)
        let (waiters, duty) = inbox.withLock { inbox in
            inbox.putBack(left)
            return inbox.end()
        }
        perform(duty)
        for waiter in waiters { waiter.resume() }
    }

    /// Runs late work on a thread of its own, or right here if the system has no more threads.
    private func startAside() {
        do throws(SystemError) {
            _ = try ThreadHandle(name: name) { [self] in runAside() }
        } catch {
            runAside()
        }
    }

    private func runAside() {
        owner.store(ThreadHandle.currentID, ordering: .relaxed)
        while true {
            let hasMore = inbox.withLock { inbox in
                if inbox.takeAside(into: &state.batch) { return true }
                owner.store(0, ordering: .relaxed)
                return false
            }
            guard hasMore else { return }
            runBatch(limit: .max)
            state.clear()
        }
    }

    deinit {
        // Nobody can submit any more, so the wake-up's number cannot be written to after it is closed.
        state.poller.close()
    }
}
