import ConclaveCore
import ConclaveWire

/// One connection to a leader's quorum port: how far the conversation is, and what waits to be sent.
struct ConnectedLearner: Sendable {
    /// How far the conversation is. Only goes forward.
    enum Stage: Int, Comparable, Sendable {
        /// Nothing was heard yet.
        case connected
        /// It said who it is; the epoch is not ready.
        case introduced
        /// LEADERINFO was sent.
        case informed
        /// ACKEPOCH came; the leader does not have its quorum yet.
        case epochAcknowledged
        /// It is being brought up to date, up to NEWLEADER and its acknowledgement.
        case synchronising
        /// NEWLEADER was acknowledged; the leader is not active yet.
        case acknowledged
        /// UPTODATE was sent.
        case serving
        case closed

        static func < (left: Stage, right: Stage) -> Bool { left.rawValue < right.rawValue }
    }

    /// What stands between the queue and the connection.
    enum Gate: Sendable {
        /// Nothing: packets go out at once.
        case open
        /// The caller was asked for a snapshot. Nothing is queued: the snapshot will contain it.
        case awaitingSnapshot
        /// The caller streams a snapshot.
        case streamingSnapshot
        /// The caller was asked for a part of the logs.
        case awaitingHistory(HistorySync)
        /// A part of the logs was sent; when it has left, the next is asked for.
        case drainingHistory(HistorySync)
        /// A part of the queue was sent; when it has left, the next follows.
        case draining
    }

    /// The begin of the learner's missing transactions comes from disk.
    struct HistorySync: Sendable {
        /// What was sent so far; before the first part the learner's own zxid.
        var after: Zxid
        /// Where the queue goes on.
        let through: Zxid
        /// What DIFF announces.
        let announced: Zxid
        var isFirst: Bool
    }

    enum Item: Sendable {
        case packet([UInt8])
        /// PROPOSAL and COMMIT.
        case committed(Proposal)
        case newLeader([UInt8])

        var byteCount: Int {
            switch self {
            case .packet(let bytes), .newLeader(let bytes): bytes.count
            case .committed(let proposal): proposal.body.count + 2 * QuorumPacket.minimumBytes
            }
        }
    }

    /// Forwarded syncs that wait for the same transaction.
    struct PendingSyncs: Sendable {
        let zxid: Zxid
        var count: Int
    }

    let link: LinkID
    var stage = Stage.connected
    var decoder: QuorumPacketDecoder
    var serverID = ServerID(rawValue: -1)
    /// It learns what is committed and has no say.
    var isObserver = false
    /// Old releases do not know epochs of their own: they are told nothing and acknowledge nothing but NEWLEADER.
    var knowsEpochs = true
    /// The newest transaction in its log when it came.
    var lastZxid = Zxid.zero
    /// When it counts as dead unless something is heard of it.
    var deadline: Instant

    var gate = Gate.open
    var isTakingSnapshot = false
    var queue = RingBuffer<Item>()
    var queuedBytes = 0
    var newLeaderSent = false

    /// Everything up to here is durable at the learner, by its own word; counted once it has acknowledged NEWLEADER.
    var acknowledgedThrough = Zxid.zero
    /// What it acknowledges up to here does not count: it may have been said before the server came back over another
    /// connection, where it may be told to cut it off. Whoever acknowledges more is still there, and has all of it; so is
    /// whoever answers a ping that was sent later.
    var countsBehind = Zxid.zero
    /// Another connection came under its number: how many of the pings before that it has not answered; `nil` if nobody
    /// came, or it has answered a later one.
    var pingsBeforeDoubt: Int?
    /// The oldest proposal that it has not acknowledged, and the newest one sent since: see ``LeaderMachine``.
    var oldestUnacknowledged: (zxid: Zxid, sent: Instant)?
    var newestUnacknowledged: (zxid: Zxid, sent: Instant)?
    var syncs = RingBuffer<PendingSyncs>()
    /// When it last sent a request of a client.
    var forwardedAt: Instant?

    /// When the pings were sent that it has not answered. It answers every one that comes behind UPTODATE, in order.
    var pings = RingBuffer<Instant>()
    /// It followed this leader at this moment, if not later.
    var followedAt: Instant?

    init(_ link: LinkID, maximumPacketBytes: Int, deadline: Instant) {
        self.link = link
        self.deadline = deadline
        decoder = QuorumPacketDecoder(maximumBytes: maximumPacketBytes)
    }

    /// Whether what is proposed and committed from now on has to reach it through this connection.
    var takesTraffic: Bool {
        guard stage >= .synchronising, stage < .closed else { return false }
        if case .awaitingSnapshot = gate { return false }
        return true
    }

    /// Whether it is among those that are pinged: nothing but packets goes out on the connection.
    var isStreaming: Bool { takesTraffic && newLeaderSent }

    mutating func enqueue(_ item: Item) {
        queuedBytes += item.byteCount
        queue.append(item)
    }

    // MARK: Signs of life

    mutating func sentPing(now: Instant) { if stage == .serving { pings.append(now) } }

    mutating func answeredPing() {
        guard let sent = pings.popFirst() else { return }
        followedAt = sent
        guard let earlier = pingsBeforeDoubt else { return }
        pingsBeforeDoubt = earlier == 0 ? nil : earlier - 1
        if earlier == 0 { countsBehind = .zero }
    }

    // MARK: How old the oldest unacknowledged proposal is

    mutating func sentProposal(_ zxid: Zxid, now: Instant) {
        guard stage == .serving else { return }
        if oldestUnacknowledged == nil {
            oldestUnacknowledged = (zxid, now)
        } else {
            newestUnacknowledged = (zxid, now)
        }
    }

    /// Proposals between the two that are watched are not: the next one watched is the newest sent when the oldest was
    /// acknowledged, as in the reference. That costs two fields, and finds a slow learner one round later at the most.
    mutating func acknowledged(_ zxid: Zxid) {
        acknowledgedThrough = max(acknowledgedThrough, zxid)
        guard let oldest = oldestUnacknowledged, zxid >= oldest.zxid else { return }
        oldestUnacknowledged = nil
        if let newest = newestUnacknowledged, newest.zxid > zxid { oldestUnacknowledged = newest }
        newestUnacknowledged = nil
    }
}
