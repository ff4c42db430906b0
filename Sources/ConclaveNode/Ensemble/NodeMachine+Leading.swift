import ConclaveConsensus
import ConclaveCore
import ConclaveTree
import ConclaveWire

/// The quorum port, seen from the leader.
extension NodeMachine {
    /// Another server has connected to the quorum port.
    package mutating func learnerAccepted(_ link: LinkID, now: Instant, wall: WallTime) {
        if leader != nil {
            learnerLinks.append(link)
            leader?.learnerConnected(link, now: now)
        } else if phase == .looking || phase == .settling {
            // Others may know sooner than this server that it leads. They say at once who they are: who is silent makes room.
            if early.count >= Self.earlyLinkLimit {
                let leaving = early.remove(at: early.firstIndex { $0.bytes.isEmpty } ?? 0)
                actions.append(.closeQuorum(leaving.link, "too many before the election has ended"))
            }
            early.append((link, []))
        } else {
            actions.append(.closeQuorum(link, "this server does not lead"))
        }
        turn(now: now, wall: wall)
    }

    /// Bytes on a connection of the quorum port, in either role.
    package mutating func quorumReceived(_ bytes: Span<UInt8>, on link: LinkID, now: Instant, wall: WallTime) {
        if leader != nil {
            leader?.received(bytes, on: link, now: now)
        } else if link == learnerLink {
            learner?.received(bytes, now: now)
        } else if let index = early.firstIndex(where: { $0.link == link }) {
            for position in bytes.indices { early[index].bytes.append(bytes[position]) }
            if early[index].bytes.count > Self.earlyByteLimit {
                early.remove(at: index)
                actions.append(.closeQuorum(link, "too much before the election has ended"))
            }
        }
        turn(now: now, wall: wall)
    }

    package mutating func quorumClosed(_ link: LinkID, now: Instant, wall: WallTime) {
        early.removeAll { $0.link == link }
        learnerLinks.removeAll { $0 == link }
        historyQuestions.removeAll { $0.link == link }
        leader?.learnerClosed(link, now: now)
        refreshView()
        if link == learnerLink {
            learnerLink = nil
            learner?.closed(now: now)
        }
        turn(now: now, wall: wall)
    }

    /// What was sent on the connection has left.
    package mutating func quorumDrained(_ link: LinkID, now: Instant, wall: WallTime) {
        leader?.drained(link, now: now)
        turn(now: now, wall: wall)
    }

    /// A snapshot exact at a zxid is at hand for a learner; it is to be streamed behind what ``takeActions()`` sends now.
    package mutating func snapshotReady(_ link: LinkID, zxid: Zxid, now: Instant, wall: WallTime) {
        leader?.snapshotReady(link, zxid: zxid, now: now)
        turn(now: now, wall: wall)
    }

    package mutating func snapshotSent(_ link: LinkID, now: Instant, wall: WallTime) {
        leader?.snapshotSent(link, now: now)
        turn(now: now, wall: wall)
    }

    package mutating func historyRead(_ link: LinkID, proposals: [Proposal]?, now: Instant, wall: WallTime) {
        isReadingHistory = false
        leader?.historyRead(link, proposals: proposals, now: now)
        readNextHistory()
        turn(now: now, wall: wall)
    }

    /// One learner's at a time: there may be any number of them, strangers included, and the disk has others to serve.
    private mutating func readNextHistory() {
        guard !isReadingHistory, !historyQuestions.isEmpty else { return }
        isReadingHistory = true
        let next = historyQuestions.removeFirst()
        actions.append(.needHistory(next.link, after: next.after, through: next.through, isFirst: next.isFirst))
    }

    /// The turn of a leader.
    /// - Returns: whether something was done.
    mutating func lead(now: Instant, wall: WallTime) -> Bool {
        let actions = leader?.takeActions() ?? []
        for action in actions {
            guard leader != nil else { return true }
            perform(action, now: now, wall: wall)
        }
        guard leader != nil else { return true }
        let hasAnswered = answerAboutSessions(now: now, wall: wall)
        // Who is retiring commits nothing more: what clients still want is lost with their connections.
        let proposed = leader?.phase == .leading ? server.takeProposals() : []
        var proposals: [Proposal] = []
        proposals.reserveCapacity(proposed.count)
        var next = leader?.nextZxid
        for transaction in proposed {
            guard let zxid = next, zxid == transaction.header.zxid else {
                leader?.propose(proposals, now: now)
                leave("the numbers of epoch \(currentEpoch) are used up", now: now, wall: wall)
                return true
            }
            if case .reconfigure(_, let text, _) = transaction.change {
                // What comes before it is for the old configuration alone.
                leader?.propose(proposals, now: now)
                proposals = []
                announce(text, at: zxid, now: now)
            }
            let proposal = Proposal(transaction)
            log(proposal)
            proposalSizes.record(proposal.body.count)
            proposals.append(proposal)
            next = zxid.successor
        }
        leader?.propose(proposals, now: now)
        return !actions.isEmpty || hasAnswered || !proposed.isEmpty
    }

    /// Takes the questions of this server's own clients, and gives the answers that may be given.
    private mutating func answerAboutSessions(now: Instant, wall: WallTime) -> Bool {
        for call in server.takeLeaderCalls() {
            guard case .revalidate(let session, _, let isPing) = call else { continue }
            judge(session, of: nil, isPing: isPing, now: now, wall: wall)
        }
        guard let first = sessionAnswers.first, let followed = leader?.followedAt, first.asked <= followed else {
            return false
        }
        while let next = sessionAnswers.first, next.asked <= followed {
            _ = sessionAnswers.popFirst()
            if let link = next.link {
                leader?.answer(next.answer, on: link, now: now)
            } else {
                server.revalidated(next.answer.session, isValid: next.answer.isValid, now: now, wall: wall)
            }
        }
        return true
    }

    /// Whether a session lives; answered as soon as a quorum has followed this server from now on. Otherwise another might
    /// already lead, and count the time of the session from an earlier moment.
    private mutating func judge(
        _ session: SessionID, of link: LinkID?, isPing: Bool, now: Instant, wall: WallTime
    ) {
        let place = link.map { SessionPlace.learner($0.rawValue) } ?? .here
        let isValid = server.revalidate(session, at: place, isPing: isPing, now: now, wall: wall)
        let answer = RevalidationAnswer(session: session, isValid: isValid)
        sessionAnswers.append(SessionAnswer(asked: now, link: link, answer: answer))
        leader?.confirm(now: now)
    }

    private mutating func perform(_ action: LeaderAction, now: Instant, wall: WallTime) {
        switch action {
        case .send(let link, let bytes): actions.append(.sendQuorum(link, bytes))
        case .sendLater(let link, let bytes): actions.append(.sendQuorumLater(link, bytes))
        case .close(let link, let end):
            learnerLinks.removeAll { $0 == link }
            historyQuestions.removeAll { $0.link == link }
            actions.append(.closeQuorum(link, "\(end)"))
        case .saveAcceptedEpoch(let epoch): order(.saveAcceptedEpoch(epoch))
        case .saveCurrentEpoch(let epoch): order(.saveCurrentEpoch(epoch))
        case .adopt(let configuration, _):
            // If another server leads under it, the machine steps down when its learners have heard of it.
            adopt(configuration, now: now)
            refreshView()
        case .activate(let epoch): activate(epoch, now: now, wall: wall)
        case .commit(let zxid):
            committedThrough = max(committedThrough, zxid)
            applyCommitted(now: now, wall: wall)
        case .needSnapshot(let link): actions.append(.needSnapshot(link))
        case .needHistory(let link, let after, let through, let isFirst):
            historyQuestions.append(.init(link: link, after: after, through: through, isFirst: isFirst))
            readNextHistory()
        case .forwarded(let link, let request, let identities):
            server.forwarded(
                request, identities: identities, from: .learner(link.rawValue), now: now, wall: wall)
        case .revalidate(let link, let session, _, let isPing):
            judge(session, of: link, isPing: isPing, now: now, wall: wall)
        case .touched(_, let touches):
            server.touched(touches.map { ($0.session, $0.timeoutMilliseconds) }, now: now)
        case .synchronised(_, let id):
            refreshView()
            note(.info, "server \(id) is up to date")
        case .stepDown(let reason): leave("leads no longer: " + reason, now: now, wall: wall)
        case .note(let event): actions.append(.note(event))
        }
    }

    /// From this transaction on both configurations have a say.
    private mutating func announce(_ text: [UInt8]?, at zxid: Zxid, now: Instant) {
        guard let coming = try? EnsembleConfiguration(text: String(decoding: text ?? [], as: UTF8.self)) else { return }
        leader?.reconfigure(to: coming, at: zxid)
        pendingConfiguration = coming
        elector.reconfigured(configuration, pending: coming, now: now)
        actions.append(.announced(coming))
    }

    /// Tells the preparer how things stand, for changes of the ensemble.
    private mutating func refreshView() {
        guard options.reconfigEnabled, let leader, leader.phase == .leading else { return }
        server.setEnsemble(
            EnsembleView(
                configuration: configuration, lastSeen: leader.pending?.configuration ?? configuration,
                synced: leader.syncedServers, reconfigEnabled: true, standaloneEnabled: standaloneEnabled))
    }

    private mutating func activate(_ epoch: Int64, now: Instant, wall: WallTime) {
        let start = Zxid(rawValue: epoch << 32)
        elector.updateVote(peerEpoch: epoch, now: now)
        server.startServing(as: .leader, epochStart: start, now: now, wall: wall)
        server.showConfiguration(configuration)
        refreshView()
        note(.info, "leads epoch \(epoch)")
        actions.append(.roleChanged(.leader))
    }
}

/// A part of the logs that a learner lacks.
struct HistoryQuestion: Sendable {
    let link: LinkID
    let after: Zxid
    let through: Zxid
    let isFirst: Bool
}

/// What a leader has found out about a session.
struct SessionAnswer: Sendable {
    let asked: Instant
    /// Of the learner that asked; `nil` for a client of this server.
    let link: LinkID?
    let answer: RevalidationAnswer
}
