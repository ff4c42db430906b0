import ConclaveClient
import ConclaveCore

/// Closes or opens a gate, or waits until it is open: until its node does not exist.
///
/// ```
/// start ──▶ create or delete ──▶ finish
/// start ──▶ look ──▶ it is there: wait ──▶ look …
/// ```
///
/// Whatever was asked for is asked for again after a lost connection: that it has been done already is as good.
package struct GateMachine: StepMachine {
    package enum Goal: Hashable, Sendable {
        case close([UInt8], whileSessionLasts: Bool)
        case open
        case pass
    }

    private enum State: Hashable, Sendable {
        case idle
        case writing
        case makingParents
        case looking
        case waiting
        case disconnected
        case ended
    }

    private let path: String
    private let goal: Goal
    private let acl: [ACL]
    private var state = State.idle

    package init(path: String, goal: Goal, acl: [ACL] = .open) {
        self.path = path
        self.goal = goal
        self.acl = acl
    }

    package mutating func handle(_ event: StepEvent) -> [StepAction<Void>] {
        if state == .ended { return [] }
        if let ending = event.ending { return end(.fail(ending)) }
        switch (state, event) {
        case (.idle, .start), (.makingParents, .answered(.done, _)), (.waiting, .changed), (.disconnected, .connected):
            return begin()
        case (.writing, .answered(.written, _)): return end(.finish(()))
        case (.writing, .failed(.nodeExists, _)): return end(.finish(()))
        case (.writing, .failed(.noNode, let missing)):
            guard case .close = goal else { return end(.finish(())) }
            guard let parent = NodePath(path).parent, parent != .root else {
                return end(.fail(StepFailure(.noNode, at: missing)))
            }
            state = .makingParents
            return [.request(.makeParents(parent.text, .container))]
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

    private mutating func begin() -> [StepAction<Void>] {
        state = goal == .pass ? .looking : .writing
        let request: StepRequest =
            switch goal {
            case .close(let data, let whileSessionLasts):
                .write([.create(path, data, mode: whileSessionLasts ? .ephemeral : .persistent, acl: acl)])
            case .open: .write([.delete(path, version: nil)])
            case .pass: .exists(path, watch: true)
            }
        return [.request(request)]
    }

    private mutating func end(_ action: StepAction<Void>) -> [StepAction<Void>] {
        state = .ended
        return [action]
    }
}
