import ConclaveCore
import ConclaveNode
import Synchronization

/// What the servers of a ``LocalQuorum`` are doing, and who waits for a change of it.
final class LocalBoard: Sendable {
    struct State: Sendable {
        /// Sorted by id.
        var members: [LocalMember]
        /// Pairs of servers that are cut off from each other, the lower id first.
        var cuts: Set<Cut> = []
        var isStopped = false
        /// Grows with every change.
        fileprivate(set) var serial: UInt64 = 0
        fileprivate var waiters: [CheckedContinuation<Void, Never>] = []
    }

    struct Cut: Hashable, Sendable {
        let low: ServerID
        let high: ServerID

        init(_ one: ServerID, _ other: ServerID) { (low, high) = (min(one, other), max(one, other)) }
    }

    private let state: Mutex<State>

    init(_ members: [LocalMember]) { state = Mutex(State(members: members)) }

    /// A copy of the present state.
    var now: State { state.withLock { $0 } }

    /// Changes the state; everybody who waits looks again.
    func change<R: Sendable, Failure: Error>(
        _ body: (inout State) throws(Failure) -> R
    ) throws(Failure) -> R {
        let (result, waiters) = state.withLock { state -> (Result<R, Failure>, [CheckedContinuation<Void, Never>]) in
            state.serial += 1
            let result = Result { () throws(Failure) in try body(&state) }
            defer { state.waiters = [] }
            return (result, state.waiters)
        }
        for waiter in waiters { waiter.resume() }
        return try result.get()
    }

    /// A server has another role, or has ended.
    func set(_ role: ServingRole?, of id: ServerID) {
        change { state in
            guard let index = state.index(of: id) else { return }
            state.members[index].role = role
            if role == .leader { state.members[index].leadsSince = state.serial }
        }
    }

    /// Waits until a look at the state gives something.
    /// - Throws: `.cancelled`, and what the look throws.
    func until<Value: Sendable>(
        _ look: @Sendable (State) throws(ZooKeeperError) -> Value?
    ) async throws(ZooKeeperError) -> Value {
        while true {
            let seen = now
            if let value = try look(seen) { return value }
            guard !Task.isCancelled else { throw ZooKeeperError(.cancelled) }
            await withTaskCancellationHandler {
                await changed(since: seen.serial)
            } onCancel: {
                change { _ in }
            }
        }
    }

    private func changed(since serial: UInt64) async {
        await withCheckedContinuation { waiter in
            let isLate = state.withLock { state in
                if state.serial != serial || Task.isCancelled { return true }
                state.waiters.append(waiter)
                return false
            }
            if isLate { waiter.resume() }
        }
    }
}

extension LocalBoard.State {
    func index(of id: ServerID) -> Int? { members.firstIndex { $0.id == id } }

    /// Who began to lead last, of those who say that they lead.
    var leader: ServerID? {
        members.filter(\.leads).max { $0.leadsSince < $1.leadsSince }?.id
    }

    /// The ports that a server must not dial.
    func severedPorts(of id: ServerID) -> Set<UInt16> {
        members.reduce(into: []) { ports, other in
            if cuts.contains(LocalBoard.Cut(id, other.id)) { ports.formUnion(other.ports.peers) }
        }
    }
}
