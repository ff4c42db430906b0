import ConclaveSystem
import Synchronization

/// Holds the two threads of one server up, or ends them, from outside: what SIGSTOP and SIGKILL do to a process.
///
/// The storage thread passes before each order, at the price of one atomic load. The loop's thread passes only when it is told
/// to: a loop that is held up orders nothing, so both stand still then.
final class FaultGate: Sendable {
    private enum Phase {
        static let open: UInt8 = 0
        static let shut: UInt8 = 1
        static let dead: UInt8 = 2
    }

    private let phase = Atomic<UInt8>(Phase.open)
    /// What threads wait at while the gate is shut: nothing is ever sent, only its end.
    private let barrier = Mutex<BlockingQueue<Never>?>(nil)

    /// Waits while the gate is shut.
    /// - Returns: `false` if the server has been killed: nothing more must be done.
    func pass() -> Bool {
        while true {
            switch phase.load(ordering: .acquiring) {
            case Phase.open: return true
            case Phase.dead: return false
            default: _ = barrier.withLock { $0 }?.receive()
            }
        }
    }

    /// Shuts an open gate.
    /// - Returns: whether it was open.
    func shut() -> Bool {
        barrier.withLock { barrier in
            guard phase.load(ordering: .relaxed) == Phase.open else { return false }
            barrier = BlockingQueue(limit: 1)
            phase.store(Phase.shut, ordering: .releasing)
            return true
        }
    }

    /// Opens a gate that is shut.
    func open() { leave(Phase.open) { $0 == Phase.shut } }

    /// Nothing passes any more.
    func kill() { leave(Phase.dead) { _ in true } }

    /// As ``kill()``, but only a gate that is shut.
    func killIfShut() { leave(Phase.dead) { $0 == Phase.shut } }

    private func leave(_ next: UInt8, if condition: (UInt8) -> Bool) {
        barrier.withLock { barrier in
            guard condition(phase.load(ordering: .relaxed)) else { return }
            phase.store(next, ordering: .releasing)
            barrier?.close()
            barrier = nil
        }
    }
}
