import Synchronization

/// What happens when the process is asked to end.
///
/// The first request cancels the running command, which cleans up; the second ends the process on the spot. A command may
/// take requests itself, for instance to pass them on to a process that it started.
package final class Interrupts: Sendable {
    private struct State {
        /// The signal that asked first.
        var received: Int32?
        /// The signal that a handler has got last.
        var handled: Int32?
        var cancel: (@Sendable () -> Void)?
        var handler: (@Sendable (Int32) -> Void)?
    }

    private let state = Mutex(State())
    private let end: @Sendable (Int32) -> Void

    /// - Parameter end: ends the process with a status.
    package init(end: @escaping @Sendable (Int32) -> Void = { _ in }) { self.end = end }

    /// The signal that asked the command to end, if one did.
    package var received: Int32? { state.withLock(\.received) }

    /// The signal that a handler has got last: whoever runs one command after the other begins no more.
    package var handled: Int32? { state.withLock(\.handled) }

    /// Takes a signal. Called on any thread.
    package func deliver(_ signal: Int32) {
        enum Step {
            case handle(@Sendable (Int32) -> Void)
            case cancel((@Sendable () -> Void)?)
            case end
        }
        let step: Step = state.withLock { state in
            if let handler = state.handler {
                state.handled = signal
                return .handle(handler)
            }
            guard state.received == nil else { return .end }
            state.received = signal
            return .cancel(state.cancel)
        }
        switch step {
        case .handle(let handler): handler(signal)
        case .cancel(let cancel): cancel?()
        case .end: end(ExitCode.signal(signal))
        }
    }

    /// Says how the running command is cancelled; at once if a signal has come already.
    package func cancelling(with cancel: @escaping @Sendable () -> Void) {
        let isLate = state.withLock { state in
            state.cancel = cancel
            return state.received != nil
        }
        if isLate { cancel() }
    }

    /// Hands signals to a handler while the body runs, and the one that came before it as well.
    package func handled<R>(
        by handler: @escaping @Sendable (Int32) -> Void, during body: () async throws -> R
    ) async rethrows -> R {
        let early = state.withLock { state in
            state.handler = handler
            return state.received
        }
        if let early { handler(early) }
        defer { state.withLock { $0.handler = nil } }
        return try await body()
    }
}
