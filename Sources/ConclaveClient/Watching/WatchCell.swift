import ConclaveCore
import Synchronization

/// Why a watch will see nothing more.
struct WatchFailure: Error {
    let code: ZooKeeperError.Code
    let reason: String
}

/// The result of a one-shot watch, and who waits for it.
final class WatchCell: Sendable {
    typealias Result = Swift.Result<WatchEvent, WatchFailure>

    private struct State {
        var result: Result?
        // Each continuation is resumed once: by whoever takes it out of here under the lock.
        var waiters: [UInt64: UnsafeContinuation<Result?, Never>] = [:]
        var observers: [@Sendable () -> Void] = []
        var cancelled: Set<UInt64> = []
        var nextWaiter: UInt64 = 0
    }

    private let state = Mutex(State())

    var isOpen: Bool { state.withLock { $0.result == nil } }

    var result: Result? { state.withLock { $0.result } }

    /// The first result counts.
    func complete(_ result: Result) {
        let (waiters, observers) = state.withLock {
            state -> ([UnsafeContinuation<Result?, Never>], [@Sendable () -> Void]) in
            guard state.result == nil else { return ([], []) }
            state.result = result
            defer { (state.waiters, state.observers) = ([:], []) }
            return (state.waiters.sorted { $0.key < $1.key }.map(\.value), state.observers)
        }
        for waiter in waiters { waiter.resume(returning: result) }
        for observer in observers { observer() }
    }

    /// Calls the observer once there is a result: at once if there is one, else on the thread that brings it.
    func observe(_ observer: @escaping @Sendable () -> Void) {
        let isKnown = state.withLock { state in
            if state.result == nil { state.observers.append(observer) }
            return state.result != nil
        }
        if isKnown { observer() }
    }

    /// `nil` when the task is cancelled before there is a result.
    func wait() async -> Result? {
        let number = state.withLock { state in
            defer { state.nextWaiter += 1 }
            return state.nextWaiter
        }
        defer {
            // The handler below cannot run any more: what it left behind goes.
            if Task.isCancelled { state.withLock { _ = $0.cancelled.remove(number) } }
        }
        return await withTaskCancellationHandler {
            await withUnsafeContinuation { (waiter: UnsafeContinuation<Result?, Never>) in
                let known = state.withLock { state -> Result?? in
                    if let result = state.result { return .some(result) }
                    if state.cancelled.contains(number) { return .some(nil) }
                    state.waiters[number] = waiter
                    return nil
                }
                if let known { waiter.resume(returning: known) }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                state.cancelled.insert(number)
                return state.waiters.removeValue(forKey: number)
            }
            waiter?.resume(returning: nil)
        }
    }
}
