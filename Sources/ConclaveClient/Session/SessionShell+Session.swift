import ConclaveCore
import ConclaveSession
import ConclaveSystem
import ConclaveTransport
import Synchronization

extension SessionShell {
    // MARK: Closing

    /// Ends the session and returns when it has ended; see ``ZooKeeperClient/close()``.
    func close() async {
        closeInBackground()
        await withUnsafeContinuation { (waiter: UnsafeContinuation<Void, Never>) in
            let isOver = state.withLock { state in
                if state.machine.end != nil { return true }
                state.endWaiters.append(waiter)
                return false
            }
            if isOver { waiter.resume() }
        }
    }

    func closeInBackground() {
        loop.submit {
            self.handle { $0.close(now: self.loop.now) }
            // Whoever holds must not go on until the answer comes: others may hold before.
            self.endHolds(.sessionOver(ZooKeeperError(.closed, message: "hold: the client is being closed")))
        }
    }

    // MARK: States

    func observeStates() -> AsyncStream<SessionState> {
        let (stream, observer) = AsyncStream<SessionState>.makeStream(bufferingPolicy: .bufferingNewest(64))
        let number = state.withLock { state -> UInt64? in
            observer.yield(SessionState(state.machine.status))
            guard state.machine.end == nil else { return nil }
            state.nextObserver += 1
            state.observers[state.nextObserver] = observer
            return state.nextObserver
        }
        guard let number else {
            observer.finish()
            return stream
        }
        // The circle through the table ends with the reader or with the session.
        observer.onTermination = { _ in
            self.state.withLock { _ = $0.observers.removeValue(forKey: number) }
        }
        return stream
    }

    // MARK: The hold window

    func holdEnd() async throws(CancellationError) -> HoldEnd {
        let number = state.withLock { state in
            defer { state.nextHoldWaiter += 1 }
            return state.nextHoldWaiter
        }
        defer {
            // The handler below cannot run any more: what it left behind goes.
            if Task.isCancelled { state.withLock { _ = $0.cancelledHoldWaiters.remove(number) } }
        }
        let end = await withTaskCancellationHandler {
            await withUnsafeContinuation { (waiter: UnsafeContinuation<HoldEnd?, Never>) in
                let known = state.withLock { state -> HoldEnd?? in
                    if state.cancelledHoldWaiters.contains(number) { return .some(nil) }
                    if let end = state.machine.end {
                        return .sessionOver(ZooKeeperError(end.code, message: "hold: \(end.reason)"))
                    }
                    if state.machine.validUntil <= SystemClock.now() { return .lapsed }
                    state.holdWaiters[number] = waiter
                    return nil
                }
                if let known { waiter.resume(returning: known) }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                state.cancelledHoldWaiters.insert(number)
                return state.holdWaiters.removeValue(forKey: number)
            }
            waiter?.resume(returning: nil)
        }
        guard let end else { throw CancellationError() }
        return end
    }

    func endHolds(_ end: HoldEnd) {
        let waiters = state.withLock { state in
            defer { state.holdWaiters = [:] }
            return state.holdWaiters.sorted { $0.key < $1.key }.map(\.value)
        }
        for waiter in waiters { waiter.resume(returning: end) }
    }
}
