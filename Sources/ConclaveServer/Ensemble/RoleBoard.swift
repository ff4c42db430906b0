import ConclaveNode
import Synchronization

/// Which role a server has, for everybody who asks from outside its loop.
final class RoleBoard: Sendable {
    private struct State {
        var role = ServingRole.none
        var waiters: [CheckedContinuation<Void, Never>] = []
        var hasEnded = false
    }

    private let state = Mutex(State())
    private let onChange: @Sendable (ServingRole?) -> Void

    /// - Parameter onChange: called with every role, and with `nil` when the server has ended.
    init(onChange: @escaping @Sendable (ServingRole?) -> Void) { self.onChange = onChange }

    var role: ServingRole { state.withLock(\.role) }

    func set(_ role: ServingRole) {
        let waiters = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            state.role = role
            guard role.hasQuorum else { return [] }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
        onChange(role)
    }

    /// The server has ended: nobody needs to wait any longer.
    func end() {
        let waiters = state.withLock { state in
            state.role = .none
            state.hasEnded = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
        onChange(nil)
    }

    /// Returns when the server serves clients with a quorum behind it, or has ended.
    func untilServing() async {
        await withCheckedContinuation { waiter in
            let isKnown = state.withLock { state in
                if state.role.hasQuorum || state.hasEnded { return true }
                state.waiters.append(waiter)
                return false
            }
            if isKnown { waiter.resume() }
        }
    }
}
