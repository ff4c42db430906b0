import ConclaveCore
import ConclaveWire

/// From the acknowledgement of NEWLEADER on: quorum-protocol 7.4.
extension LeaderMachine {
    // MARK: Proposals

    /// Sends proposals to all followers; the zxid of the first is ``nextZxid``. Only after
    /// ``LeaderAction/activate(epoch:)``.
    ///
    /// The caller logs them as well and reports that with ``synced(through:now:)``.
    package mutating func propose(_ proposals: [Proposal], now: Instant) {
        guard phase == .leading, !proposals.isEmpty else { return }
        // Encoded once, shared by all followers.
        let bytes = proposals.reduce(0) { $0 + $1.body.count + Self.packetBytes }
        var packets = ByteWriter(capacity: min(bytes, Self.joinedBytes * 2))
        var first: Zxid?
        for proposal in proposals {
            precondition(
                proposal.zxid == nextZxid, "proposal \(proposal.zxid) behind \(lastProposed) is not the next one")
            lastProposed = proposal.zxid
            outstanding.append(proposal)
            first = first ?? proposal.zxid
            QuorumPacket.encode(.proposal, zxid: proposal.zxid, data: proposal.body, into: &packets)
            if packets.count >= Self.joinedBytes {
                sendProposals(&packets, from: &first, now: now)
            }
        }
        sendProposals(&packets, from: &first, now: now)
        sweep()
    }

    /// How many bytes of proposals are joined for one order to send, about.
    private static let joinedBytes = 256 << 10
    /// What a packet adds to the body of a proposal.
    private static let packetBytes = 20

    private mutating func sendProposals(_ packets: inout ByteWriter, from first: inout Zxid?, now: Instant) {
        guard let begin = first else { return }
        for slot in learners.indices where learners[slot].takesTraffic && !learners[slot].isObserver {
            learners[slot].sentProposal(begin, now: now)
            if begin != lastProposed { learners[slot].sentProposal(lastProposed, now: now) }
            send(packets.bytes, to: slot)
        }
        packets = ByteWriter()
        first = nil
    }

    /// The own log is durable up to here: the own acknowledgement.
    package mutating func synced(through zxid: Zxid, now: Instant) {
        guard phase == .leading else { return }
        count(acknowledgement: zxid, of: options.myID)
        commitAcknowledged(now: now)
        sweep()
    }

    // MARK: Acknowledgements

    mutating func acknowledge(_ zxid: Zxid, slot: Int, now: Instant) {
        if zxid.counter == 0 {
            if zxid == epochStart { acknowledgeNewLeader(slot, now: now) }
            return
        }
        // Nobody can have logged what was not proposed.
        guard zxid <= lastProposed else { return }
        learners[slot].acknowledged(zxid)
        // What was logged before the new epoch was adopted does not count yet: after a crash the learner would stand for its
        // old epoch, and lose against servers that never saw the proposal.
        guard learners[slot].stage >= .acknowledged else { return }
        countAcknowledgement(slot)
        commitAcknowledged(now: now)
    }

    private mutating func acknowledgeNewLeader(_ slot: Int, now: Instant) {
        guard learners[slot].stage == .synchronising, learners[slot].newLeaderSent else { return }
        learners[slot].stage = .acknowledged
        learners[slot].isTakingSnapshot = false
        learners[slot].deadline = .distantFuture
        dropEarlierLinks(of: slot)
        if let voter = voter(slot), !newLeaderAcks.contains(voter) { newLeaderAcks.append(voter) }
        countAcknowledgement(slot)
        switch phase {
        case .awaitingAcks: considerActivation(now: now)
        case .leading, .retiring:
            welcome(slot, now: now)
            commitAcknowledged(now: now)
        default: break
        }
    }

    /// The server uses this connection now. Not sooner: a first packet with its number can come from anybody, and must not
    /// part the leader from its follower.
    private mutating func dropEarlierLinks(of slot: Int) {
        let (link, server) = (learners[slot].link, learners[slot].serverID)
        for other in learners.indices
        where learners[other].link < link && learners[other].stage > .connected && learners[other].serverID == server {
            drop(other, .replaced)
        }
    }

    private mutating func countAcknowledgement(_ slot: Int) {
        let zxid = learners[slot].acknowledgedThrough
        guard zxid > learners[slot].countsBehind, let voter = voter(slot) else { return }
        count(acknowledgement: zxid, of: voter)
    }

    /// A log is written in order, so one number says it all.
    private mutating func count(acknowledgement zxid: Zxid, of server: ServerID) {
        guard let index = acknowledgements.firstIndex(where: { $0.server == server }) else {
            acknowledgements.append(Acknowledgement(server: server, through: zxid))
            return
        }
        acknowledgements[index].through = max(acknowledgements[index].through, zxid)
    }

    /// A server has come back over another connection. What it said over earlier ones may still be on its way.
    ///
    /// Or a stranger has come under its number. Servers leave a connection before they make another, so one that still answers
    /// pings over the earlier one is no other than before.
    mutating func forgetAcknowledgement(of server: ServerID, before slot: Int, now: Instant) {
        acknowledgements.removeAll { $0.server == server }
        var isDoubting = false
        for earlier in learners.indices where earlier != slot && learners[earlier].serverID == server {
            learners[earlier].countsBehind = lastProposed
            learners[earlier].pingsBeforeDoubt = learners[earlier].pings.count
            isDoubting = true
        }
        if isDoubting { confirm(now: now) }
    }

    mutating func answeredPing(_ slot: Int, now: Instant) {
        let wasDoubted = learners[slot].pingsBeforeDoubt != nil
        learners[slot].answeredPing()
        guard wasDoubted, learners[slot].pingsBeforeDoubt == nil else { return }
        countAcknowledgement(slot)
        commitAcknowledged(now: now)
    }

    // MARK: Activation

    /// Begins to lead as soon as a quorum has this server's history.
    mutating func considerActivation(now: Instant) {
        guard phase == .awaitingAcks, decides({ newLeaderAcks.contains($0) }) else { return }
        phase = .leading
        lastProposed = epochStart
        lastCommitted = epochStart
        passes = 0
        let leader = leaderUnderPending
        if leader == options.myID {
            adoptPending(leader: leader)
            actions.append(.activate(epoch: epoch))
        }
        for slot in learners.indices where learners[slot].stage == .acknowledged { welcome(slot, now: now) }
        guard leader != options.myID else { return }
        // The learners bring the change into force too, and must hear of that before this server leaves its role.
        adoptPending(leader: leader)
        retire(now: now)
    }

    /// Sends UPTODATE.
    private mutating func welcome(_ slot: Int, now: Instant) {
        learners[slot].stage = .serving
        learners[slot].deadline = now.advanced(byMilliseconds: options.syncMilliseconds)
        send(QuorumPacket(.upToDate).bytes, to: slot)
        actions.append(.synchronised(learners[slot].link, learners[slot].serverID))
    }

    // MARK: Commits

    /// Commits what a quorum has, strictly in order.
    mutating func commitAcknowledged(now: Instant) {
        guard phase == .leading else { return }
        var run = CommitRun(hasObservers: learners.contains { $0.isObserver && $0.takesTraffic })
        while let next = oldestOutstanding, isAcknowledged(next), let first = outstanding.popFirst() {
            history.append(first)
            lastCommitted = first.zxid
            if let change = pending, change.zxid == first.zxid {
                flush(&run, now: now)
                activate(change.configuration, proposal: first, now: now)
                guard phase == .leading else { return }
            } else {
                run.add(first)
            }
        }
        flush(&run, now: now)
        if outstanding.isEmpty, nextZxid == nil { stepDown("the zxids of epoch \(epoch) are used up") }
    }

    /// Proposals have consecutive zxids, so there is no need to look at the first.
    private var oldestOutstanding: Zxid? {
        outstanding.isEmpty ? nil : Zxid(rawValue: lastProposed.rawValue - Int64(outstanding.count - 1))
    }

    private func isAcknowledged(_ zxid: Zxid) -> Bool {
        func has(_ server: ServerID) -> Bool {
            acknowledgements.contains { $0.server == server && $0.through >= zxid }
        }
        guard configuration.isQuorum(has) else { return false }
        guard let pending, zxid >= pending.zxid else { return true }
        return pending.configuration.isQuorum(has)
    }

    private mutating func flush(_ run: inout CommitRun, now: Instant) {
        guard let last = run.last else { return }
        for slot in learners.indices where learners[slot].takesTraffic {
            if learners[slot].isObserver {
                inform(run.informs.bytes, slot, now: now)
            } else {
                send(run.commits.bytes, to: slot)
            }
        }
        actions.append(.commit(through: last))
        answerSyncs()
        run = CommitRun(hasObservers: run.hasObservers)
    }

    /// An observer costs the others least if it hears of many transactions at once. Unless it has lately sent requests of
    /// clients: they wait for the answers.
    private mutating func inform(_ bytes: [UInt8], _ slot: Int, now: Instant) {
        let isIdle = learners[slot].forwardedAt.map { now > $0.advanced(byMilliseconds: Self.observerHaste) } ?? true
        if learners[slot].stage == .serving, case .open = learners[slot].gate, isIdle {
            actions.append(.sendLater(learners[slot].link, bytes))
        } else {
            send(bytes, to: slot)
        }
    }

    /// How long after a request an observer is told of each transaction at once: milliseconds.
    private static let observerHaste: Int64 = 100

    // MARK: Requests of learners

    mutating func forward(_ request: ForwardedRequest, _ identities: [Identity], slot: Int, now: Instant) {
        learners[slot].forwardedAt = now
        // The learner is about to leave a leader that retires, and its clients will ask again.
        guard phase == .leading else { return }
        guard request.operation == .sync else {
            actions.append(.forwarded(learners[slot].link, request, identities))
            return
        }
        if outstanding.isEmpty {
            send(Self.syncAnswer, to: slot)
        } else if let last = learners[slot].syncs.last, last.zxid == lastProposed {
            _ = learners[slot].syncs.popLast()
            learners[slot].syncs.append(.init(zxid: last.zxid, count: last.count + 1))
        } else {
            learners[slot].syncs.append(.init(zxid: lastProposed, count: 1))
        }
    }

    private static let syncAnswer = QuorumPacket(.sync, zxid: .zero).bytes

    /// Answers what waited for a transaction that is committed now, behind its COMMIT.
    mutating func answerSyncs() {
        for slot in learners.indices {
            while let first = learners[slot].syncs.first, first.zxid <= lastCommitted {
                _ = learners[slot].syncs.popFirst()
                for _ in 0..<first.count { send(Self.syncAnswer, to: slot) }
            }
        }
    }

    /// Whether a client's session is alive and belongs to the learner now.
    package mutating func answer(_ answer: RevalidationAnswer, on link: LinkID, now: Instant) {
        guard phase != .steppedDown, let slot = slots[link], learners[slot].stage == .serving else { return }
        send(QuorumPacket(.revalidate, data: answer.data).bytes, to: slot)
        sweep()
    }
}

/// Commits that go out together.
private struct CommitRun {
    let hasObservers: Bool
    var commits = ByteWriter()
    var informs = ByteWriter()
    var last: Zxid?

    init(hasObservers: Bool) { self.hasObservers = hasObservers }

    mutating func add(_ proposal: Proposal) {
        last = proposal.zxid
        QuorumPacket.encode(.commit, zxid: proposal.zxid, into: &commits)
        if hasObservers { QuorumPacket.encode(.inform, zxid: proposal.zxid, data: proposal.body, into: &informs) }
    }
}
