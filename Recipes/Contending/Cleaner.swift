import ConclaveClient
import ConclaveCore
import Synchronization

/// Removes nodes whose owner has given them up, whatever happens to the task that gave them up (S7).
///
/// Work runs in detached tasks, so the caller's cancellation does not reach it. It is repeated after each lost
/// connection until it is done or the session is over, when the server removes the nodes itself; so no task outlives
/// the session.
final class Cleaner: Sendable {
    private struct State {
        var running = 0
        var idle: Signal<Void>?
    }

    private let client: ZooKeeperClient
    private let state = Mutex(State())

    init(_ client: ZooKeeperClient) { self.client = client }

    /// Starts work; the task that is returned ends after the first attempt, later ones go on by themselves.
    @discardableResult
    func start(
        _ work: @escaping @Sendable (ZooKeeperClient) async throws(ZooKeeperError) -> Void
    ) -> Task<Void, Never> {
        state.withLock { $0.running += 1 }
        return Task.detached { [self] in
            if await isDone(work) {
                finished()
            } else {
                Task.detached { [self] in await repeatUntilDone(work) }
            }
        }
    }

    /// Starts to delete a node if it is an ephemeral one of the client's session, and of this incarnation if one is
    /// given.
    @discardableResult
    func disown(_ path: String, incarnation: Zxid? = nil) -> Task<Void, Never> {
        start { client throws(ZooKeeperError) in try await client.disown(path, incarnation: incarnation) }
    }

    /// How many pieces of work are not done yet.
    var runningCount: Int { state.withLock { $0.running } }

    /// Returns when nothing is left to clean; tests wait for it instead of for time to pass.
    func waitUntilIdle() async {
        let idle = state.withLock { state -> Signal<Void>? in
            guard state.running > 0 else { return nil }
            if let idle = state.idle { return idle }
            let idle = Signal<Void>()
            state.idle = idle
            return idle
        }
        // A cancelled waiter simply stops waiting.
        try? await idle?.wait()
    }

    private func repeatUntilDone(_ work: @Sendable (ZooKeeperClient) async throws(ZooKeeperError) -> Void) async {
        while await client.isConnectedAgain() {
            if await isDone(work) { break }
        }
        finished()
    }

    /// Whether the work is done, or can never be done: then the session's end does it.
    private func isDone(_ work: @Sendable (ZooKeeperClient) async throws(ZooKeeperError) -> Void) async -> Bool {
        do {
            try await work(client)
            return true
        } catch {
            return !error.code.isWorthReconnecting
        }
    }

    private func finished() {
        state.withLock { state -> Signal<Void>? in
            state.running -= 1
            guard state.running == 0 else { return nil }
            defer { state.idle = nil }
            return state.idle
        }?.fire(())
    }
}
