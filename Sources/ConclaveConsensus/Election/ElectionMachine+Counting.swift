import ConclaveCore
import ConclaveWire

/// How votes are counted while this server is looking for a leader.
extension ElectionMachine {
    /// Takes a vote of a voter.
    mutating func count(_ notification: ElectionNotification, from server: ServerID, now: Instant) {
        guard case .looking(let looking) = phase else { return }
        // Of a server without a vote nobody wants to know, and the answers would go round in circles.
        if notification.state == .looking, notification.round < round, configuration.isVoter(options.myID) {
            send(looking.proposal, round: round, state: .looking, to: server)
        }
        guard isVoter(notification.leader) else { return }
        let ballot = Ballot(notification)
        switch notification.state {
        case .looking: countLooking(ballot, from: server, now: now)
        case .following, .leading: countSettled(ballot, from: server, now: now)
        case .observing: break
        }
    }

    /// A voter that is looking proposes somebody.
    private mutating func countLooking(_ ballot: Ballot, from server: ServerID, now: Instant) {
        guard case .looking(var looking) = phase, configuration.isVoter(options.myID) else { return }
        // A zxid of -1 says that there is no database.
        guard looking.own.zxid.rawValue != -1, ballot.vote.zxid.rawValue != -1, ballot.round >= round else { return }
        let isNewRound = ballot.round > round
        let rival = isNewRound ? looking.own : looking.proposal
        let isBetter = ballot.vote.beats(rival, in: configuration)
        if isNewRound {
            round = ballot.round
            looking.ballots.removeAll()
        }
        if isNewRound || isBetter {
            looking.proposal = isBetter ? ballot.vote : looking.own
            looking.finalAt = nil
        }
        if looking.ballots[server] != ballot { askSoon(&looking, now: now) }
        looking.ballots[server] = ballot
        phase = .looking(looking)
        if isNewRound || isBetter {
            broadcast()
        } else if !looking.told.contains(server) {
            // What was sent before the other one was looking, it did not count.
            looking.told.append(server)
            phase = .looking(looking)
            send(looking.proposal, round: round, state: .looking, to: server)
        }
        considerEnd(now: now)
    }

    /// A voter that is settled says whom it follows, or that it leads.
    private mutating func countSettled(_ ballot: Ballot, from server: ServerID, now: Instant) {
        guard case .looking(var looking) = phase else { return }
        if ballot.round == round { looking.ballots[server] = ballot }
        if looking.settled[server] != ballot { askSoon(&looking, now: now) }
        looking.settled[server] = ballot
        phase = .looking(looking)
        let ballots = looking.ballots
        let settled = looking.settled
        if ballot.round == round, isQuorum({ ballots[$0]?.agreesInRound(with: ballot) == true }),
            leads(ballot, in: ballots)
        {
            return decide(ballot.vote, round: round, now: now)
        }
        if isQuorum({ settled[$0]?.agreesSettled(with: ballot) == true }), leads(ballot, in: settled) {
            decide(ballot.vote, round: ballot.round, now: now)
        }
    }

    /// A leader that only needs this server to have a quorum, if nobody else has found one until now.
    ///
    /// It was elected in a round that this server has left, for want of a connection. It would wait for this server, and
    /// this server for others, until `initLimit` has passed. Not for one that this server is ahead of: it would be sent
    /// away.
    func leaderInNeed(_ looking: Looking) -> Ballot? {
        guard configuration.isVoter(options.myID), looking.finalAt == nil else { return nil }
        let settled = looking.settled
        var best: Ballot?
        for server in voters {
            guard let ballot = settled[server], ballot.state == .leading, ballot.vote.leader == server,
                !isKnownUnreachable(server),
                (looking.own.peerEpoch, looking.own.zxid) <= (ballot.vote.peerEpoch, ballot.vote.zxid),
                isQuorum({ $0 == options.myID || settled[$0]?.agreesSettled(with: ballot) == true })
            else { continue }
            if best.map({ ballot.vote.beats($0.vote, in: configuration) }) ?? true { best = ballot }
        }
        return best
    }

    /// Whether the leader that a ballot names says so itself; this server only if it is in the same round.
    private func leads(_ ballot: Ballot, in box: BallotBox) -> Bool {
        let leader = ballot.vote.leader
        return leader == options.myID ? ballot.round == round : box[leader]?.state == .leading
    }

    /// Ends the election when a quorum supports the proposal: at once if no better vote can come, else after a while.
    mutating func considerEnd(now: Instant) {
        guard case .looking(var looking) = phase, configuration.isVoter(options.myID) else { return }
        let mine = Ballot(
            vote: looking.proposal, round: round, state: .looking, version: ElectionNotification.currentVersion)
        let ballots = looking.ballots
        let agrees = { (server: ServerID) in ballots[server]?.agreesInRound(with: mine) == true }
        guard isQuorum(agrees) else {
            looking.finalAt = nil
            phase = .looking(looking)
            return
        }
        if agrees(looking.proposal.leader), voters.allSatisfy({ agrees($0) || isOutOfReach($0) }) {
            return decide(looking.proposal, round: round, now: now)
        }
        guard looking.finalAt == nil else { return }
        looking.finalAt = now.advanced(byMilliseconds: finalWait(since: looking.startedAt, now: now))
        phase = .looking(looking)
    }

    /// Whether a vote of this server cannot come, or would not matter.
    private func isOutOfReach(_ server: ServerID) -> Bool {
        isKnownUnreachable(server) || configuration.isVoter(server) && configuration.weight(of: server) == 0
    }

    /// How long a supported proposal waits: three times as long as the election took so far, within bounds.
    ///
    /// Where votes come quickly the missing ones are late for another reason than the network.
    private func finalWait(since start: Instant, now: Instant) -> Int64 {
        let most = options.finalizeWaitMilliseconds
        let least = min(Self.leastFinalWaitMilliseconds, most)
        let elapsed = max(0, now.milliseconds(since: start))
        return elapsed > most / 3 ? most : max(least, elapsed * 3)
    }
}
