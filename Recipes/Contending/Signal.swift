import Synchronization

/// Something that happens once: the first value wins, everybody who waits or asks later gets it.
///
/// Waiting is cancellable. Cost: one small lock.
final class Signal<Value: Sendable>: Sendable {
    private struct State {
        var value: Value?
        var waiters: [UInt64: CheckedContinuation<Value?, Never>] = [:]
        var nextWaiter: UInt64 = 0
    }

    private let state = Mutex(State())

    /// The value, once there is one.
    var value: Value? { state.withLock { $0.value } }

    /// Sets the value if there is none yet and wakes everybody. Returns whether this call was the one that set it.
    @discardableResult
    func fire(_ value: Value) -> Bool {
        let waiters: [CheckedContinuation<Value?, Never>]? = state.withLock { state in
            guard state.value == nil else { return nil }
            state.value = value
            defer { state.waiters = [:] }
            return Array(state.waiters.values)
        }
        guard let waiters else { return false }
        for waiter in waiters { waiter.resume(returning: value) }
        return true
    }

    /// Waits for the value.
    func wait() async throws(CancellationError) -> Value {
        if let value { return value }
        let identifier = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        let value = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Value?, Never>) in
                // Cancellation marks the task before it calls the handler below: either the mark is seen here, or the
                // handler finds the waiter.
                let (known, isWaiting) = state.withLock { state -> (Value?, Bool) in
                    if state.value != nil || Task.isCancelled { return (state.value, false) }
                    state.waiters[identifier] = continuation
                    return (nil, true)
                }
                if !isWaiting { continuation.resume(returning: known) }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: identifier) }?.resume(returning: nil)
        }
        guard let value else { throw CancellationError() }
        return value
    }
}
