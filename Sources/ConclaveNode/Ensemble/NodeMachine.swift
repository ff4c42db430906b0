import ConclaveConsensus
import ConclaveCore
import ConclaveTree
import ConclaveWire

/// One server of an ensemble as one machine: clients, election, leading and following, and what storage is asked for.
///
/// ```
///        ┌──────────────── a role ends ◀───────────────────┐
///        ▼                                                 │
///     looking ─ decided, and storage idle ─▶ leading / learning
///        ▲                                                 │
///        └── settling ◀── ends while the history changes ──┘
/// ```
///
/// A server's vote is the end of its log; before it takes a role, everything logged is synced and applied. Applied is otherwise
/// what is committed **and** synced here, so that no snapshot is ever ahead of the log (DESIGN D5, D6).
package struct NodeMachine: Sendable {
    package enum Phase: Equatable, Sendable {
        /// Waits until storage has changed the history as it was asked to: only then it is known how it ends.
        case settling
        case looking
        case leading
        case learning
        case stopped
    }

    package let options: EnsembleOptions
    package internal(set) var configuration: EnsembleConfiguration
    package internal(set) var phase = Phase.settling
    /// The client side. Events of clients go here directly, followed by ``turn(now:wall:)``.
    package var server: ServerMachine
    package internal(set) var acceptedEpoch: Int64
    package internal(set) var currentEpoch: Int64
    /// Who leads, as far as this server knows.
    package internal(set) var leaderID: ServerID?
    /// Whom this server followed until its role ended.
    private var lostLeader: ServerID?

    var elector: Elector
    /// Proposed, not in force.
    var pendingConfiguration: EnsembleConfiguration?
    /// Whether a single voter may stand alone, which an ensemble must not shrink to.
    let standaloneEnabled: Bool
    let listedRole: EnsembleMember.Role
    var leader: LeaderMachine?
    var learner: LearnerMachine?
    var learnerLink: LinkID?
    /// Connections to the quorum port that came before this server knew that it leads, with what they sent.
    var early: [(link: LinkID, bytes: [UInt8])] = []
    /// Connections that the leader has.
    var learnerLinks: [LinkID] = []
    /// What is to be read from the logs for learners, the first one after the one that is being read.
    var historyQuestions: [HistoryQuestion] = []
    var isReadingHistory = false
    /// What the leader has to say about sessions, and must not before it is known to have led when it was asked.
    var sessionAnswers = RingBuffer<SessionAnswer>()

    /// The newest applied transactions.
    var history: CommittedLog
    /// Logged or being logged, not applied.
    var tail = RingBuffer<Proposal>()
    var lastLogged: Zxid
    var syncedThrough: Zxid
    var committedThrough: Zxid
    /// Orders without a report.
    var ordersUnderWay = 0
    var mustReload = false
    /// Orders that change the history, without a report.
    var changesUnderWay = 0
    /// When clients may read without a quorum, unless a leader is found before.
    var readOnlyAt: Instant?
    /// What the election has decided, and waits for storage.
    var decision: (leader: ServerID, state: PeerState)?
    var proposalSizes = ProposalSizes()
    var actions: [NodeAction] = []
    var scratch: [LearnerAction] = []

    static let earlyLinkLimit = 64
    static let earlyByteLimit = 64 << 10

    /// Takes over what recovery has found.
    ///
    /// - Parameter history: the newest transactions of the log, as far as they are known.
    package init(
        options: EnsembleOptions, configuration: EnsembleConfiguration, pending: EnsembleConfiguration? = nil,
        role: EnsembleMember.Role, standaloneEnabled: Bool = true, server: ServerMachine, acceptedEpoch: Int64,
        currentEpoch: Int64, history: [Proposal], now: Instant
    ) {
        pendingConfiguration = pending
        self.standaloneEnabled = standaloneEnabled
        self.options = options
        self.configuration = configuration
        self.server = server
        listedRole = role
        self.acceptedEpoch = acceptedEpoch
        self.currentEpoch = currentEpoch
        lastLogged = server.tree.lastProcessed
        syncedThrough = lastLogged
        committedThrough = lastLogged
        self.history = CommittedLog(after: history.first.map { _ in .zero } ?? lastLogged, options: options)
        if let first = history.first {
            // The log claims nothing in front of the first transaction it is given.
            self.history = CommittedLog(after: Zxid(rawValue: first.zxid.rawValue - 1), options: options)
            for proposal in history { self.history.append(proposal) }
        }
        let addresses = configuration.member(options.myID)?.addresses ?? []
        elector = Elector(
            options: options, configuration: configuration, pending: pending, role: role,
            announcing: addresses.map { ElectionAddress(host: $0.host, port: $0.electionPort) }, now: now)
    }

    /// Begins to look for a leader.
    package mutating func start(now: Instant, wall: WallTime) {
        server.stopServing(now: now, wall: wall)
        look(now: now)
        turn(now: now, wall: wall)
    }

    /// Ends the role in an orderly way: no more clients, no more promises. A leader's followers notice at once.
    package mutating func stop(now: Instant, wall: WallTime) {
        guard phase != .stopped else { return }
        endRole(now: now, wall: wall)
        phase = .stopped
        turn(now: now, wall: wall)
    }

    /// Nothing is under way in storage and nothing waits to be ordered.
    package var isStorageIdle: Bool { ordersUnderWay == 0 }

    /// To be called after every event of the client side: sends its writes on their way.
    package mutating func turn(now: Instant, wall: WallTime) {
        while step(now: now, wall: wall) {}
    }

    package mutating func tick(now: Instant, wall: WallTime) {
        server.tick(now: now, wall: wall)
        if now >= elector.nextDeadline { elector.tick(now: now) }
        if let deadline = leader?.nextDeadline, now >= deadline { leader?.tick(now: now) }
        if let deadline = learner?.nextDeadline, now >= deadline { learner?.tick(now: now) }
        if let readOnlyAt, now >= readOnlyAt { serveReadOnly(now: now, wall: wall) }
        turn(now: now, wall: wall)
    }

    package var nextDeadline: Instant {
        var deadline = min(server.nextDeadline, elector.nextDeadline)
        if let leader { deadline = min(deadline, leader.nextDeadline) }
        if let learner { deadline = min(deadline, learner.nextDeadline) }
        if let readOnlyAt { deadline = min(deadline, readOnlyAt) }
        return deadline
    }

    package mutating func takeActions() -> [NodeAction] {
        guard !actions.isEmpty else { return [] }
        defer { actions.removeAll(keepingCapacity: true) }
        return actions
    }

    mutating func note(_ level: LogEvent.Level, _ message: String) { actions.append(.note(LogEvent(level, message))) }

    mutating func order(_ order: StorageOrder) {
        ordersUnderWay += 1
        switch order {
        case .truncate, .reload, .replaceHistory: changesUnderWay += 1
        case .append, .saveAcceptedEpoch, .saveCurrentEpoch: break
        }
        actions.append(.order(order))
    }

    // MARK: Turns

    /// Hands on what one part has for another.
    /// - Returns: whether something was handed on.
    private mutating func step(now: Instant, wall: WallTime) -> Bool {
        let elected = elector.takeActions()
        for action in elected { perform(action, now: now, wall: wall) }
        var moved = !elected.isEmpty
        if leader != nil {
            moved = lead(now: now, wall: wall) || moved
        } else if learner != nil {
            moved = learn(now: now, wall: wall) || moved
        } else if phase == .settling, changesUnderWay == 0 {
            settle(now: now, wall: wall)
            moved = true
        } else if phase == .looking, ordersUnderWay == 0, let decided = decision {
            decision = nil
            endReadOnly(now: now, wall: wall)
            committedThrough = lastLogged
            applyCommitted(now: now, wall: wall)
            begin(decided.state, decided.leader, now: now)
            moved = true
        }
        return moved
    }

    // MARK: Between roles

    /// Leaves whatever role there is; a new election begins as soon as storage rests.
    mutating func leave(_ reason: String, now: Instant, wall: WallTime) {
        note(.warning, reason)
        endRole(now: now, wall: wall)
        phase = .settling
    }

    private mutating func endRole(now: Instant, wall: WallTime) {
        if let learnerLink { actions.append(.closeQuorum(learnerLink, "the role has ended")) }
        for link in learnerLinks { actions.append(.closeQuorum(link, "the leader has stepped down")) }
        learnerLinks = []
        historyQuestions = []
        sessionAnswers = RingBuffer()
        for (link, _) in early { actions.append(.closeQuorum(link, "this server does not lead")) }
        early = []
        learnerLink = nil
        leader = nil
        lostLeader = learner == nil ? nil : leaderID
        learner = nil
        leaderID = nil
        decision = nil
        readOnlyAt = nil
        proposalSizes = ProposalSizes()
        server.stopServing(now: now, wall: wall)
        server.dropInFlight(after: lastLogged)
        actions.append(.roleChanged(.none))
    }

    /// Looks for a leader, if the history stands.
    private mutating func settle(now: Instant, wall: WallTime) {
        if mustReload {
            mustReload = false
            return order(.reload)
        }
        look(now: now)
    }

    private mutating func look(now: Instant) {
        phase = .looking
        waitForReadOnly(now: now)
        elector.start(zxid: lastLogged, currentEpoch: currentEpoch, lostLeader: lostLeader, now: now)
        lostLeader = nil
    }

    // MARK: Storage

    /// Everything up to the receipt's zxid survives a crash.
    ///
    /// - Parameter count: how many orders the receipt is for.
    package mutating func synced(_ receipt: DurableReceipt, count: Int, now: Instant, wall: WallTime) {
        ordersUnderWay -= count
        syncedThrough = max(syncedThrough, receipt.through)
        leader?.synced(through: receipt.through, now: now)
        learner?.synced(receipt, now: now)
        applyCommitted(now: now, wall: wall)
        turn(now: now, wall: wall)
    }

    package mutating func acceptedEpochSaved(_ epoch: Int64, now: Instant, wall: WallTime) {
        ordersUnderWay -= 1
        acceptedEpoch = epoch
        leader?.savedAcceptedEpoch(now: now)
        learner?.savedAcceptedEpoch(now: now)
        turn(now: now, wall: wall)
    }

    package mutating func currentEpochSaved(_ epoch: Int64, now: Instant, wall: WallTime) {
        ordersUnderWay -= 1
        currentEpoch = epoch
        leader?.savedCurrentEpoch(now: now)
        learner?.savedCurrentEpoch(now: now)
        turn(now: now, wall: wall)
    }

    /// The tree was read from disk anew, behind a cut or because memory had gone ahead.
    package mutating func reloaded(_ tree: DataTree, now: Instant, wall: WallTime) {
        ordersUnderWay -= 1
        changesUnderWay -= 1
        server.replace(tree)
        position(at: tree.lastProcessed)
        history.truncate(to: tree.lastProcessed)
        learner?.truncated(now: now)
        turn(now: now, wall: wall)
    }

    /// The log could not be cut where the leader wants it; it is as it was.
    package mutating func truncationFailed(now: Instant, wall: WallTime) {
        ordersUnderWay -= 1
        changesUnderWay -= 1
        learner?.truncationFailed(now: now)
        turn(now: now, wall: wall)
    }

    /// The tree stands on disk in place of the history.
    package mutating func historyReplaced(now: Instant, wall: WallTime) {
        ordersUnderWay -= 1
        changesUnderWay -= 1
        mustReload = false
        learner?.snapshotWritten(now: now)
        turn(now: now, wall: wall)
    }

    mutating func position(at zxid: Zxid) {
        tail = RingBuffer()
        lastLogged = zxid
        syncedThrough = zxid
        committedThrough = zxid
    }

    mutating func log(_ proposal: Proposal) {
        tail.append(proposal)
        lastLogged = proposal.zxid
        order(.append(proposal))
    }

    /// Applies what is both committed and synced.
    mutating func applyCommitted(now: Instant, wall: WallTime) {
        let through = min(committedThrough, syncedThrough)
        while let first = tail.first, first.zxid <= through {
            _ = tail.popFirst()
            history.append(first)
        }
        server.committed(through: through, now: now, wall: wall)
    }
}
