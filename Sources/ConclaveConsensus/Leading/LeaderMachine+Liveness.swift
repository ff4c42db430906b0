import ConclaveCore
import ConclaveWire

/// Who is alive: quorum-protocol 7.5.
extension LeaderMachine {
    /// Time has passed. To be called at least at ``nextDeadline``; more often does no harm.
    package mutating func tick(now: Instant) {
        guard phase != .steppedDown else { return }
        if phase < .leading, now >= phaseDeadline { return stepDown(tooLate) }
        if now >= confirmAt { pingAll(now: now) }
        guard now >= nextPass else { return }
        // After a pause one pass is enough.
        nextPass = now.advanced(byMilliseconds: max(1, options.tickMilliseconds / 2))
        passes &+= 1
        dropSilent(now: now)
        if phase == .leading || phase == .retiring { pingAll(now: now) }
        sweep()
        checkQuorum(now: now)
    }

    /// A voter looks for a leader, as a notification of it shows.
    ///
    /// While epochs are still gathered that means that it may never come: it cannot reach this server, or is ahead of it;
    /// see ``EnsembleOptions/maximumWaitForEpochMilliseconds``.
    package mutating func voterIsLooking(_ server: ServerID, now: Instant) {
        let limit = options.maximumWaitForEpochMilliseconds
        guard phase == .gatheringEpochs, server != options.myID, configuration.isVoter(server), limit >= 0,
            now.milliseconds(since: started) >= limit
        else { return }
        stepDown("server \(server) looks for a leader again")
    }

    private var tooLate: String {
        let missing =
            switch phase {
            case .gatheringEpochs: "no quorum has come"
            case .savingAcceptedEpoch, .savingCurrentEpoch: "the epoch was not stored"
            case .awaitingEpochAcks: "no quorum has acknowledged epoch \(epoch)"
            default: "no quorum has taken over the history"
            }
        return "\(missing) within \(options.initMilliseconds) ms"
    }

    /// Ends connections on which nothing was heard for too long, or whose acknowledgements stay away.
    private mutating func dropSilent(now: Instant) {
        for slot in learners.indices where learners[slot].stage != .closed {
            if now > learners[slot].deadline {
                let limit =
                    learners[slot].stage == .serving ? options.syncMilliseconds : options.initMilliseconds
                drop(slot, .silent(milliseconds: limit))
            } else if let oldest = learners[slot].oldestUnacknowledged,
                now.milliseconds(since: oldest.sent) >= options.syncMilliseconds
            {
                drop(slot, .slow(oldest.zxid))
            }
        }
    }

    private mutating func pingAll(now: Instant) {
        lastPing = now
        confirmAt = .distantFuture
        let ping = QuorumPacket(.ping, zxid: lastProposed).bytes
        for slot in learners.indices where learners[slot].isStreaming {
            learners[slot].sentPing(now: now)
            send(ping, to: slot)
        }
    }

    // MARK: Whether this server still leads

    /// Pings that are sent out of turn are so far apart at the least.
    private static let confirmGapMilliseconds: Int64 = 5

    /// The latest moment at which a quorum is known to have followed this leader: no other had begun to lead before it, so a
    /// session that was heard of then is not ended sooner than its time-out says. `nil` before there is such a moment.
    package var followedAt: Instant? {
        guard phase == .leading else { return nil }
        if decides({ $0 == options.myID }) { return .distantFuture }
        var latest: Instant?
        for learner in learners {
            guard let moment = learner.followedAt, moment > latest ?? .start else { continue }
            let isQuorum = decides { server in
                server == options.myID
                    || learners.contains {
                        $0.serverID == server && !$0.isObserver && ($0.followedAt ?? .start) >= moment
                    }
            }
            if isQuorum { latest = moment }
        }
        return latest
    }

    /// Asks the followers for a sign of life, so that ``followedAt`` comes to this moment soon.
    package mutating func confirm(now: Instant) {
        guard phase == .leading else { return }
        confirmAt = min(confirmAt, max(now, lastPing.advanced(byMilliseconds: Self.confirmGapMilliseconds)))
        if now >= confirmAt { pingAll(now: now) }
    }

    /// Steps down if too few are left.
    private mutating func checkQuorum(now: Instant) {
        switch phase {
        case .gatheringEpochs, .savingAcceptedEpoch, .steppedDown: return
        case .awaitingEpochAcks, .savingCurrentEpoch, .awaitingAcks:
            // A quorum was here and is not any more, or cannot count. It may come back at once; if not, waiting for the end
            // of the phase only keeps the others from finding a leader.
            guard phase == .awaitingEpochAcks ? canGetEpochAcks : isConnectedToQuorum else {
                let since = quorumMissingSince ?? now
                quorumMissingSince = since
                if now.milliseconds(since: since) >= options.tickMilliseconds / 2 {
                    stepDown("the quorum left while it caught up")
                }
                return
            }
            quorumMissingSince = nil
        case .leading:
            // Every second pass is a tick.
            if passes.isMultiple(of: 2), !isConnectedToQuorum { stepDown("too few followers are left") }
        case .retiring:
            if !isConnectedToQuorum || now.milliseconds(since: retiredAt) >= options.syncMilliseconds {
                stepDown("another server leads under the new configuration")
            }
        }
    }

    /// Whether the voters that have acknowledged the epoch, and those that still may, decide. One that had promised the epoch
    /// before never will: its promise may have been to another leader.
    private var canGetEpochAcks: Bool {
        decides { server in
            epochAcks.contains(server)
                || learners.contains {
                    $0.serverID == server && !$0.isObserver && ($0.stage == .introduced || $0.stage == .informed)
                }
        }
    }

    /// Whether voters with a connection that is alive, and this server, decide.
    private var isConnectedToQuorum: Bool {
        decides { server in
            server == options.myID
                || learners.contains {
                    $0.serverID == server && !$0.isObserver && $0.stage > .connected && $0.stage < .closed
                }
        }
    }
}
