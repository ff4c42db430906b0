import ConclaveClient
import ConclaveCore

/// Waits until a node does not exist.
package struct GateMachine: StepMachine {
    private enum State: Hashable, Sendable {
        case idle
        case looking
        case waiting
        case disconnected
        case ended
    }

    private let path: String
    private var state = State.idle

    package init(path: String) { self.path = path }

    package mutating func handle(_ event: StepEvent) -> [StepAction<Void>] {
        if state == .ended { return [] }
        if let ending = event.ending { return end(.fail(ending)) }
        switch (state, event) {
        case (.idle, .start), (.waiting, .changed), (.disconnected, .connected):
            state = .looking
            return [.request(.exists(path, watch: true))]
        case (.looking, .answered(.exists(nil), _)): return end(.finish(()))
        case (.looking, .answered(.exists, _)):
            state = .waiting
            return [.wait(upTo: nil)]
        case (_, .failed(let code, let path)):
            guard code.isWorthReconnecting else { return end(.fail(StepFailure(code, at: path))) }
            state = .disconnected
            return [.awaitConnection]
        default: return []
        }
    }

    private mutating func end(_ action: StepAction<Void>) -> [StepAction<Void>] {
        state = .ended
        return [action]
    }
}
