import ConclaveCore
import Synchronization

/// What the watches and the session of a cache have told since it was last looked at. Bounded: each path once, and
/// beyond the limit only that there was something.
final class CacheInbox: Sendable {
    struct Delivery: Sendable {
        var noticed: [String] = []
        /// The connection was lost, or more was noticed than can be kept: everything must be read again.
        var isInterrupted = false
        /// The watch sees nothing more.
        var watchEnd: ZooKeeperError?

        var isEmpty: Bool { noticed.isEmpty && !isInterrupted && watchEnd == nil }
    }

    /// A one-shot watch that is armed.
    struct WatchKey: Hashable, Sendable {
        let path: String
        let isForChildren: Bool
    }

    private struct State {
        var delivery = Delivery()
        var known: Set<String> = []
        var armed: Set<WatchKey> = []
        var bell = Signal<Void>()

        mutating func take() -> Delivery {
            defer {
                delivery = Delivery()
                known.removeAll(keepingCapacity: known.count < 1_024)
            }
            return delivery
        }
    }

    private let limit: Int
    private let state = Mutex(State())

    init(limit: Int) { self.limit = limit }

    func notice(_ path: String) {
        state.withLock { state -> Signal<Void> in
            if state.known.count >= limit {
                state.delivery.isInterrupted = true
            } else if state.known.insert(path).inserted {
                state.delivery.noticed.append(path)
            }
            return state.bell
        }.fire(())
    }

    func interrupt() {
        state.withLock { state -> Signal<Void> in
            state.delivery.isInterrupted = true
            return state.bell
        }.fire(())
    }

    func endWatch(_ error: ZooKeeperError) {
        state.withLock { state -> Signal<Void> in
            state.delivery.watchEnd = error
            return state.bell
        }.fire(())
    }

    /// Whether a watch has to be armed; it counts as armed from now on.
    func arm(_ key: WatchKey) -> Bool { state.withLock { $0.armed.insert(key).inserted } }

    func disarm(_ key: WatchKey) { state.withLock { _ = $0.armed.remove(key) } }

    /// Whatever there is, which may be nothing.
    func take() -> Delivery { state.withLock { $0.take() } }

    /// Waits until there is something; `nil` when the task is cancelled.
    func next() async -> Delivery? {
        while true {
            let (delivery, bell) = state.withLock { state -> (Delivery, Signal<Void>) in
                let delivery = state.take()
                if delivery.isEmpty { state.bell = Signal<Void>() }
                return (delivery, state.bell)
            }
            if !delivery.isEmpty { return delivery }
            // Throws only when cancelled.
            guard (try? await bell.wait()) != nil else { return nil }
        }
    }
}
