import Synchronization

/// Keeps the signals that come while a process is being started.
final class SignalRelay: Sendable {
    private struct State {
        var pending: [Int32] = []
        var send: (@Sendable (Int32) -> Void)?
    }

    private let state = Mutex(State())

    @Sendable func take(_ signal: Int32) {
        let send = state.withLock { state in
            if state.send == nil { state.pending.append(signal) }
            return state.send
        }
        send?(signal)
    }

    func attach(_ send: @escaping @Sendable (Int32) -> Void) {
        let pending = state.withLock { state in
            state.send = send
            return state.pending
        }
        for signal in pending { send(signal) }
    }
}
