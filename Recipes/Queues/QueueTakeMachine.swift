import ConclaveClient
import ConclaveCore

/// Gets items that have been read, in one transaction: takes them out, claims one, or moves one elsewhere.
///
/// ```
/// take    [note in the mark, delete the items]
/// claim   [create the claim, write the item's data again: its version counts deliveries]
/// move    [delete the item, create others]
/// ```
///
/// Every item stands in it with the version that was read, so nobody gets what somebody else got first. An item that
/// was handed out before may be claimed: the transaction then also creates and deletes its claim, which fails while
/// there is one. After a lost answer the mark or the claim tells whether the transaction was performed. A claim is got
/// only while the hold window is open, like everything that is held.
package struct QueueTakeMachine: StepMachine {
    package enum Purpose: Hashable, Sendable {
        case take(QueueMark, AttemptID)
        /// The data of the claim, which no other claim has.
        case claim([UInt8])
        /// Creates below this parent.
        case move([Operation], parent: String)
    }

    package enum Outcome: Hashable, Sendable {
        /// The zxid of a claim; zero for others.
        case got(Zxid)
        /// Somebody else has the item at this path, or it has gone.
        case lost(String)
    }

    package struct Output: Hashable, Sendable {
        package let outcome: Outcome
        package let mark: QueueMark?
    }

    private enum State: Hashable, Sendable {
        case idle
        case writing
        case makingParents
        case disconnected
        case syncing
        case confirming
        case ended
    }

    private let nodes: QueueNodes
    private let candidates: [QueueCandidate]
    private let session: SessionID
    private let acl: [ACL]
    private var purpose: Purpose
    private var state = State.idle
    private var lastRequest: StepRequest?

    /// - Parameter candidates: one, or for a take several.
    package init(
        nodes: QueueNodes, candidates: [QueueCandidate], purpose: Purpose, session: SessionID, acl: [ACL] = .open
    ) {
        self.nodes = nodes
        self.candidates = candidates
        self.purpose = purpose
        self.session = session
        self.acl = acl
    }

    package mutating func handle(_ event: StepEvent) -> [StepAction<Output>] {
        if state == .ended { return [] }
        if let ending = event.ending { return fail(ending) }
        switch (state, event) {
        case (.idle, .start), (.makingParents, .answered(.done, _)): return write()
        case (.writing, .answered(.written(let results), let isWindowOpen)):
            return got(claimZxid(in: results), isWindowOpen: isWindowOpen)
        case (.writing, .failed(let code, let path)) where !code.isWorthReconnecting: return refused(code, at: path)
        case (.syncing, .answered(.done, _)): return confirm()
        case (.confirming, .answered(.data(let node), let isWindowOpen)):
            return judge(node, isWindowOpen: isWindowOpen)
        case (.confirming, .failed(.noNode, _)):
            if case .take(var mark, let attempt) = purpose {
                mark.exists = false
                purpose = .take(mark, attempt)
            }
            return write()
        case (.disconnected, .connected): return ask(.sync(nodes.items), .syncing)
        case (_, .failed(let code, _)) where code.isWorthReconnecting: return disconnected()
        case (_, .failed(let code, let path)): return fail(StepFailure(code, at: path))
        default: return []
        }
    }

    // MARK: - Steps

    private mutating func ask(_ request: StepRequest, _ next: State) -> [StepAction<Output>] {
        state = next
        return [.request(request)]
    }

    private mutating func disconnected() -> [StepAction<Output>] {
        state = .disconnected
        return [.awaitConnection]
    }

    private mutating func write() -> [StepAction<Output>] { ask(.write(operations), .writing) }

    private var operations: [Operation] {
        switch purpose {
        case .take(let mark, let attempt):
            return [mark.write(attempt, acl: acl)] + candidates.flatMap { removal(of: $0) }
        case .claim(let data):
            return candidates.flatMap { candidate in
                [
                    .create(nodes.claim(candidate.name), data, mode: .ephemeral, acl: acl),
                    .setData(nodes.item(candidate.name), candidate.data, version: candidate.version),
                ] as [Operation]
            }
        case .move(let creates, _):
            return candidates.flatMap { removal(of: $0) } + creates
        }
    }

    private func removal(of candidate: QueueCandidate) -> [Operation] {
        let deletion = Operation.delete(nodes.item(candidate.name), version: candidate.version)
        guard candidate.version != 0 else { return [deletion] }
        let claim = nodes.claim(candidate.name)
        return [.create(claim, [], mode: .ephemeral, acl: acl), .delete(claim, version: nil), deletion]
    }

    /// The transaction was not performed: why, and what follows from it.
    private mutating func refused(_ code: ZooKeeperError.Code, at path: String?) -> [StepAction<Output>] {
        if case .take(var mark, let attempt) = purpose, path == mark.path, code == .noNode || code == .nodeExists {
            let needsParent = code == .noNode && !mark.exists
            mark.exists = code == .nodeExists
            purpose = .take(mark, attempt)
            return needsParent ? ask(.makeParents(nodes.marks, .container), .makingParents) : write()
        }
        for candidate in candidates {
            switch (path, code) {
            case (nodes.item(candidate.name), .noNode), (nodes.item(candidate.name), .badVersion),
                (nodes.claim(candidate.name), .nodeExists):
                return finish(.lost(nodes.item(candidate.name)))
            case (nodes.claim(candidate.name), .noNode):
                return ask(.makeParents(nodes.claims, .container), .makingParents)
            default: continue
            }
        }
        if case .move(let creates, let parent) = purpose, code == .noNode, creates.contains(where: { $0.path == path })
        {
            // Persistent: an empty container would be removed, and numbers would start anew.
            return ask(.makeParents(parent, .persistent), .makingParents)
        }
        return fail(StepFailure(code, at: path))
    }

    /// After a lost answer and a sync: looks for what the transaction would have left.
    private mutating func confirm() -> [StepAction<Output>] {
        switch purpose {
        case .take(let mark, _): return ask(.data(mark.path), .confirming)
        case .claim:
            guard let candidate = candidates.first else { return write() }
            return ask(.data(nodes.claim(candidate.name)), .confirming)
        // If it was performed the item is gone.
        case .move: return write()
        }
    }

    private mutating func judge(_ node: NodeData, isWindowOpen: Bool) -> [StepAction<Output>] {
        switch purpose {
        case .take(var mark, let attempt):
            mark.exists = true
            purpose = .take(mark, attempt)
            let isDone = QueueMark.notes(attempt, node.bytes) && node.stat.ephemeralOwner == session
            return isDone ? finish(.got(.zero)) : write()
        case .claim(let data):
            let isOwn = node.bytes == data && node.stat.ephemeralOwner == session
            if isOwn { return got(node.stat.czxid, isWindowOpen: isWindowOpen) }
            return finish(.lost(candidates.first.map { nodes.item($0.name) } ?? nodes.items))
        case .move: return write()
        }
    }

    /// A claim is nobody's who cannot know whether the session is still there: it is looked for again.
    private mutating func got(_ zxid: Zxid, isWindowOpen: Bool) -> [StepAction<Output>] {
        if case .claim = purpose, !isWindowOpen { return disconnected() }
        return finish(.got(zxid))
    }

    private func claimZxid(in results: [OperationResult]) -> Zxid {
        guard case .claim = purpose, case .dataSet(let stat)? = results.last else { return .zero }
        return stat.mzxid
    }

    private mutating func finish(_ outcome: Outcome) -> [StepAction<Output>] {
        state = .ended
        guard case .take(var mark, _) = purpose else { return [.finish(Output(outcome: outcome, mark: nil))] }
        if case .got = outcome { mark.exists = true }
        return [.finish(Output(outcome: outcome, mark: mark))]
    }

    private mutating func fail(_ failure: StepFailure) -> [StepAction<Output>] {
        state = .ended
        return [.fail(failure)]
    }
}
