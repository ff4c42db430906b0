/// One attempt to hold something by the order of sequential nodes: event in, actions out.
///
/// Used by the fair lock, both sides of the read/write lock and the election. Owns no clock, task or connection.
///
/// ```
///                noNode: makeParents                     own node gone: again, with a new id
///            ┌────────────────┐            ┌──────────────────────────────────────────────┐
///            ▼                │            ▼                                              │
/// idle ──▶ creating ──created─┴──────▶ listing ──lowest──▶ held ──▶ over                  │
///   │        │ outcome unknown           ▲  │ behind another                              │
///   │        ▼                           │  ▼                                             │
///   │      recovering ─▶ finding ─▶ examining   waiting ──predecessor gone──▶ listing ────┤
///   │                                    ▲  │ connection lost                             │
///   └─(try)─▶ looking                    └─suspended ─────────────────────────────────────┘
/// ```
///
/// Rules, with the promises of the safety statement that rest on them:
/// - a node counts as ours only if its owner is this session (S6);
/// - the hold is given only after a listing that shows the node first among those it must wait for, while the hold
///   window is open, and every event leads to a new listing (S1, S8);
/// - only the node directly in the way is watched: releasing wakes one waiter (S8);
/// - every way out that is not a hold removes the node, or, where its name is not known, whatever bears the id (S7);
/// - the end of a hold is told once (S9).
///
/// An event that makes no sense in the current state is late and is ignored, so duplicates and races are harmless.
package struct ContenderMachine: Sendable {
    /// The node of this attempt.
    package struct Node: Hashable, Sendable {
        package let name: ContenderName
        /// The transaction that created it: the fencing token.
        package let czxid: Zxid

        package init(name: ContenderName, czxid: Zxid) {
            self.name = name
            self.czxid = czxid
        }
    }

    package enum Event: Hashable, Sendable {
        case start
        case parentsMade
        case created(name: String, czxid: Zxid, owner: SessionID)
        /// The children's names, in any order, and whether the client's hold window was open when they arrived.
        case listed([String], isWindowOpen: Bool)
        /// The answer to ``Action/examine(_:)``.
        case examined(czxid: Zxid, owner: SessionID)
        case predecessorGone
        case ownNodeGone
        case connected
        /// The request of the last action failed.
        case failed(ZooKeeperError.Code)
        case cancelled
        case deadlinePassed
        case released
        /// The hold window has lapsed although the session may live.
        case windowLapsed
        case sessionOver(ZooKeeperError.Code)
    }

    package enum Action: Hashable, Sendable {
        /// Make the parent and what is missing above it.
        case makeParents
        /// Create the node that bears this id.
        case create(AttemptID)
        /// Bring the server up to date, then list: finds a node whose creation went unanswered.
        case find
        /// Ask who owns the node of this name.
        case examine(String)
        case list
        /// Wait until the node `behind` has gone or the own node has.
        case wait(own: String, behind: String)
        case awaitConnection
        /// Take the place of the first, who has offered it: delete the offer, its node and the own one, and create one
        /// of this id with its number, in one transaction.
        case takeOver(own: String, from: String, AttemptID)
        /// Delete the node, in the background, until it or the session is gone.
        case remove(String)
        /// Delete every child that bears the id, in the background.
        case sweep(AttemptID)
        case grant(Node)
        case end(AttemptEnding)
    }

    package enum State: Hashable, Sendable {
        case idle
        case looking
        case makingParents
        case creating
        case recovering
        case finding
        case examining(String)
        case listing(Node)
        case waiting(Node, behind: String)
        case suspended(Node)
        case takingOver(Node)
        case held(Node)
        case over(AttemptEnding)
    }

    /// How often parents are made again or a lost place is queued for again before the attempt fails.
    package static let retryLimit = 100

    package private(set) var state = State.idle
    package private(set) var attempt: AttemptID
    private let session: SessionID
    package let isShared: Bool
    private let patience: AttemptPatience
    /// Names of nodes that the calling task tree holds already.
    private let ownHolds: Set<String>
    private var retries = 0
    /// Whether a takeover has been sent and not been answered: then there may be a node of the next id.
    private var mayHaveTakenOver = false

    package init(
        attempt: AttemptID, session: SessionID, isShared: Bool = false, patience: AttemptPatience = .wait,
        ownHolds: Set<String> = []
    ) {
        self.attempt = attempt
        self.session = session
        self.isShared = isShared
        self.patience = patience
        self.ownHolds = ownHolds
    }

    /// Takes one event and says what to do, in this order.
    package mutating func handle(_ event: Event) -> [Action] {
        switch event {
        case .start: return started()
        case .parentsMade: return state == .makingParents ? create() : []
        case .created(let name, let czxid, let owner):
            if case .takingOver = state {
                mayHaveTakenOver = false
                attempt = attempt.next
            } else if state != .creating {
                return []
            }
            return accept(name, czxid: czxid, owner: owner)
        case .listed(let names, let isWindowOpen): return listed(names, isWindowOpen: isWindowOpen)
        case .examined(let czxid, let owner):
            guard case .examining(let name) = state else { return [] }
            return accept(name, czxid: czxid, owner: owner)
        case .predecessorGone:
            guard case .waiting(let node, _) = state else { return [] }
            return list(node)
        case .ownNodeGone: return ownNodeGone()
        case .connected: return connected()
        case .failed(let code): return failed(code)
        case .cancelled: return withdraw(.cancelled)
        case .deadlinePassed: return withdraw(.deadlinePassed)
        case .released:
            guard case .held(let node) = state else { return [] }
            return [.remove(node.name.text), finish(.released)]
        case .windowLapsed:
            guard case .held(let node) = state else { return [] }
            return [.remove(node.name.text), finish(.lost(.windowLapsed))]
        case .sessionOver(let code): return sessionOver(code)
        }
    }

    // MARK: - Events

    private mutating func started() -> [Action] {
        guard state == .idle else { return [] }
        guard patience == .once else { return create() }
        // A try looks before it writes: while somebody holds, trying again and again costs one read each.
        state = .looking
        return [.list]
    }

    private mutating func create() -> [Action] {
        state = .creating
        return [.create(attempt)]
    }

    /// Takes the node as ours if this session owns it; a stranger's is left alone and the attempt starts anew (S6).
    private mutating func accept(_ text: String, czxid: Zxid, owner: SessionID) -> [Action] {
        guard owner == session else { return again(after: []) }
        guard let name = ContenderName(text) else {
            return [.remove(text), finish(.failed(.protocolViolation))]
        }
        guard (0...ContenderName.lastSequence).contains(name.sequence) else {
            return [.remove(text), finish(.sequenceExhausted)]
        }
        return list(Node(name: name, czxid: czxid))
    }

    private mutating func list(_ node: Node) -> [Action] {
        state = .listing(node)
        return [.list]
    }

    private mutating func listed(_ names: [String], isWindowOpen: Bool) -> [Action] {
        switch state {
        case .looking:
            let blocked = names.contains { ContenderName($0).map { !(isShared && $0.isShared) } ?? false }
            return blocked ? [finish(.busy)] : create()
        case .finding:
            let marked = names.filter { $0.contains(attempt.text) }.compactMap(ContenderName.init).sorted()
            guard let first = marked.first else { return create() }
            state = .examining(first.text)
            return marked.dropFirst().map { .remove($0.text) } + [.examine(first.text)]
        case .listing(let node):
            return judge(node, among: names, isWindowOpen: isWindowOpen)
        case .idle, .makingParents, .creating, .recovering, .examining, .waiting, .suspended, .takingOver, .held, .over:
            return []
        }
    }

    /// Looks who stands in the way: for an exclusive node everybody before it, for a shared one the exclusive ones.
    private mutating func judge(_ node: Node, among names: [String], isWindowOpen: Bool) -> [Action] {
        guard let place = QueuePlace(of: node.name, isShared: isShared, among: names, ownHolds: ownHolds) else {
            return placeLost()
        }
        guard let nearest = place.obstacle else {
            guard isWindowOpen else { return suspend(node) }
            state = .held(node)
            return [.grant(node)]
        }
        if patience == .once { return [.remove(node.name.text), finish(.busy)] }
        // Whoever stands in the way waits, directly or through others, for what this task tree itself holds.
        if place.isBehindOwnHold { return [.remove(node.name.text), finish(.selfDeadlock)] }
        if names.contains(where: HandOver.isOffer), let first = names.compactMap(ContenderName.init).min(),
            let offer = HandOver.offerName(from: first.text, to: node.name.text), names.contains(offer)
        {
            state = .takingOver(node)
            return [.takeOver(own: node.name.text, from: first.text, attempt.next)]
        }
        state = .waiting(node, behind: nearest.text)
        return [.wait(own: node.name.text, behind: nearest.text)]
    }

    private mutating func suspend(_ node: Node) -> [Action] {
        if patience == .once { return [.remove(node.name.text), finish(.failed(.connectionLoss))] }
        state = .suspended(node)
        return [.awaitConnection]
    }

    /// The own node has gone while the session lives: somebody removed it. A waiter queues again, a holder has lost.
    private mutating func ownNodeGone() -> [Action] {
        switch state {
        case .examining, .listing, .waiting, .suspended: placeLost()
        case .held: [finish(.lost(.nodeRemoved))]
        case .idle, .looking, .makingParents, .creating, .recovering, .finding, .takingOver, .over: []
        }
    }

    /// The node that stood in the queue has gone: with a takeover, whose node bears the next id, or by somebody's hand.
    private mutating func placeLost() -> [Action] {
        guard mayHaveTakenOver else { return again(after: []) }
        mayHaveTakenOver = false
        attempt = attempt.next
        state = .finding
        return [.find]
    }

    private mutating func again(after actions: [Action]) -> [Action] {
        retries += 1
        guard retries <= Self.retryLimit else { return actions + [finish(.failed(.noNode))] }
        attempt = attempt.next
        return actions + create()
    }

    private mutating func connected() -> [Action] {
        switch state {
        case .recovering:
            state = .finding
            return [.find]
        case .suspended(let node):
            return list(node)
        case .idle, .looking, .makingParents, .creating, .finding, .examining, .listing, .waiting, .takingOver, .held,
            .over:
            return []
        }
    }

    private mutating func failed(_ code: ZooKeeperError.Code) -> [Action] {
        if code == .cancelled { return withdraw(.cancelled) }
        if code == .deadlineExceeded { return withdraw(.deadlinePassed) }
        if code.endsSession { return sessionOver(code) }
        let isTransient = code.isWorthReconnecting && patience == .wait
        switch state {
        case .idle, .held, .over:
            return []
        case .looking:
            return code == .noNode ? makeParents() : [finish(.failed(code))]
        case .makingParents:
            guard isTransient else { return [finish(.failed(code))] }
            // What exists already is tolerated, so making parents again is safe; the next create asks for it.
            state = .recovering
            return [.awaitConnection]
        case .creating:
            if code == .noNode { return makeParents() }
            // A definite refusal has made nothing; after an unknown outcome there may be a node (S7).
            guard code.isWorthReconnecting else { return [finish(.failed(code))] }
            guard isTransient else { return [.sweep(attempt), finish(.failed(code))] }
            state = .recovering
            return [.awaitConnection]
        case .finding where code == .noNode:
            return makeParents()
        case .recovering, .finding, .examining:
            if code == .noNode { return again(after: [.sweep(attempt)]) }
            guard isTransient else { return [.sweep(attempt), finish(.failed(code))] }
            state = .recovering
            return [.awaitConnection]
        case .takingOver(let node):
            // Refused: the offer or one of the nodes has gone, or has it been answered by another.
            guard code.isWorthReconnecting else { return list(node) }
            mayHaveTakenOver = true
            return suspend(node)
        case .listing(let node), .waiting(let node, _), .suspended(let node):
            // Without the parent there is no node below it.
            if code == .noNode { return placeLost() }
            guard isTransient else { return abandon(node) + [finish(.failed(code))] }
            return suspend(node)
        }
    }

    private mutating func makeParents() -> [Action] {
        retries += 1
        guard retries <= Self.retryLimit else { return [finish(.failed(.noNode))] }
        state = .makingParents
        return [.makeParents]
    }

    /// Gives up: removes the node if it is known, else whatever bears the id. A hold is not given up this way.
    private mutating func withdraw(_ ending: AttemptEnding) -> [Action] {
        switch state {
        case .idle, .looking, .makingParents: return [finish(ending)]
        case .creating, .recovering, .finding, .examining: return [.sweep(attempt), finish(ending)]
        case .takingOver(let node):
            mayHaveTakenOver = true
            return abandon(node) + [finish(ending)]
        case .listing(let node), .waiting(let node, _), .suspended(let node):
            return abandon(node) + [finish(ending)]
        case .held, .over: return []
        }
    }

    /// Removes the own node, and what a takeover may have put in its place.
    private func abandon(_ node: Node) -> [Action] {
        [.remove(node.name.text)] + (mayHaveTakenOver ? [.sweep(attempt.next)] : [])
    }

    private mutating func sessionOver(_ code: ZooKeeperError.Code) -> [Action] {
        switch state {
        case .over: []
        case .held: [finish(.lost(.sessionOver))]
        case .idle, .looking, .makingParents, .creating, .recovering, .finding, .examining, .listing, .waiting,
            .suspended, .takingOver:
            [finish(.failed(code))]
        }
    }

    private mutating func finish(_ ending: AttemptEnding) -> Action {
        state = .over(ending)
        return .end(ending)
    }
}
