public import ConclaveCore
import ConclaveSession

/// A one-shot watch that is armed: it sees one change, survives reconnection, and is removed when dropped.
public final class Watch: Sendable {
    /// The path that is watched.
    public let path: String
    private let shell: SessionShell
    private let id: WatcherID
    private let cell: WatchCell

    init(path: String, shell: SessionShell, id: WatcherID, cell: WatchCell) {
        self.path = path
        self.shell = shell
        self.id = id
        self.cell = cell
    }

    deinit {
        if cell.isOpen { shell.drop(id) }
    }

    /// What the watch has seen; `nil` as long as that is nothing.
    public var event: WatchEvent? { try? cell.result?.get() }

    /// Waits for the change. Any number of tasks may wait, also afterwards; all get the same event.
    ///
    /// - Throws: `cancelled` if the calling task is cancelled (the watch stays armed), `sessionExpired`, `closed`,
    ///   `authenticationFailed` when the session ends first, `noWatcher` if the watch was removed.
    public func fired() async throws(ZooKeeperError) -> WatchEvent {
        guard let result = await cell.wait() else {
            throw ZooKeeperError(
                .cancelled, path: path, message: "watch: the task was cancelled, the watch stays armed")
        }
        switch result {
        case .success(let event): return event
        case .failure(let failure):
            throw ZooKeeperError(failure.code, path: path, message: "watch: \(failure.reason)")
        }
    }

    /// Calls the observer once ``fired()`` would return or throw: for whoever keeps many watches and waits for any of
    /// them. It must be quick, for it may run on the client's loop.
    package func whenSettled(_ observer: @escaping @Sendable () -> Void) { cell.observe(observer) }
}
