import ConclaveCore
import ConclaveWire

/// Bringing learners up to date: quorum-protocol 7.2.
///
/// What a learner is sent stands on the wire in this order: opening packet, snapshot, transactions it missed, what is
/// proposed but not committed, NEWLEADER, and then whatever happens.
extension LeaderMachine {
    /// Chooses how, and begins.
    mutating func synchronise(_ slot: Int, now: Instant) {
        let plan = SyncPlan(
            learner: learners[slot].lastZxid, lastProcessed: lastCommitted, log: history, options: options)
        if learners[slot].isObserver, let limit = exceededSyncLimit(plan) {
            return drop(slot, .tooManySyncs(limit))
        }
        learners[slot].stage = .synchronising
        learners[slot].deadline = now.advanced(byMilliseconds: options.initMilliseconds)
        // It may cut off again what it acknowledged over an earlier connection.
        if let voter = voter(slot) { forgetAcknowledgement(of: voter, before: slot, now: now) }
        begin(plan, slot: slot, now: now)
    }

    private mutating func begin(_ plan: SyncPlan, slot: Int, now: Instant) {
        let learner = learners[slot].lastZxid
        let end = max(learner, history.last)
        switch plan {
        case .difference(let offset):
            open(.diff, end, slot: slot)
            fill(slot, from: offset, now: now)
        case .truncate(let zxid, let offset):
            open(.truncate, zxid, slot: slot)
            fill(slot, from: offset, now: now)
        case .history(let through):
            learners[slot].gate = .awaitingHistory(
                ConnectedLearner.HistorySync(after: learner, through: through, announced: end, isFirst: true))
            enqueueMissing(slot, from: 0, now: now)
            actions.append(.needHistory(learners[slot].link, after: learner, through: through, isFirst: true))
        case .snapshot: awaitSnapshot(slot)
        }
    }

    private mutating func open(_ kind: QuorumPacket.Kind, _ zxid: Zxid, slot: Int) {
        actions.append(.send(learners[slot].link, QuorumPacket(kind, zxid: zxid).bytes))
        actions.append(.note(LogEvent(.info, "learner \(learners[slot].serverID): \(kind) at \(zxid)")))
    }

    /// Sends what the learner misses from memory, as far as it may go at once.
    private mutating func fill(_ slot: Int, from offset: Int, now: Instant) {
        learners[slot].gate = .draining
        enqueueMissing(slot, from: offset, now: now)
        release(slot, now: now)
    }

    /// Queues transactions from memory, those under way, and NEWLEADER.
    private mutating func enqueueMissing(_ slot: Int, from offset: Int, now: Instant) {
        for index in offset..<history.count { enqueue(.committed(history[index]), to: slot) }
        if !learners[slot].isObserver {
            for index in 0..<outstanding.count {
                let proposal = outstanding[index]
                enqueue(.packet(QuorumPacket(.proposal, zxid: proposal.zxid, data: proposal.body).bytes), to: slot)
            }
        }
        // What a learner is told here it brings into force, so a change that is not committed must not be in it, except for
        // one that comes into force together with this leader.
        let told = phase < .leading ? pending?.configuration ?? configuration : configuration
        // Those that do not know epochs do not know configurations either.
        let text = learners[slot].knowsEpochs ? Array(told.text.utf8) : nil
        enqueue(.newLeader(QuorumPacket(.newLeader, zxid: epochStart, data: text).bytes), to: slot)
    }

    // MARK: The queue

    /// Sends from the front of the queue, one burst; whatever is left waits until that has gone.
    private mutating func release(_ slot: Int, now: Instant) {
        guard learners[slot].stage != .closed else { return }
        var writer = ByteWriter()
        while writer.count < options.learnerBurstBytes, let item = learners[slot].queue.popFirst() {
            learners[slot].queuedBytes -= item.byteCount
            switch item {
            case .packet(let bytes): writer.writeRaw(bytes)
            case .committed(let proposal): Self.encodeCommitted(proposal, into: &writer)
            case .newLeader(let bytes):
                writer.writeRaw(bytes)
                learners[slot].newLeaderSent = true
                learners[slot].deadline = now.advanced(byMilliseconds: options.initMilliseconds)
            }
        }
        if writer.count > 0 { actions.append(.send(learners[slot].link, writer.bytes)) }
        learners[slot].gate = learners[slot].queue.isEmpty ? .open : .draining
    }

    private static func encodeCommitted(_ proposal: Proposal, into writer: inout ByteWriter) {
        QuorumPacket.encode(.proposal, zxid: proposal.zxid, data: proposal.body, into: &writer)
        QuorumPacket.encode(.commit, zxid: proposal.zxid, into: &writer)
    }

    /// What was sent has left; goes on with the next part.
    mutating func continueSending(to slot: Int, now: Instant) {
        switch learners[slot].gate {
        case .draining:
            noticeProgress(slot, now: now)
            release(slot, now: now)
        case .drainingHistory(let sync):
            noticeProgress(slot, now: now)
            askForMore(sync, slot: slot, now: now)
        case .streamingSnapshot: noticeProgress(slot, now: now)
        case .open, .awaitingSnapshot, .awaitingHistory: break
        }
    }

    /// A learner that is still taking what it missed is not dead, however long that takes.
    private mutating func noticeProgress(_ slot: Int, now: Instant) {
        guard learners[slot].stage == .synchronising else { return }
        learners[slot].deadline = now.advanced(byMilliseconds: options.initMilliseconds)
        // Nor does the leader give up as long as a voter gets on.
        if phase == .awaitingAcks, voter(slot) != nil { phaseDeadline = max(phaseDeadline, learners[slot].deadline) }
    }

    // MARK: From the logs

    /// A part of the logs was read, see ``LeaderAction/needHistory(_:after:through:isFirst:)``.
    ///
    /// - Parameter proposals: at least two, or all there are; `nil` if they are not to be had.
    package mutating func historyRead(_ link: LinkID, proposals: [Proposal]?, now: Instant) {
        guard phase != .steppedDown, let slot = slots[link] else { return }
        guard case .awaitingHistory(let sync) = learners[slot].gate, learners[slot].stage != .closed else { return }
        if let proposals, let part = HistoryPart(proposals, sync, learner: learners[slot].lastZxid) {
            sendHistory(part, sync, slot: slot, now: now)
        } else if !sync.isFirst, sync.through.counter == 0, proposals?.last?.zxid == sync.after {
            // The begin of an epoch is no transaction: in front of it there is nothing more.
            release(slot, now: now)
        } else if sync.isFirst {
            awaitSnapshot(slot)
        } else {
            drop(slot, .historyLost("the logs behind \(sync.after) cannot be read any more"))
        }
        sweep()
    }

    private mutating func sendHistory(
        _ part: HistoryPart, _ sync: ConnectedLearner.HistorySync, slot: Int, now: Instant
    ) {
        if sync.isFirst {
            if let zxid = part.truncation {
                open(.truncate, zxid, slot: slot)
            } else {
                open(.diff, sync.announced, slot: slot)
            }
        }
        var writer = ByteWriter()
        for proposal in part.proposals { Self.encodeCommitted(proposal, into: &writer) }
        if writer.count > 0 { actions.append(.send(learners[slot].link, writer.bytes)) }
        noticeProgress(slot, now: now)
        var next = sync
        next.isFirst = false
        next.after = part.last
        learners[slot].gate = .drainingHistory(next)
        if writer.count < options.learnerBurstBytes { askForMore(next, slot: slot, now: now) }
    }

    private mutating func askForMore(_ sync: ConnectedLearner.HistorySync, slot: Int, now: Instant) {
        guard sync.after < sync.through else { return release(slot, now: now) }
        learners[slot].gate = .awaitingHistory(sync)
        actions.append(
            .needHistory(learners[slot].link, after: sync.after, through: sync.through, isFirst: false))
    }

    // MARK: Snapshots

    private mutating func awaitSnapshot(_ slot: Int) {
        learners[slot].queue.removeAll()
        learners[slot].queuedBytes = 0
        learners[slot].gate = .awaitingSnapshot
        learners[slot].isTakingSnapshot = true
        // How long it takes until the snapshot is at hand is not the learner's fault.
        learners[slot].deadline = .distantFuture
        actions.append(.needSnapshot(learners[slot].link))
    }

    /// A snapshot that contains exactly everything up to a transaction is at hand: the machine announces it, the caller
    /// streams it, calls ``drained(_:now:)`` now and then, and ``snapshotSent(_:now:)`` at the end.
    package mutating func snapshotReady(_ link: LinkID, zxid: Zxid, now: Instant) {
        guard phase != .steppedDown, let slot = slots[link] else { return }
        guard case .awaitingSnapshot = learners[slot].gate, learners[slot].stage != .closed else { return }
        let isCovered = zxid == lastCommitted || (zxid >= history.floor && zxid <= history.last)
        if isCovered {
            learners[slot].deadline = now.advanced(byMilliseconds: options.initMilliseconds)
            open(.snapshot, zxid, slot: slot)
            learners[slot].gate = .streamingSnapshot
            enqueueMissing(slot, from: history.offset(behind: zxid), now: now)
        } else {
            drop(slot, .historyLost("nothing is known of what follows a snapshot at \(zxid)"))
        }
        sweep()
    }

    /// The whole snapshot was given to the connection, its signature included.
    package mutating func snapshotSent(_ link: LinkID, now: Instant) {
        guard phase != .steppedDown, let slot = slots[link] else { return }
        guard case .streamingSnapshot = learners[slot].gate, learners[slot].stage != .closed else { return }
        release(slot, now: now)
        sweep()
    }

    // MARK: Limits

    /// The limit on observers that catch up in the same way, if it is reached.
    private func exceededSyncLimit(_ plan: SyncPlan) -> Int? {
        let takesSnapshot = plan == .snapshot
        let limit = takesSnapshot ? options.concurrentSnapshotLimit : options.concurrentDifferenceLimit
        var count = 0
        for learner in learners
        where learner.isObserver && learner.stage == .synchronising && learner.isTakingSnapshot == takesSnapshot {
            count += 1
        }
        return count >= limit ? limit : nil
    }
}

/// A part of the logs, and how it opens if it is the first.
private struct HistoryPart {
    /// What the learner does not have.
    let proposals: ArraySlice<Proposal>
    /// Where the learner must cut first.
    var truncation: Zxid?
    let last: Zxid

    /// `nil` unless the part begins at or before where the last one ended, goes on without a gap, and does not go too far.
    init?(_ all: [Proposal], _ sync: ConnectedLearner.HistorySync, learner: Zxid) {
        guard let first = all.first, first.zxid <= sync.after, let last = all.last, last.zxid <= sync.through else {
            return nil
        }
        for index in all.indices.dropFirst() where !all[index - 1].zxid.isDirectlyBefore(all[index].zxid) { return nil }
        guard let next = all.firstIndex(where: { $0.zxid > sync.after }) else { return nil }
        proposals = all[next...]
        self.last = last.zxid
        guard sync.isFirst else {
            guard all[next - 1].zxid == sync.after else { return nil }
            return
        }
        switch SyncPlan.opening(learner: learner, previous: all[next - 1].zxid, next: all[next].zxid, offset: 0) {
        case .difference: break
        case .truncate(let zxid, _): truncation = zxid
        case .history, .snapshot: return nil
        }
    }
}
