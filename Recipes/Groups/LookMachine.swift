import ConclaveClient
import ConclaveCore

/// Looks at everybody who is below a path, again and again: at an interval, and at once when somebody comes or goes.
package struct LookMachine: StepMachine {
    package struct Look: Hashable, Sendable {
        package let members: [GroupMember]
        /// Whether requests failed since the look before, so that time went by unseen.
        package let isAfterGap: Bool
    }

    package enum State: Hashable, Sendable {
        case idle
        case listing
        case lookingForParent
        case reading([String])
        case waiting
        case suspended
        case told
        case over
    }

    package private(set) var state = State.idle
    private let path: String
    private let interval: Duration?
    private var hadGap = false

    /// - Parameter interval: `nil` looks only when somebody comes or goes.
    package init(path: String, interval: Duration?) {
        self.path = path
        self.interval = interval
    }

    package mutating func handle(_ event: StepEvent) -> [StepAction<Look>] {
        switch (state, event) {
        case (.told, .start):
            state = .waiting
            return [.wait(upTo: interval)]
        case (.idle, .start), (.waiting, .changed), (.waiting, .elapsed), (.suspended, .connected),
            (.waiting, .failed(.noWatcher, _)):
            state = .listing
            return [.request(.children(path, watch: true))]
        case (.listing, .answered(.children(let children), _)):
            guard !children.names.isEmpty else { return tell([]) }
            let names = children.names.sorted()
            state = .reading(names)
            return [.request(.dataOfMany(names.map { NodePath.text(of: $0, below: path) }))]
        case (.listing, .failed(.noNode, _)):
            state = .lookingForParent
            return [.request(.exists(path, watch: true))]
        case (.lookingForParent, .answered(.exists(let stat), _)):
            guard stat != nil else { return tell([]) }
            state = .listing
            return [.request(.children(path, watch: true))]
        case (.reading(let names), .answered(.dataOfMany(let nodes), _)):
            return tell(
                zip(names, nodes).compactMap { name, node in node.map { GroupMember(name: name, node: $0) } })
        case (.over, _): return []
        case (_, .failed(let code, _)):
            guard code.isWorthReconnecting else { return end(code) }
            hadGap = true
            state = .suspended
            return [.awaitConnection]
        case (_, .cancelled): return end(.cancelled)
        case (_, .deadlinePassed): return end(.deadlineExceeded)
        case (_, .sessionOver(let code)): return end(code)
        default: return []
        }
    }

    private mutating func tell(_ members: [GroupMember]) -> [StepAction<Look>] {
        defer { hadGap = false }
        state = .told
        return [.finish(Look(members: members, isAfterGap: hadGap))]
    }

    private mutating func end(_ code: ZooKeeperError.Code) -> [StepAction<Look>] {
        state = .over
        return [.fail(StepFailure(code, at: path))]
    }
}
