import ConclaveClient
import ConclaveCore

/// A reader that stands in the queue as a writer waits until nobody is before it: event in, actions out.
///
/// Whatever goes wrong it keeps its node and goes on to read, unless the node has gone.
package struct UpgradeMachine: StepMachine {
    package enum Output: Hashable, Sendable {
        case upgraded
        /// A try found others before it.
        case busy
    }

    enum State: Hashable, Sendable {
        case idle
        case listing
        case arming
        case watchingOwn
        case waiting
        case suspended
        case over
    }

    let path: String
    let own: ContenderName
    let patience: AttemptPatience
    /// Names of nodes that the calling task tree holds; the own one among them does no harm.
    let ownHolds: Set<String>
    var state = State.idle

    package init(path: String, own: ContenderName, patience: AttemptPatience = .wait, ownHolds: Set<String> = []) {
        self.path = path
        self.own = own
        self.patience = patience
        self.ownHolds = ownHolds
    }

    package mutating func handle(_ event: StepEvent) -> [StepAction<Output>] {
        switch event {
        case .start:
            return state == .idle ? list() : []
        case .answered(let answer, let isWindowOpen): return answered(answer, isWindowOpen: isWindowOpen)
        case .failed(let code, let path):
            guard state != .over else { return [] }
            if code.isWorthReconnecting, patience == .wait { return suspend() }
            return code == .noNode ? gone() : fail(StepFailure(code, at: path))
        case .changed, .elapsed:
            return state == .waiting ? list() : []
        case .connected:
            return state == .suspended ? list() : []
        case .cancelled:
            return fail(StepFailure(.cancelled, message: "the task was cancelled while it waited for readers"))
        case .deadlinePassed:
            return fail(StepFailure(.deadlineExceeded, message: "the deadline passed before the readers had gone"))
        case .sessionOver(let code): return fail(StepFailure(code))
        }
    }

    private mutating func answered(_ answer: StepAnswer, isWindowOpen: Bool) -> [StepAction<Output>] {
        switch (state, answer) {
        case (.listing, .children(let children)):
            guard let place = QueuePlace(of: own, isShared: false, among: children.names, ownHolds: ownHolds) else {
                return gone()
            }
            guard let obstacle = place.obstacle else {
                guard isWindowOpen else {
                    return patience == .once ? fail(StepFailure(.connectionLoss)) : suspend()
                }
                state = .over
                return [.finish(.upgraded)]
            }
            if patience == .once {
                state = .over
                return [.finish(.busy)]
            }
            if place.isBehindOwnHold { return fail(StepFailure(.selfDeadlock, at: path)) }
            state = .arming
            return [.request(.exists(NodePath.text(of: obstacle.text, below: path), watch: true))]
        case (.arming, .exists(let stat)):
            guard stat != nil else { return list() }
            state = .watchingOwn
            return [.request(.exists(NodePath.text(of: own.text, below: path), watch: true))]
        case (.watchingOwn, .exists(let stat)):
            guard stat != nil else { return gone() }
            state = .waiting
            return [.wait(upTo: nil)]
        default: return []
        }
    }

    private mutating func list() -> [StepAction<Output>] {
        state = .listing
        return [.request(.children(path))]
    }

    private mutating func suspend() -> [StepAction<Output>] {
        state = .suspended
        return [.awaitConnection]
    }

    private mutating func gone() -> [StepAction<Output>] {
        fail(
            StepFailure(
                .holdLost, at: NodePath.text(of: own.text, below: path), message: "the reader's node was removed"))
    }

    private mutating func fail(_ failure: StepFailure) -> [StepAction<Output>] {
        guard state != .over else { return [] }
        state = .over
        return [.fail(failure)]
    }
}
