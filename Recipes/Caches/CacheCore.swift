import ConclaveClient
import ConclaveCore
import Synchronization

/// What a cache knows, and who follows it.
final class CacheCore: Sendable {
    private struct Follower {
        var changes = ChangeBuffer()
        var bell = Signal<Void>()

        mutating func take(_ news: [CacheChange], into bells: inout [Signal<Void>]) {
            for change in news { changes.add(change) }
            bells.append(bell)
        }
    }

    private struct State {
        var nodes: [String: CachedNode] = [:]
        var status = CacheStatus.filling
        var followers: [UInt64: Follower] = [:]
        var nextFollower: UInt64 = 0
    }

    let path: String
    private let state = Mutex(State())
    /// Fired when everything has been read for the first time, or with the reason why that will not happen.
    private let filled = Signal<CacheStatus>()

    init(path: String) { self.path = path }

    // MARK: - Reading

    var status: CacheStatus { state.withLock { $0.status } }

    var count: Int { state.withLock { $0.nodes.count } }

    func node(at path: String) -> CachedNode? { state.withLock { $0.nodes[path] } }

    var nodes: [CachedNode] {
        state.withLock { Array($0.nodes.values) }.sorted { NodePath($0.path) < NodePath($1.path) }
    }

    /// Returns when everything has been read once.
    func waitUntilFilled(timeout: Duration?) async throws(ZooKeeperError) {
        let status = try await Deadline(after: timeout).limit { (expiry: Expiry) async throws(ZooKeeperError) in
            do {
                return try await self.filled.wait()
            } catch {
                throw ZooKeeperError(expiry.isSet ? .deadlineExceeded : .cancelled, path: self.path)
            }
        }
        if case .ended(let error) = status { throw error ?? ZooKeeperError(.closed, path: path) }
    }

    // MARK: - Writing

    /// Takes what a machine has decided.
    func apply(_ changes: [CacheChange]) {
        guard !changes.isEmpty else { return }
        let bells = state.withLock { state -> [Signal<Void>] in
            if case .ended = state.status { return [] }
            for change in changes {
                switch change {
                case .added(let node), .changed(let node): state.nodes[node.path] = node
                case .removed(let node): state.nodes[node.path] = nil
                case .status(let status): state.status = status
                }
            }
            var bells: [Signal<Void>] = []
            bells.reserveCapacity(state.followers.count)
            for key in state.followers.keys {
                state.followers[key]?.take(changes, into: &bells)
            }
            return bells
        }
        for bell in bells { bell.fire(()) }
        switch status {
        case .current, .ended: filled.fire(status)
        case .filling, .stale: break
        }
    }

    // MARK: - Following

    /// Enters a follower, who is given everything that is there first.
    func follow() -> UInt64 {
        state.withLock { state in
            var follower = Follower()
            for node in state.nodes.values.sorted(by: { NodePath($0.path) < NodePath($1.path) }) {
                follower.changes.add(.added(node))
            }
            follower.changes.add(.status(state.status))
            state.nextFollower += 1
            state.followers[state.nextFollower] = follower
            return state.nextFollower
        }
    }

    func leave(_ follower: UInt64) { state.withLock { _ = $0.followers.removeValue(forKey: follower) } }

    /// The next change for a follower; `nil` when its task was cancelled.
    func next(for follower: UInt64) async -> CacheChange? {
        while true {
            let (change, bell) = state.withLock { state -> (CacheChange?, Signal<Void>?) in
                guard let change = state.followers[follower]?.changes.take() else {
                    let bell = Signal<Void>()
                    state.followers[follower]?.bell = bell
                    return (nil, bell)
                }
                return (change, nil)
            }
            guard let bell else { return change }
            // Throws only when cancelled.
            guard (try? await bell.wait()) != nil else { return nil }
        }
    }
}
