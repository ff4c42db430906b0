import ConclaveClient
import ConclaveCore

/// The first in the queue makes sure that its term is above all terms that began out of turn: event in, actions out.
///
/// If its node is older than the last of them, it replaces the node by a new one at the same place, and dates that. If
/// it is younger, so are all behind it, and the date is not needed any more.
package struct TermMachine: StepMachine {
    package typealias Output = ContenderMachine.Node

    enum State: Hashable, Sendable {
        case idle
        case looking
        case replacing
        case suspended
        case syncing
        case finding
        case over
    }

    let path: String
    let own: ContenderMachine.Node
    let successor: ContenderName?
    let session: SessionID
    let identity: [UInt8]
    let acl: [ACL]
    var state = State.idle

    /// - Parameter successor: the name of the node that may take the place of the own one.
    package init(
        path: String, own: ContenderMachine.Node, successor: String, session: SessionID, identity: [UInt8] = [],
        acl: [ACL] = .open
    ) {
        self.path = path
        self.own = own
        self.successor = ContenderName(successor)
        self.session = session
        self.identity = identity
        self.acl = acl
    }

    package mutating func handle(_ event: StepEvent) -> [StepAction<Output>] {
        switch event {
        case .start: return state == .idle ? look() : []
        case .answered(let answer, let isWindowOpen): return answered(answer, isWindowOpen: isWindowOpen)
        case .failed(let code, let path):
            if code.isWorthReconnecting { return suspend() }
            switch state {
            case .idle, .over: return []
            case .replacing where code == .noNode && path == dated: return look()
            case .replacing where code == .noNode: return fail(StepFailure(.noNode, at: ownPath))
            default: return withdraw(StepFailure(code, at: path))
            }
        case .connected:
            guard state == .suspended else { return [] }
            state = .syncing
            return [.request(.sync(path))]
        case .cancelled: return withdraw(StepFailure(.cancelled))
        case .deadlinePassed: return withdraw(StepFailure(.deadlineExceeded))
        case .sessionOver(let code): return fail(StepFailure(code))
        case .changed, .elapsed: return []
        }
    }

    private mutating func answered(_ answer: StepAnswer, isWindowOpen: Bool) -> [StepAction<Output>] {
        switch (state, answer) {
        case (.looking, .exists(let stat)):
            guard let stat, let successor else { return settle(own, isWindowOpen: isWindowOpen) }
            if own.czxid < stat.mzxid { return replace(successor) }
            let isNeeded = own.czxid == stat.mzxid
            let cleaning: [StepAction<Output>] = isNeeded ? [] : [.clean([.delete(dated, version: stat.version)])]
            return cleaning + settle(own, isWindowOpen: isWindowOpen)
        case (.replacing, .written(let results)):
            guard case .dataSet(let stat)? = results.last, let successor else {
                return withdraw(StepFailure(.protocolViolation, at: path))
            }
            return settle(.init(name: successor, czxid: stat.czxid), isWindowOpen: isWindowOpen)
        case (.syncing, .done):
            guard let successorPath else { return look() }
            state = .finding
            return [.request(.exists(successorPath))]
        case (.finding, .exists(let stat)):
            guard let stat, let successor, stat.ephemeralOwner == session else { return look() }
            return settle(.init(name: successor, czxid: stat.czxid), isWindowOpen: isWindowOpen)
        default: return []
        }
    }

    private var dated: String { NodePath.text(of: HandOver.dateName, below: path) }
    private var ownPath: String { NodePath.text(of: own.name.text, below: path) }
    private var successorPath: String? { successor.map { NodePath.text(of: $0.text, below: path) } }

    private mutating func look() -> [StepAction<Output>] {
        state = .looking
        return [.request(.exists(dated))]
    }

    private mutating func replace(_ successor: ContenderName) -> [StepAction<Output>] {
        let new = NodePath.text(of: successor.text, below: path)
        state = .replacing
        return [
            .request(
                .write([
                    .delete(ownPath), .create(new, identity, mode: .ephemeral, acl: acl), .setData(dated, []),
                    .setData(new, identity),
                ]))
        ]
    }

    private mutating func settle(_ node: ContenderMachine.Node, isWindowOpen: Bool) -> [StepAction<Output>] {
        guard isWindowOpen else { return suspend() }
        state = .over
        return [.finish(node)]
    }

    private mutating func suspend() -> [StepAction<Output>] {
        guard state != .over else { return [] }
        state = .suspended
        return [.awaitConnection]
    }

    private mutating func fail(_ failure: StepFailure) -> [StepAction<Output>] {
        guard state != .over else { return [] }
        state = .over
        return [.fail(failure)]
    }

    private mutating func withdraw(_ failure: StepFailure) -> [StepAction<Output>] {
        guard state != .over else { return [] }
        return [.clean([ownPath, successorPath].compactMap { $0 }.map { .delete($0) })] + fail(failure)
    }
}
