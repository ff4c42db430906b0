import ConclaveClient
import ConclaveCore

/// Puts items into a queue, all of them in one transaction and exactly once as long as the session lives.
///
/// ```
/// start ──▶ count items ──▶ [note in the mark, create the items] ──▶ finish
///             │ full: finish           │ answer lost: sync, read the mark; done, or write again
/// ```
package struct QueuePutMachine: StepMachine {
    package enum Outcome: Hashable, Sendable {
        /// The number of the last item; `nil` if the answer was lost.
        case put(lastSequence: Int32?)
        case full
    }

    package struct Output: Hashable, Sendable {
        package let outcome: Outcome
        package let mark: QueueMark
        /// How much room there was beforehand; `nil` if nobody looked.
        package let room: Int?
    }

    private enum State: Hashable, Sendable {
        case idle
        case counting
        case writing
        case makingParents
        case disconnected
        case syncing
        case confirming
        case ended
    }

    private let nodes: QueueNodes
    private let creates: [Operation]
    /// The most items of the queue; `nil` if nobody is to look.
    private let limit: Int?
    private let attempt: AttemptID
    private let session: SessionID
    private let acl: [ACL]
    private var mark: QueueMark
    private var room: Int?
    private var state = State.idle

    /// - Parameter creates: the items.
    package init(
        nodes: QueueNodes, creates: [Operation], limit: Int?, mark: QueueMark, attempt: AttemptID, session: SessionID,
        acl: [ACL] = .open
    ) {
        self.nodes = nodes
        self.creates = creates
        self.limit = limit
        self.mark = mark
        self.attempt = attempt
        self.session = session
        self.acl = acl
    }

    package mutating func handle(_ event: StepEvent) -> [StepAction<Output>] {
        if state == .ended { return [] }
        if let ending = event.ending { return fail(ending) }
        switch (state, event) {
        case (.idle, .start): return limit == nil ? write() : ask(.exists(nodes.items), .counting)
        case (.counting, .answered(.exists(let stat), _)): return counted(stat)
        case (.makingParents, .answered(.done, _)): return write()
        case (.writing, .answered(.written(let results), _)): return finish(.put(lastSequence: sequence(results.last)))
        case (.writing, .failed(let code, let path)) where !code.isWorthReconnecting: return refused(code, at: path)
        case (.disconnected, .connected):
            return room == nil && limit != nil
                ? ask(.exists(nodes.items), .counting) : ask(.sync(nodes.items), .syncing)
        case (.syncing, .answered(.done, _)): return ask(.data(mark.path), .confirming)
        case (.confirming, .answered(.data(let node), _)):
            mark.exists = true
            let isDone = QueueMark.notes(attempt, node.bytes) && node.stat.ephemeralOwner == session
            return isDone ? finish(.put(lastSequence: nil)) : write()
        case (.confirming, .failed(.noNode, _)):
            mark.exists = false
            return write()
        case (_, .failed(let code, let path)):
            guard code.isWorthReconnecting else { return fail(StepFailure(code, at: path)) }
            state = .disconnected
            return [.awaitConnection]
        default: return []
        }
    }

    // MARK: - Steps

    private mutating func ask(_ request: StepRequest, _ next: State) -> [StepAction<Output>] {
        state = next
        return [.request(request)]
    }

    private mutating func counted(_ stat: Stat?) -> [StepAction<Output>] {
        let room = (limit ?? .max) - Int(stat?.numChildren ?? 0)
        self.room = room
        return room < creates.count ? finish(.full) : write()
    }

    private mutating func write() -> [StepAction<Output>] {
        ask(.write([mark.write(attempt, acl: acl)] + creates), .writing)
    }

    /// The transaction was not performed: what is missing is made.
    private mutating func refused(_ code: ZooKeeperError.Code, at path: String?) -> [StepAction<Output>] {
        if path == mark.path, code == .noNode || code == .nodeExists {
            let needsParent = code == .noNode && !mark.exists
            mark.exists = code == .nodeExists
            return needsParent ? ask(.makeParents(nodes.marks, .container), .makingParents) : write()
        }
        if code == .noNode {
            // Persistent: an empty container would be removed, and numbers would start anew.
            return ask(.makeParents(nodes.items, .persistent), .makingParents)
        }
        return fail(StepFailure(code, at: path))
    }

    private func sequence(_ result: OperationResult?) -> Int32? {
        guard case .created(let path, _)? = result else { return nil }
        return ContenderName(String(decoding: NodePath(path).name, as: UTF8.self))?.sequence
    }

    private mutating func finish(_ outcome: Outcome) -> [StepAction<Output>] {
        state = .ended
        if case .put = outcome { mark.exists = true }
        return [.finish(Output(outcome: outcome, mark: mark, room: room))]
    }

    private mutating func fail(_ failure: StepFailure) -> [StepAction<Output>] {
        state = .ended
        return [.fail(failure)]
    }
}
