/// One attempt to hold something by being the first to create one ephemeral node: event in, actions out.
///
/// ```
/// path          data: id of the newest attempt that succeeded; version: how many have
/// path/lock     ephemeral; data: the holder's identity
/// ```
///
/// Both are written in one transaction, so that the parent's version tells holds apart although they share one name: a
/// guarded write checks node and version, and removal deletes the node only under that version (S3, S7).
///
/// ```
/// idle ──▶ claiming ──claimed──▶ held ──▶ over
///            │  ▲ └──taken──▶ waiting ──holder gone──▶ claiming
///            │  └─not ours──┐
///            ▼              │
///         recovering ──▶ inspecting ──ours──▶ held
/// ```
package struct FirstComeMachine: Sendable {
    /// A claim that succeeded.
    package struct Claim: Hashable, Sendable {
        /// The transaction that made it: the fencing token.
        package let zxid: Zxid
        /// The parent's version under it.
        package let version: Int32

        package init(zxid: Zxid, version: Int32) {
            self.zxid = zxid
            self.version = version
        }
    }

    /// What the two nodes look like, read at one moment.
    package struct Picture: Hashable, Sendable {
        package let lockCreated: Zxid
        package let lockOwner: SessionID
        package let parentData: [UInt8]
        package let parentModified: Zxid
        package let parentVersion: Int32

        package init(
            lockCreated: Zxid, lockOwner: SessionID, parentData: [UInt8], parentModified: Zxid, parentVersion: Int32
        ) {
            self.lockCreated = lockCreated
            self.lockOwner = lockOwner
            self.parentData = parentData
            self.parentModified = parentModified
            self.parentVersion = parentVersion
        }

        /// The claim that this attempt made, if it is the one that holds (S6).
        package func claim(of attempt: AttemptID, session: SessionID) -> Claim? {
            guard lockOwner == session, lockCreated == parentModified, parentData.elementsEqual(attempt.text.utf8)
            else { return nil }
            return Claim(zxid: lockCreated, version: parentVersion)
        }
    }

    package enum Event: Hashable, Sendable {
        case start
        case parentsMade
        /// The transaction went through; and whether the client's hold window was open when the answer arrived.
        case claimed(Claim, isWindowOpen: Bool)
        /// The node exists: somebody holds.
        case taken
        /// The answer to ``Action/inspect``; `nil` if there is no lock node.
        case inspected(Picture?, isWindowOpen: Bool)
        case holderGone
        case ownNodeGone
        case connected
        case failed(ZooKeeperError.Code)
        case cancelled
        case deadlinePassed
        case released
        case windowLapsed
        case sessionOver(ZooKeeperError.Code)
    }

    package enum Action: Hashable, Sendable {
        case makeParents
        case claim(AttemptID)
        /// Bring the server up to date, then read both nodes.
        case inspect
        /// Wait until the lock node has gone.
        case waitForHolder
        case awaitConnection
        /// Delete the lock node under this claim, in the background.
        case remove(Claim)
        /// Delete the lock node if this attempt made it, in the background.
        case sweep(AttemptID)
        case grant(Claim)
        case end(AttemptEnding)
    }

    package enum State: Hashable, Sendable {
        case idle
        case makingParents
        case claiming
        case waiting
        case recovering
        case inspecting
        case held(Claim)
        case over(AttemptEnding)
    }

    package private(set) var state = State.idle
    package let attempt: AttemptID
    private let session: SessionID
    private let patience: AttemptPatience
    /// Whether the calling task tree holds this very lock already.
    private let isHeldByTask: Bool
    private var retries = 0

    package init(
        attempt: AttemptID, session: SessionID, patience: AttemptPatience = .wait, isHeldByTask: Bool = false
    ) {
        self.attempt = attempt
        self.session = session
        self.patience = patience
        self.isHeldByTask = isHeldByTask
    }

    /// Takes one event and says what to do, in this order.
    package mutating func handle(_ event: Event) -> [Action] {
        switch event {
        case .start: return state == .idle ? claim() : []
        case .parentsMade: return state == .makingParents ? claim() : []
        case .claimed(let claim, let isWindowOpen):
            return state == .claiming ? hold(claim, isWindowOpen: isWindowOpen) : []
        case .taken: return state == .claiming ? taken() : []
        case .inspected(let picture, let isWindowOpen):
            guard state == .inspecting else { return [] }
            guard let own = picture?.claim(of: attempt, session: session) else {
                return picture == nil ? claim() : taken()
            }
            return hold(own, isWindowOpen: isWindowOpen)
        case .holderGone: return state == .waiting ? claim() : []
        case .ownNodeGone: return lose(.nodeRemoved)
        case .connected:
            guard state == .recovering else { return [] }
            state = .inspecting
            return [.inspect]
        case .failed(let code): return failed(code)
        case .cancelled: return withdraw(.cancelled)
        case .deadlinePassed: return withdraw(.deadlinePassed)
        case .released:
            guard case .held(let claim) = state else { return [] }
            return [.remove(claim), finish(.released)]
        case .windowLapsed: return lose(.windowLapsed)
        case .sessionOver(let code): return sessionOver(code)
        }
    }

    // MARK: - Events

    private mutating func claim() -> [Action] {
        state = .claiming
        return [.claim(attempt)]
    }

    private mutating func hold(_ claim: Claim, isWindowOpen: Bool) -> [Action] {
        guard isWindowOpen else {
            if patience == .once { return [.remove(claim), finish(.failed(.connectionLoss))] }
            state = .recovering
            return [.awaitConnection]
        }
        state = .held(claim)
        return [.grant(claim)]
    }

    private mutating func taken() -> [Action] {
        if patience == .once { return [finish(.busy)] }
        if isHeldByTask { return [finish(.selfDeadlock)] }
        state = .waiting
        return [.waitForHolder]
    }

    private mutating func lose(_ loss: HoldLoss) -> [Action] {
        guard case .held(let claim) = state else { return [] }
        let ending = finish(.lost(loss))
        return loss == .windowLapsed ? [.remove(claim), ending] : [ending]
    }

    private mutating func failed(_ code: ZooKeeperError.Code) -> [Action] {
        if code == .cancelled { return withdraw(.cancelled) }
        if code == .deadlineExceeded { return withdraw(.deadlinePassed) }
        if code.endsSession { return sessionOver(code) }
        switch state {
        case .idle, .held, .over:
            return []
        case .claiming where code == .noNode, .inspecting where code == .noNode:
            retries += 1
            guard retries <= ContenderMachine.retryLimit else { return [finish(.failed(code))] }
            state = .makingParents
            return [.makeParents]
        case .makingParents, .waiting, .claiming, .recovering, .inspecting:
            // Only after a claim without an answer may there be a node of ours (S7).
            let mayHaveClaimed =
                state == .recovering || state == .inspecting
                || state == .claiming && code.isWorthReconnecting
            guard code.isWorthReconnecting, patience == .wait else {
                return (mayHaveClaimed ? [.sweep(attempt)] : []) + [finish(.failed(code))]
            }
            state = .recovering
            return [.awaitConnection]
        }
    }

    private mutating func withdraw(_ ending: AttemptEnding) -> [Action] {
        switch state {
        case .idle, .makingParents, .waiting: [finish(ending)]
        case .claiming, .recovering, .inspecting: [.sweep(attempt), finish(ending)]
        case .held, .over: []
        }
    }

    private mutating func sessionOver(_ code: ZooKeeperError.Code) -> [Action] {
        switch state {
        case .over: []
        case .held: [finish(.lost(.sessionOver))]
        case .idle, .makingParents, .claiming, .waiting, .recovering, .inspecting: [finish(.failed(code))]
        }
    }

    private mutating func finish(_ ending: AttemptEnding) -> Action {
        state = .over(ending)
        return .end(ending)
    }
}
