import ConclaveClient
import ConclaveCore

/// Makes one persistent sequential node, once: after a lost answer it is looked for by the id in its name.
package struct CommandPublication: StepMachine {
    package enum State: Hashable, Sendable {
        case idle
        case creating
        case makingParents
        case recovering
        case syncing
        case finding
        case over
    }

    /// How often the parent is made again before the attempt fails.
    package static let retryLimit = 100

    package private(set) var state = State.idle
    private let parent: String
    private let attempt: AttemptID
    private let data: [UInt8]
    private let acl: [ACL]
    private var retries = 0

    package init(parent: String, attempt: AttemptID, data: [UInt8], acl: [ACL] = .open) {
        self.parent = parent
        self.attempt = attempt
        self.data = data
        self.acl = acl
    }

    /// - Returns: in ``StepAction/finish(_:)`` the name of the node.
    package mutating func handle(_ event: StepEvent) -> [StepAction<ContenderName>] {
        switch (state, event) {
        case (.over, _): return []
        case (.idle, .start), (.makingParents, .answered(.done, _)): return create()
        case (.creating, .answered(.written(let results), _)):
            guard case .created(let path, _)? = results.first else { return end(.protocolViolation) }
            return accept(String(decoding: NodePath(path).name, as: UTF8.self))
        case (.creating, .failed(.noNode, _)), (.finding, .failed(.noNode, _)):
            retries += 1
            guard retries <= Self.retryLimit else { return end(.noNode) }
            state = .makingParents
            return [.request(.makeParents(parent, .persistent))]
        case (.recovering, .connected):
            state = .syncing
            return [.request(.sync(parent))]
        case (.syncing, .answered(.done, _)):
            state = .finding
            return [.request(.children(parent))]
        case (.finding, .answered(.children(let children), _)):
            guard let own = children.names.first(where: { $0.contains(attempt.text) }) else { return create() }
            return accept(own)
        case (_, .failed(let code, _)):
            guard code.isWorthReconnecting else { return end(code) }
            state = .recovering
            return [.awaitConnection]
        case (_, .cancelled): return withdraw(.cancelled)
        case (_, .deadlinePassed): return withdraw(.deadlineExceeded)
        case (_, .sessionOver(let code)): return end(code)
        default: return []
        }
    }

    private mutating func create() -> [StepAction<ContenderName>] {
        state = .creating
        let path = NodePath.text(of: "_c_\(attempt.text)-cmd-", below: parent)
        return [.request(.write([.create(path, data, mode: .persistentSequential, acl: acl)]))]
    }

    private mutating func accept(_ text: String) -> [StepAction<ContenderName>] {
        guard let name = ContenderName(text) else { return end(.protocolViolation) }
        guard (0...ContenderName.lastSequence).contains(name.sequence) else {
            return [.clean([.delete(NodePath.text(of: text, below: parent))])] + end(.sequenceExhausted)
        }
        state = .over
        return [.finish(name)]
    }

    private mutating func withdraw(_ code: ZooKeeperError.Code) -> [StepAction<ContenderName>] {
        [.sweep(below: parent, mark: attempt.text)] + end(code)
    }

    private mutating func end(_ code: ZooKeeperError.Code) -> [StepAction<ContenderName>] {
        state = .over
        return [.fail(StepFailure(code, at: parent))]
    }
}
