import ConclaveCore
import Synchronization

/// The numbers of watches that have fired, in their order, and who waits for the next. One reader.
final class WatchInbox: Sendable {
    private struct State {
        var fired: [UInt64] = []
        var reader: Signal<Void>?
    }

    private let state = Mutex(State())

    /// Adds a number; on any thread.
    func put(_ number: UInt64) {
        state.withLock { state in
            state.fired.append(number)
            defer { state.reader = nil }
            return state.reader
        }?.fire(())
    }

    /// The next number; `nil` when the time is over. What is there already comes first, also after the deadline.
    func next(by deadline: ContinuousClock.Instant?) async throws(ZooKeeperError) -> UInt64? {
        while true {
            if Task.isCancelled { throw ZooKeeperError(.cancelled) }
            let (number, signal) = state.withLock { state -> (UInt64?, Signal<Void>) in
                guard state.fired.isEmpty else { return (state.fired.removeFirst(), Signal()) }
                let signal = Signal<Void>()
                state.reader = signal
                return (nil, signal)
            }
            if let number { return number }
            guard try await Self.wait(for: signal, by: deadline) else { return nil }
        }
    }

    /// Whether there was a signal before the deadline.
    private static func wait(
        for signal: Signal<Void>, by deadline: ContinuousClock.Instant?
    ) async throws(ZooKeeperError) -> Bool {
        do {
            guard let deadline else {
                try await signal.wait()
                return true
            }
            guard deadline > .now else { return signal.value != nil }
            return try await withThrowingTaskGroup(of: Bool.self) { group in
                group.addTask {
                    try await signal.wait()
                    return true
                }
                group.addTask {
                    try await Task.sleep(until: deadline, clock: .continuous)
                    return false
                }
                defer { group.cancelAll() }
                return try await group.next() ?? false
            }
        } catch {
            // Both can only be cancelled.
            throw ZooKeeperError(.cancelled)
        }
    }
}
