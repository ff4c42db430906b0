import ConclaveCore
import ConclaveWire

/// A leader, from the end of the election to the loss of its quorum.
///
/// ```
/// gatheringEpochs ─ quorum of FOLLOWERINFO ─> savingAcceptedEpoch ─ saved ─> awaitingEpochAcks
///   ─ quorum of ACKEPOCH ─> savingCurrentEpoch ─ saved ─> awaitingAcks ─ quorum of ACK(NEWLEADER) ─> leading
///   ─ reconfigured away ─> retiring                      anything ─ quorum lost, too late ─> steppedDown
/// ```
///
/// The caller reports what happened and performs ``takeActions()`` in order. Connections are one ``ConnectedLearner`` each.
/// Whether something has a quorum is asked of the configuration in force and, while a change is under way, of the coming one.
///
/// - Source: quorum-protocol 6 to 8 and 11; differences from the reference are listed in the module's README.
package struct LeaderMachine: Sendable {
    /// Only goes forward.
    package enum Phase: Int, Comparable, Sendable {
        case gatheringEpochs, savingAcceptedEpoch, awaitingEpochAcks, savingCurrentEpoch, awaitingAcks, leading,
            retiring
        case steppedDown

        package static func < (left: Phase, right: Phase) -> Bool { left.rawValue < right.rawValue }
    }

    /// A configuration that is proposed and not in force yet.
    package struct PendingConfiguration: Equatable, Sendable {
        package let configuration: EnsembleConfiguration
        /// The transaction that proposes it, and from which on both configurations have a say.
        package let zxid: Zxid
    }

    /// What a voter has made durable of this epoch's proposals.
    struct Acknowledgement: Sendable {
        let server: ServerID
        var through: Zxid
    }

    package let options: EnsembleOptions
    /// In force.
    package internal(set) var configuration: EnsembleConfiguration
    package internal(set) var pending: PendingConfiguration?
    package internal(set) var phase = Phase.gatheringEpochs
    /// The new epoch; may still grow while epochs are gathered.
    package internal(set) var epoch: Int64
    /// Everything that is committed, as far as memory goes.
    package internal(set) var history: CommittedLog
    /// The newest transaction proposed; the begin of the epoch before the first.
    package internal(set) var lastProposed: Zxid
    /// The newest transaction that may be applied: before the activation the end of the history, then the begin of the epoch.
    package internal(set) var lastCommitted: Zxid

    /// What this server has to show for itself.
    let ownCurrentEpoch: Int64
    let ownLastZxid: Zxid

    var learners: [ConnectedLearner] = []
    var slots: [LinkID: Int] = [:]
    var needsSweep = false
    /// Given to learners without a number, downwards.
    var anonymousSerial: Int64 = -1

    var reported: [ServerID]
    var epochAcks: [ServerID] = []
    var newLeaderAcks: [ServerID] = []
    var acknowledgements: [Acknowledgement] = []
    var outstanding = RingBuffer<Proposal>()

    var phaseDeadline: Instant
    var nextPass: Instant
    var passes = 0
    var quorumMissingSince: Instant?
    var lastPing = Instant.start
    /// When the followers are to be pinged although it is not their time.
    var confirmAt = Instant.distantFuture
    let started: Instant
    var retiredAt = Instant.distantFuture

    var actions: [LeaderAction] = []

    /// Begins where the election ended.
    ///
    /// - Parameters:
    ///   - lastSeen: a newer configuration than `configuration` that was proposed earlier and perhaps never came into force;
    ///     this leader brings it into force.
    ///   - lastZxid: the newest transaction in the own log, or the begin of an epoch that was led or followed since.
    ///   - history: the end of the own log; one that does not end with its newest transaction is not used.
    package init(
        options: EnsembleOptions, configuration: EnsembleConfiguration, lastSeen: EnsembleConfiguration? = nil,
        acceptedEpoch: Int64, currentEpoch: Int64, lastZxid: Zxid, history: CommittedLog, now: Instant
    ) {
        self.options = options
        self.configuration = configuration
        // The begin of an epoch is no transaction: a history may end before it and still be whole.
        let isWhole = history.last == lastZxid || (lastZxid.counter == 0 && history.last < lastZxid)
        self.history = isWhole ? history : CommittedLog(after: lastZxid, options: options)
        ownCurrentEpoch = currentEpoch
        ownLastZxid = lastZxid
        lastProposed = lastZxid
        lastCommitted = lastZxid
        epoch = max(0, acceptedEpoch) &+ 1
        reported = [options.myID]
        started = now
        phaseDeadline = now.advanced(byMilliseconds: options.initMilliseconds)
        nextPass = now.advanced(byMilliseconds: options.tickMilliseconds / 2)
        if let lastSeen, lastSeen.version > configuration.version {
            pending = PendingConfiguration(configuration: lastSeen, zxid: .zero)
        }
        if acceptedEpoch >= Self.lastEpoch {
            stepDown("epoch \(acceptedEpoch) is the last there is")
        } else {
            chooseEpoch(now: now)
        }
    }

    /// Epochs are the upper half of a signed number.
    static let lastEpoch = Int64(Int32.max)

    package mutating func takeActions() -> [LeaderAction] {
        var taken: [LeaderAction] = []
        swap(&taken, &actions)
        return taken
    }

    /// When ``tick(now:)`` is wanted next.
    package var nextDeadline: Instant {
        switch phase {
        case .steppedDown: .distantFuture
        case .leading, .retiring: min(nextPass, confirmAt)
        default: min(nextPass, phaseDeadline)
        }
    }

    /// What NEWLEADER carries, and learners acknowledge it with: the begin of the epoch.
    package var epochStart: Zxid { Zxid(rawValue: epoch << 32) }

    /// The zxid of the next proposal; `nil` when the epoch has no more.
    package var nextZxid: Zxid? { lastProposed.successor }

    /// Proposed, not committed.
    package var outstandingCount: Int { outstanding.count }

    // MARK: Connections

    package mutating func learnerConnected(_ link: LinkID, now: Instant) {
        guard phase != .steppedDown, slots[link] == nil else { return }
        if learners.count >= options.learnerLinkLimit {
            // Whoever belongs here says so at once: the oldest one that is silent makes room.
            guard let silent = learners.firstIndex(where: { $0.stage == .connected }) else {
                actions.append(.close(link, .tooManyLinks(options.learnerLinkLimit)))
                return
            }
            drop(silent, .tooManyLinks(options.learnerLinkLimit))
            sweep()
        }
        slots[link] = learners.count
        learners.append(
            ConnectedLearner(
                link, maximumPacketBytes: options.maximumPacketBytes,
                deadline: now.advanced(byMilliseconds: options.initMilliseconds)))
    }

    package mutating func learnerClosed(_ link: LinkID, now: Instant) {
        guard phase != .steppedDown, let slot = slots[link] else { return }
        learners[slot].stage = .closed
        needsSweep = true
        sweep()
    }

    package mutating func received(_ bytes: Span<UInt8>, on link: LinkID, now: Instant) {
        guard phase != .steppedDown, let slot = slots[link] else { return }
        learners[slot].decoder.append(bytes)
        // Slots stay what they are until the sweep.
        while phase != .steppedDown, learners[slot].stage != .closed {
            do throws(QuorumPacketError) {
                guard let packet = try learners[slot].decoder.next() else { break }
                handle(packet, from: slot, now: now)
            } catch {
                drop(slot, .badPacket(error.description))
            }
        }
        sweep()
    }

    /// Everything that was sent on a connection has left this server: there is room for more of what the learner missed.
    ///
    /// Needed after at least ``EnsembleOptions/learnerBurstBytes`` were sent at one time; more often does no harm.
    package mutating func drained(_ link: LinkID, now: Instant) {
        guard phase != .steppedDown, let slot = slots[link] else { return }
        continueSending(to: slot, now: now)
        sweep()
    }

    // MARK: Packets

    private mutating func handle(_ packet: QuorumPacket, from slot: Int, now: Instant) {
        if learners[slot].stage == .serving {
            learners[slot].deadline = now.advanced(byMilliseconds: options.syncMilliseconds)
        }
        do throws(DecodingError) {
            switch packet.kind {
            case .followerInfo where learners[slot].stage == .connected,
                .observerInfo where learners[slot].stage == .connected:
                introduce(LearnerInfo(packet.data), packet, slot: slot, now: now)
            case .ackEpoch where learners[slot].stage == .informed:
                acknowledgeEpoch(try AckEpoch(packet.data), lastZxid: packet.zxid, slot: slot, now: now)
            case .ack where learners[slot].stage >= .synchronising:
                acknowledge(packet.zxid, slot: slot, now: now)
            case .ping where learners[slot].stage >= .synchronising:
                answeredPing(slot, now: now)
                let touches = try SessionTouches.decode(packet.data)
                if !touches.isEmpty { actions.append(.touched(learners[slot].link, touches)) }
            case .request where learners[slot].stage == .serving:
                forward(try ForwardedRequest(packet.data), packet.identities ?? [], slot: slot, now: now)
            case .revalidate where learners[slot].stage == .serving:
                let request = try RevalidationRequest(packet.data)
                actions.append(
                    .revalidate(
                        learners[slot].link, request.session, timeoutMilliseconds: request.timeoutMilliseconds,
                        isPing: request.isPing))
            default: drop(slot, .unexpected(packet.kind))
            }
        } catch {
            drop(slot, .badPacket("\(packet.kind): \(error)"))
        }
    }

    // MARK: Sending

    /// Sends, or queues behind what is still to come.
    mutating func send(_ bytes: [UInt8], to slot: Int) {
        guard learners[slot].stage != .closed else { return }
        if case .open = learners[slot].gate {
            actions.append(.send(learners[slot].link, bytes))
        } else {
            enqueue(.packet(bytes), to: slot)
        }
    }

    mutating func enqueue(_ item: ConnectedLearner.Item, to slot: Int) {
        learners[slot].enqueue(item)
        if learners[slot].queuedBytes > options.learnerQueueBytes {
            drop(slot, .queueLimit(options.learnerQueueBytes))
        }
    }

    // MARK: Ends

    /// Ends a connection. Its slot stays until ``sweep()``, so that loops over slots go on undisturbed.
    mutating func drop(_ slot: Int, _ end: LinkEnd) {
        guard learners[slot].stage != .closed else { return }
        learners[slot].stage = .closed
        needsSweep = true
        actions.append(.close(learners[slot].link, end))
        actions.append(.note(LogEvent(.warning, "learner \(learners[slot].serverID): \(end)")))
    }

    mutating func sweep() {
        guard needsSweep else { return }
        needsSweep = false
        for learner in learners where learner.stage == .closed { slots[learner.link] = nil }
        learners.removeAll { $0.stage == .closed }
        for slot in learners.indices { slots[learners[slot].link] = slot }
    }

    mutating func stepDown(_ reason: String) {
        guard phase != .steppedDown else { return }
        phase = .steppedDown
        actions.append(.stepDown(reason: reason))
    }

    // MARK: Quorums

    /// Whether the servers for which `has` says yes decide, under every configuration that has a say.
    func decides(_ has: (ServerID) -> Bool) -> Bool {
        configuration.isQuorum(has) && (pending?.configuration.isQuorum(has) ?? true)
    }

    func isVoter(_ server: ServerID) -> Bool {
        configuration.isVoter(server) || pending?.configuration.isVoter(server) == true
    }

    /// The number under which a learner's word counts; `nil` for those that have no say.
    func voter(_ slot: Int) -> ServerID? {
        let server = learners[slot].serverID
        return !learners[slot].isObserver && isVoter(server) ? server : nil
    }
}
