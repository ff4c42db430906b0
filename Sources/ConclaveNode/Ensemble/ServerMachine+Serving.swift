import ConclaveConsensus
import ConclaveCore
import ConclaveTree
import ConclaveWire

/// Beginning and ending to serve, as elections come and go.
extension ServerMachine {
    /// Begins to serve clients.
    ///
    /// - Parameter epochStart: the zxid that the epoch begins with, which a leader's first transaction follows.
    package mutating func startServing(as role: ServingRole, epochStart: Zxid? = nil, now: Instant, wall: WallTime) {
        advance(now, wall)
        self.role = role
        effects.recordsPartStats = role.isLearning
        learner = LearnerState()
        places = [:]
        expiry = SessionExpiry(tickMilliseconds: options.tickMilliseconds)
        if let epochStart { tree.beginEpoch(at: epochStart) }
        servedFrom = tree.lastProcessed
        preparer = Preparer(options: options, lastZxid: tree.lastProcessed, digest: tree.digest)
        if makesLocalSessions {
            local.restart(now: now)
        } else {
            local = LocalSessions(tickMilliseconds: options.tickMilliseconds)
        }
        guard role.isPreparing else { return }
        nextContainerCheck = now.advanced(byMilliseconds: options.containerCheckMilliseconds)
        // Every session gets its full time: nobody knows when it was last heard of.
        for (session, timeout) in tree.sessions.sorted(by: { $0.key < $1.key }) {
            expiry.add(session, timeoutMilliseconds: Int64(timeout), now: now)
        }
        for session in tree.ownersWithoutSession() { proposeCloseSession(session) }
    }

    /// What a leader judges changes of the ensemble by.
    package mutating func setEnsemble(_ view: EnsembleView) {
        if preparer.ensemble != view { preparer.ensemble = view }
    }

    /// Shows clients which configuration is in force, if it is another than the one they see.
    package mutating func showConfiguration(_ configuration: EnsembleConfiguration) {
        tree.installConfiguration(
            Array(configuration.text.utf8), version: Zxid(rawValue: configuration.version),
            timeMilliseconds: wall.milliseconds)
    }

    /// Turns all clients away. What has been logged stays to be applied with ``applyLogged(through:now:wall:)``.
    package mutating func stopServing(now: Instant, wall: WallTime) {
        advance(now, wall)
        role = .none
        servedThrough = tree.lastProcessed
        for slot in slots.indices where slots[slot].phase != .closing {
            if case .fresh = slots[slot].phase { continue }
            close(slot, .notServing)
        }
        learner = LearnerState()
        local.forgetUpgrades()
        places = [:]
        proposals = []
        expiry = SessionExpiry(tickMilliseconds: options.tickMilliseconds)
    }

    /// Takes a transaction that a leader has proposed; it is applied when ``committed(through:now:wall:)`` comes to it.
    package mutating func enqueue(_ proposal: Proposal) {
        inFlight.append(InFlight(zxid: proposal.zxid, work: .replicate(proposal)))
    }

    /// Applies what a quorum has, in order.
    package mutating func committed(through zxid: Zxid, now: Instant, wall: WallTime) {
        advance(now, wall)
        commit(through: zxid)
        resumePaused()
    }

    /// The last transaction that was taken and waits to be applied.
    package var lastEnqueued: Zxid? { inFlight.last?.zxid }

    /// Drops what was taken behind a transaction, which will never be applied.
    package mutating func dropInFlight(after zxid: Zxid) {
        while let last = inFlight.last, last.zxid > zxid { _ = inFlight.popLast() }
    }

    /// Goes on with another tree: the history was cut, or replaced by a leader's.
    package mutating func replace(_ tree: DataTree) {
        inFlight = RingBuffer()
        childLists = ChildListCache(limitBytes: options.childListCacheBytes)
        self.tree = tree
        preparer = Preparer(options: options, lastZxid: tree.lastProcessed, digest: tree.digest)
    }

    /// Changes the tree where it stands, as a snapshot comes in.
    package mutating func loadTree(_ body: (inout DataTree) -> Void) { body(&tree) }

    /// Whether the epoch's numbers are used up: a leader that is asked for more steps down.
    package var isEpochExhausted: Bool { preparer.lastZxid.successor == nil }
}
