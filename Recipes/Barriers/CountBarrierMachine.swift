import ConclaveClient
import ConclaveCore

/// Comes to a count barrier and waits until it opens.
///
/// ```
/// start ──▶ read the node: count, round ──▶ (sync, list) ──▶ [check the round, create <round>-<id>] ──▶ list
///                ▲                                                                      │ enough: write the node
///                └────────────── changed ◀── wait ◀── (watch the first, or all) ◀───────┴─▶ finish
/// ```
///
/// The node's version is the round, so a member belongs to exactly one, and the one write that opens it cannot come
/// twice. With `breaks` the first member watches all, all watch the first; who finds that one has gone, seen or not
/// (``DepartureCount``), writes the round down as broken. Members of earlier rounds go when they like: all there are of them
/// are in the listing made before the own node, as none can be made any more.
package struct CountBarrierMachine: StepMachine {
    private enum State: Hashable, Sendable {
        case idle
        case reading
        case makingParents
        case makingNode
        case catchingUp
        case counting
        case entering
        case syncing
        case checkingOwn
        case listing
        case watchingFirst
        case writing
        case waiting
        case disconnected
        case ended
    }

    private let path: String
    private let id: AttemptID
    private let wanted: Int?
    private let identity: [UInt8]
    private let breaks: Bool
    private let session: SessionID
    private let acl: [ACL]
    private var state = State.idle
    private var value = CountBarrierValue(count: 1)
    /// The round of the own node, once it may have been made.
    private var round: Int32?
    /// Whether the own node has been made for certain.
    private var isIn = false
    private var isGuard = false
    private var departures: DepartureCount?

    package init(
        path: String, id: AttemptID, count: Int?, identity: [UInt8], breaks: Bool, session: SessionID,
        acl: [ACL] = .open
    ) {
        self.path = path
        self.id = id
        wanted = count
        self.identity = identity
        self.breaks = breaks
        self.session = session
        self.acl = acl
    }

    /// Finishes with the round that has opened.
    package mutating func handle(_ event: StepEvent) -> [StepAction<Int32>] {
        if state == .ended { return [] }
        if let ending = event.ending { return fail(ending) }
        switch (state, event) {
        case (.entering, .failed(.badVersion, _)): return begin()
        case (.idle, .start), (.makingNode, .answered(.written, _)), (.makingNode, .failed(.nodeExists, _)),
            (.waiting, .changed), (.writing, .failed(.badVersion, _)):
            return read()
        case (.reading, .answered(.data(let node), _)): return learned(node)
        case (.reading, .failed(.noNode, _)) where !isIn: return make()
        case (.makingNode, .failed(.noNode, _)):
            guard let parent = NodePath(path).parent, parent != .root else { return fail(StepFailure(.noNode)) }
            return ask(.makeParents(parent.text, .container), .makingParents)
        case (.makingParents, .answered(.done, _)): return make()
        case (.catchingUp, .answered(.done, _)): return ask(.children(path), .counting)
        case (.counting, .answered(.children(let children), _)):
            departures = DepartureCount(children, leaving: Set(children.names.filter { !$0.hasPrefix(prefix) }))
            return enter()
        case (.counting, .failed(.noNode, _)): return begin()
        case (.entering, .answered(.written, _)): return entered()
        case (.entering, .failed(.noNode, _)): return begin()
        case (.entering, .failed(.nodeExists, _)), (.syncing, .answered(.done, _)):
            return ask(.exists(own), .checkingOwn)
        case (.checkingOwn, .answered(.exists(let stat), _)):
            return stat?.ephemeralOwner == session ? entered() : begin()
        case (.listing, .answered(.children(let children), _)): return listed(children)
        case (.watchingFirst, .answered(.exists(let stat), _)): return stat == nil ? breakUp() : wait()
        // Opened or broken by this member: what the node says now is judged like everybody else does.
        case (.writing, .answered(.written, _)): return read()
        case (.disconnected, .connected):
            return round != nil && !isIn ? ask(.sync(path), .syncing) : read()
        case (_, .failed(let code, let path)):
            guard code.isWorthReconnecting else { return fail(StepFailure(code, at: path)) }
            state = .disconnected
            return [.awaitConnection]
        default: return []
        }
    }

    // MARK: - Steps

    private mutating func ask(_ request: StepRequest, _ next: State) -> [StepAction<Int32>] {
        state = next
        return [.request(request)]
    }

    /// Finds out anew which round it is; there is no own node.
    private mutating func begin() -> [StepAction<Int32>] {
        round = nil
        return read()
    }

    private mutating func read() -> [StepAction<Int32>] { ask(.data(path, watch: true), .reading) }

    private mutating func make() -> [StepAction<Int32>] {
        guard let wanted else {
            return fail(StepFailure(.noNode, at: path, message: "nobody has said how many must come"))
        }
        let bytes = CountBarrierValue(count: wanted).bytes
        return ask(.write([.create(path, bytes, mode: .persistent, acl: acl)]), .makingNode)
    }

    private mutating func learned(_ node: NodeData) -> [StepAction<Int32>] {
        guard let value = CountBarrierValue(node.bytes) else {
            return fail(StepFailure(.dataInconsistency, at: path, message: "the node does not say how many must come"))
        }
        if let wanted, wanted != value.count {
            let message = "the barrier is for \(value.count), not for \(wanted)"
            return fail(StepFailure(.badArguments, at: path, message: message))
        }
        self.value = value
        guard isIn, let round else {
            round = node.stat.version
            return breaks ? ask(.sync(path), .catchingUp) : enter()
        }
        guard node.stat.version == round else {
            return value.brokenRounds.contains(round) ? fail(StepFailure(.barrierBroken)) : finish(round)
        }
        return list()
    }

    private mutating func enter() -> [StepAction<Int32>] {
        ask(
            .write([.check(path, version: round), .create(own, identity, mode: .ephemeral, acl: acl)]), .entering)
    }

    private var prefix: String { "\(round ?? 0)-" }

    private var own: String { NodePath.text(of: prefix + id.text, below: path) }

    private mutating func entered() -> [StepAction<Int32>] {
        isIn = true
        return list()
    }

    private mutating func list() -> [StepAction<Int32>] { ask(.children(path, watch: isGuard), .listing) }

    private mutating func listed(_ children: Children) -> [StepAction<Int32>] {
        let members = children.names.filter { $0.hasPrefix(prefix) }.sorted()
        guard members.contains(prefix + id.text) else {
            return fail(StepFailure(.holdLost, at: own, message: "somebody has removed the member's node"))
        }
        if let departures, departures.hasLost(children) { return breakUp() }
        if members.count >= value.count { return write() }
        guard breaks else { return wait() }
        guard let first = members.first, first != prefix + id.text else {
            if isGuard { return wait() }
            isGuard = true
            return list()
        }
        isGuard = false
        return ask(.exists(NodePath.text(of: first, below: path), watch: true), .watchingFirst)
    }

    private mutating func breakUp() -> [StepAction<Int32>] {
        if let round { value.markBroken(round) }
        return write()
    }

    private mutating func write() -> [StepAction<Int32>] {
        ask(.write([.setData(path, value.bytes, version: round)]), .writing)
    }

    private mutating func wait() -> [StepAction<Int32>] {
        state = .waiting
        return [.wait(upTo: nil)]
    }

    // MARK: - Ending

    private mutating func finish(_ round: Int32) -> [StepAction<Int32>] {
        state = .ended
        return [.clean([.delete(own, version: nil)]), .finish(round)]
    }

    private mutating func fail(_ failure: StepFailure) -> [StepAction<Int32>] {
        state = .ended
        return round == nil ? [.fail(failure)] : [.sweep(below: path, mark: id.text), .fail(failure)]
    }
}
