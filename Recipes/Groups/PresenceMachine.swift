import ConclaveClient
import ConclaveCore

/// Notices that a node has gone: finishes when there is no node of this incarnation at the path any more.
///
/// The watch is one on the node's children: an ephemeral node never has any, so it fires when the node is deleted and
/// not each time its data is written.
package struct PresenceMachine: StepMachine {
    package enum State: Hashable, Sendable {
        case idle
        case looking
        case waiting
        case suspended
        case over
    }

    package private(set) var state = State.idle
    private let path: String
    private let incarnation: Zxid

    package init(path: String, incarnation: Zxid) {
        self.path = path
        self.incarnation = incarnation
    }

    package mutating func handle(_ event: StepEvent) -> [StepAction<Void>] {
        switch (state, event) {
        case (.idle, .start), (.waiting, .changed), (.suspended, .connected), (.waiting, .failed(.noWatcher, _)):
            state = .looking
            return [.request(.children(path, watch: true))]
        case (.looking, .answered(.children(let children), _)):
            guard children.stat.czxid == incarnation else { return finish() }
            state = .waiting
            return [.wait(upTo: nil)]
        case (.looking, .failed(.noNode, _)): return finish()
        case (.looking, .failed(let code, _)), (.waiting, .failed(let code, _)):
            guard code.isWorthReconnecting else { return end(code) }
            state = .suspended
            return [.awaitConnection]
        case (_, .cancelled): return end(.cancelled)
        case (_, .deadlinePassed): return end(.deadlineExceeded)
        case (_, .sessionOver(let code)): return end(code)
        default: return []
        }
    }

    private mutating func finish() -> [StepAction<Void>] {
        state = .over
        return [.finish(())]
    }

    private mutating func end(_ code: ZooKeeperError.Code) -> [StepAction<Void>] {
        guard state != .over else { return [] }
        state = .over
        return [.fail(StepFailure(code, at: path))]
    }
}
