public import ConclaveCore
import ConclaveSession

/// The events of a path, or of a path and everything below it, in their order.
///
/// Ends by throwing when the session ends (`sessionExpired`, `closed`, `authenticationFailed`), when the watch is
/// removed (`noWatcher`) and when the reader is more than 65,536 events behind (`throttled`). Ends without an error
/// when the reading task is cancelled. The server forgets the watch when this object is dropped. Several tasks may
/// read; each event goes to one of them.
public final class PersistentWatch: AsyncSequence, Sendable {
    /// What the sequence delivers.
    public typealias Element = WatchEvent
    /// What ends it early.
    public typealias Failure = ZooKeeperError

    /// The path that is watched.
    public let path: String
    private let shell: SessionShell
    private let id: WatcherID
    let events: EventQueue

    init(path: String, shell: SessionShell, id: WatcherID, events: EventQueue) {
        self.path = path
        self.shell = shell
        self.id = id
        self.events = events
    }

    deinit {
        if events.isOpen { shell.drop(id) }
    }

    /// Starts reading; events that came before are read first.
    public func makeAsyncIterator() -> Iterator { Iterator(watch: self) }

    /// One reader; keeps the watch armed.
    public struct Iterator: AsyncIteratorProtocol {
        let watch: PersistentWatch

        /// The next event; `nil` when the task is cancelled.
        public mutating func next() async throws(ZooKeeperError) -> WatchEvent? { try await watch.next() }

        /// The next event; `nil` when the task is cancelled.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(ZooKeeperError) -> WatchEvent? {
            try await watch.next()
        }
    }

    nonisolated(nonsending) private func next() async throws(ZooKeeperError) -> WatchEvent? {
        switch await events.next() {
        case .event(let event): return event
        case .cancelled: return nil
        case .ended(let failure):
            throw ZooKeeperError(failure.code, path: path, message: "watch: \(failure.reason)")
        }
    }
}
