import ConclaveCore
import ConclaveWire

/// A follower's or observer's side of the quorum port, from dialling its leader to losing it.
///
/// ```
/// connecting ─▶ discovering ─▶ promising ─▶ opening ─┬─ DIFF ──────────────────────▶ synchronising
///     ▲  │           │          (disk)               ├─ TRUNC ─▶ truncating (disk) ─▶    │
///     └──┴───────────┘ again                                    └─ SNAP ──▶ receivingSnapshot ─▶    │
///                                                                                        NEWLEADER
///               serving ◀─ UPTODATE ─ acknowledged ◀─ savingEpoch ◀─ securing ◀─ storingSnapshot
///                                                       (disk)        (disk)     (disk, SNAP only)
/// ```
///
/// What the leader sends before NEWLEADER is durable before the epoch is, and the epoch before NEWLEADER is
/// acknowledged (ZOOKEEPER-3911, -4643, -4646). Anything that does not fit ends in
/// ``LearnerAction/lookAgain(reason:memoryIsStale:)``, after which every event is ignored; a new connection is a new
/// machine.
///
/// Source: `Learner`, `Follower` and `Observer` of the reference; Junqueira, Reed, Serafini: Zab (2011), phases 1 to 3.
package struct LearnerMachine: Sendable {
    enum Phase: Equatable {
        case connecting
        case waitingToConnect(until: Instant)
        /// For LEADERINFO.
        case discovering
        case promising
        /// For DIFF, TRUNC or SNAP.
        case opening
        case receivingSnapshot(zxid: Zxid)
        case truncating(to: Zxid)
        /// Up to NEWLEADER.
        case synchronising
        case storingSnapshot
        /// Until what came before NEWLEADER has been synced.
        case securing(through: Zxid)
        case savingEpoch
        /// For UPTODATE.
        case acknowledged
        case serving
        case ended
    }

    /// Bytes that may be waiting before no more should be read from the connection.
    package static let comfortableBytes = 16 << 20
    /// Bytes that may be waiting before the leader is given up: far more than it may have outstanding.
    package static let maximumWaitingBytes = 256 << 20

    package let options: EnsembleOptions
    package let role: EnsembleMember.Role
    package let leader: ServerID
    let acceptedEpoch: Int64
    let currentEpoch: Int64
    /// The end of the own history, which the leader is told.
    let lastZxid: Zxid
    /// In this epoch the leader has told this server to cut its history where it cannot be cut.
    let wantsSnapshotIn: Int64?
    /// The leader's epoch; 0 before it is known.
    package internal(set) var epoch: Int64 = 0

    var phase = Phase.connecting
    /// Dialling ends here.
    let connectUntil: Instant
    var connectFailures = 0
    var connectWaitedMilliseconds: Int64 = 0
    /// A connection was closed before the leader said anything.
    var hasBeenTurnedAway = false
    /// While this one waits for its first word, the leader was heard to look for one.
    var leaderWasLooking = false
    /// The last sign of life from the leader, or the end of work that kept this server from listening.
    var heard: Instant

    var packets: QuorumPacketDecoder
    var stream: SnapshotStreamDecoder
    var backlog: LearnerBacklog
    /// The history on disk is not the leader's: transactions go to memory until a snapshot replaces it.
    var memoryIsStale = false
    /// Where a DIFF leads.
    var differenceEnd = Zxid(rawValue: .min)
    /// A snapshot was loaded and no PING has told yet how far it may reach.
    var digestsAreVague = false
    var pingZxid = Zxid.zero

    /// The configuration that holds.
    package internal(set) var configuration: EnsembleConfiguration
    /// What NEWLEADER brought; adopted with UPTODATE.
    var announced: EnsembleConfiguration?
    /// Configurations among the uncommitted proposals.
    var proposed: [ProposedConfiguration] = []

    var output = ByteWriter()
    var actions: [LearnerAction] = []

    /// Dials at once.
    ///
    /// - Parameters:
    ///   - acceptedEpoch: as stored; never behind `currentEpoch`.
    ///   - lastZxid: the newest transaction of the own log, all of which must be applied; -1 if there is no database.
    ///   - wantsSnapshotIn: see ``LearnerAction/startOver(wantsSnapshotIn:)``; `nil` otherwise.
    ///   - configuration: the one that holds.
    package init(
        options: EnsembleOptions, role: EnsembleMember.Role, leader: ServerID, acceptedEpoch: Int64,
        currentEpoch: Int64,
        lastZxid: Zxid, wantsSnapshotIn: Int64? = nil, configuration: EnsembleConfiguration, now: Instant
    ) {
        self.options = options
        self.role = role
        self.leader = leader
        self.acceptedEpoch = acceptedEpoch
        self.currentEpoch = currentEpoch
        self.lastZxid = lastZxid
        self.wantsSnapshotIn = wantsSnapshotIn
        self.configuration = configuration
        packets = QuorumPacketDecoder(maximumBytes: options.maximumPacketBytes)
        stream = SnapshotStreamDecoder(maximumFieldBytes: options.maximumPacketBytes)
        backlog = LearnerBacklog(at: lastZxid)
        heard = now
        connectUntil = now.advanced(byMilliseconds: options.connectToLeaderMilliseconds)
        actions.append(.connect)
    }

    // MARK: Questions

    /// Clients can be served.
    package var isServing: Bool { phase == .serving }
    package var hasEnded: Bool { phase == .ended }
    /// The last transaction that the leader is known to have committed.
    package var committed: Zxid { backlog.committed }
    /// Whether more should be read from the connection: false while the disk is far behind. To be asked after each
    /// event.
    package var wantsBytes: Bool {
        packets.pendingBytes < Self.comfortableBytes && backlog.unsyncedBytes < Self.comfortableBytes
    }

    /// When ``tick(now:)`` has something to do.
    package var nextDeadline: Instant {
        switch phase {
        case .connecting: connectUntil
        case .waitingToConnect(let until): min(until, connectUntil)
        // The leader waits for others so long before it says UPTODATE, and is silent meanwhile.
        case .discovering, .opening, .receivingSnapshot, .synchronising, .acknowledged:
            heard.advanced(byMilliseconds: options.initMilliseconds)
        case .serving: heard.advanced(byMilliseconds: options.syncMilliseconds)
        // The own disk is at work; a leader that is gone shows afterwards.
        case .promising, .truncating, .storingSnapshot, .securing, .savingEpoch, .ended: .distantFuture
        }
    }

    // MARK: Output

    /// Appends what is to be done since the last call.
    package mutating func takeActions(into taken: inout [LearnerAction]) {
        if output.count > 0 {
            if phase != .ended { actions.append(.send(output.bytes)) }
            output = ByteWriter()
        }
        guard !taken.isEmpty else { return swap(&taken, &actions) }
        taken.append(contentsOf: actions)
        actions.removeAll(keepingCapacity: true)
    }

    package mutating func takeActions() -> [LearnerAction] {
        var taken: [LearnerAction] = []
        takeActions(into: &taken)
        return taken
    }

    mutating func send(_ kind: QuorumPacket.Kind, zxid: Zxid = QuorumPacket.noZxid, data: [UInt8]? = nil) {
        QuorumPacket.encode(kind, zxid: zxid, data: data, into: &output)
    }

    mutating func note(_ level: LogEvent.Level, _ message: String) { actions.append(.note(LogEvent(level, message))) }

    mutating func end(_ reason: String) {
        guard phase != .ended else { return }
        phase = .ended
        actions.append(.lookAgain(reason: reason, memoryIsStale: memoryIsStale))
    }
}
