import ConclaveClient
import ConclaveCore

/// Counts a latch down, or waits until it is down.
///
/// ```
/// count down:  create <path>/<id> ──▶ read the node ──▶ enough children: write it ──▶ finish
/// wait:        read the node ──▶ written, or enough children: finish
///                 ▲      └──▶ wait for the write, or a while: the last one to count may have died before it
///                 └─────────────┘
/// ```
package struct LatchMachine: StepMachine {
    package enum Goal: Hashable, Sendable {
        /// By this name, which counts once.
        case countDown(String)
        case wait
        case look
    }

    private enum State: Hashable, Sendable {
        case idle
        case counting
        case reading
        case makingNode
        case makingParents
        case opening
        case waiting
        case disconnected
        case ended
    }

    private let path: String
    private let wanted: Int
    private let goal: Goal
    private let acl: [ACL]
    private var state = State.idle
    private var hasCounted = false

    /// How often those who wait look, in case that nobody tells them.
    package static let interval = Duration.seconds(5)

    package init(path: String, count: Int, goal: Goal, acl: [ACL] = .open) {
        self.path = path
        wanted = count
        self.goal = goal
        self.acl = acl
    }

    /// Finishes with what is left to count.
    package mutating func handle(_ event: StepEvent) -> [StepAction<Int>] {
        if state == .ended { return [] }
        if let ending = event.ending { return end(.fail(ending)) }
        switch (state, event) {
        case (.idle, .start), (.makingNode, .answered(.written, _)), (.makingNode, .failed(.nodeExists, _)),
            (.waiting, .changed), (.waiting, .elapsed), (.disconnected, .connected):
            return begin()
        case (.counting, .answered(.written, _)), (.counting, .failed(.nodeExists, _)):
            hasCounted = true
            return begin()
        case (.counting, .failed(.noNode, _)), (.reading, .failed(.noNode, _)), (.makingParents, .answered(.done, _)):
            if goal == .look { return end(.finish(wanted)) }
            let bytes = Array(String(wanted).utf8)
            return ask(.write([.create(path, bytes, mode: .persistent, acl: acl)]), .makingNode)
        case (.makingNode, .failed(.noNode, _)):
            guard let parent = NodePath(path).parent, parent != .root else { return end(.fail(StepFailure(.noNode))) }
            return ask(.makeParents(parent.text, .container), .makingParents)
        case (.reading, .answered(.data(let node), _)): return learned(node)
        case (.opening, .answered(.written, _)), (.opening, .failed(.badVersion, _)): return end(.finish(0))
        case (_, .failed(let code, let path)):
            guard code.isWorthReconnecting else { return end(.fail(StepFailure(code, at: path))) }
            state = .disconnected
            return [.awaitConnection]
        default: return []
        }
    }

    // MARK: - Steps

    private mutating func ask(_ request: StepRequest, _ next: State) -> [StepAction<Int>] {
        state = next
        return [.request(request)]
    }

    private mutating func begin() -> [StepAction<Int>] {
        if case .countDown(let id) = goal, !hasCounted {
            let node = NodePath.text(of: id, below: path)
            return ask(.write([.create(node, [], mode: .persistent, acl: acl)]), .counting)
        }
        return ask(.data(path, watch: goal == .wait), .reading)
    }

    private mutating func learned(_ node: NodeData) -> [StepAction<Int>] {
        guard let count = Int(String(decoding: node.bytes, as: UTF8.self)), count >= 0 else {
            return end(.fail(StepFailure(.dataInconsistency, at: path, message: "the node is not that of a latch")))
        }
        guard count == wanted else {
            let message = "the latch is for \(count), not for \(wanted)"
            return end(.fail(StepFailure(.badArguments, at: path, message: message)))
        }
        let rest = max(0, count - Int(node.stat.numChildren))
        guard rest == 0 else {
            guard goal == .wait else { return end(.finish(rest)) }
            state = .waiting
            return [.wait(upTo: Self.interval)]
        }
        if node.stat.version > 0 || goal == .look { return end(.finish(0)) }
        return ask(.write([.setData(path, node.bytes, version: 0)]), .opening)
    }

    private mutating func end(_ action: StepAction<Int>) -> [StepAction<Int>] {
        state = .ended
        return [action]
    }
}
