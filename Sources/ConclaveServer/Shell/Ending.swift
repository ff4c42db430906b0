import ConclaveCore
import Synchronization

/// How a server ended, for everybody who waits for it.
final class Ending: Sendable {
    private struct State {
        var outcome: ZooKeeperError??
        var waiters: [CheckedContinuation<ZooKeeperError?, Never>] = []
        var release: Release = .needed
        var releaseWaiters: [CheckedContinuation<Void, Never>] = []
    }

    private enum Release { case needed, underWay, done }

    private let state = Mutex(State())

    /// The server has ended; `nil` if it was asked to. Only the first call counts.
    func finish(_ error: ZooKeeperError?) {
        let waiters = state.withLock { state -> [CheckedContinuation<ZooKeeperError?, Never>] in
            guard state.outcome == nil else { return [] }
            state.outcome = .some(error)
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume(returning: error) }
    }

    /// Whether the server has ended.
    var isKnown: Bool { state.withLock { $0.outcome != nil } }

    func outcome() async -> ZooKeeperError? {
        await withCheckedContinuation { continuation in
            let known = state.withLock { state -> ZooKeeperError?? in
                if state.outcome == nil { state.waiters.append(continuation) }
                return state.outcome
            }
            if let known { continuation.resume(returning: known) }
        }
    }

    /// Runs the clean-up in whoever comes first; the others wait for it.
    func releaseOnce(_ body: @Sendable () async -> Void) async {
        let isFirst = state.withLock { state -> Bool in
            guard state.release == .needed else { return false }
            state.release = .underWay
            return true
        }
        if isFirst {
            await body()
            let waiters = state.withLock { state in
                state.release = .done
                defer { state.releaseWaiters = [] }
                return state.releaseWaiters
            }
            for waiter in waiters { waiter.resume() }
        } else {
            await withCheckedContinuation { continuation in
                let isDone = state.withLock { state -> Bool in
                    if state.release != .done { state.releaseWaiters.append(continuation) }
                    return state.release == .done
                }
                if isDone { continuation.resume() }
            }
        }
    }
}
