import ConclaveCore
import ConclaveWire

/// Finding the leader and promising to follow it.
extension LearnerMachine {
    /// However long the options say; bounds the arithmetic, too.
    private static let longestRetryMilliseconds: Int64 = 60_000

    // MARK: Events

    /// The connection to the leader stands.
    package mutating func connected(now: Instant) {
        guard phase == .connecting else { return }
        phase = .discovering
        heard = now
        let info = LearnerInfo(serverID: options.myID, configurationVersion: configuration.version)
        // Wraps for no epoch that a zxid can hold.
        let zxid = Zxid(rawValue: acceptedEpoch << 32)
        send(role == .observer ? .observerInfo : .followerInfo, zxid: zxid, data: info.data)
    }

    /// The leader could not be reached.
    ///
    /// A leader that was elected this moment may not listen yet, so the first tries follow each other closely. Together
    /// they take as long as the reference's, which lie ``EnsembleOptions/connectRetryMilliseconds`` apart, and as long as
    /// a leader of the reference waits for better votes when this server has decided already.
    package mutating func connectFailed(now: Instant) {
        guard phase == .connecting else { return }
        tryAgain(now: now)
    }

    private mutating func tryAgain(now: Instant) {
        let gap = min(max(1, options.connectRetryMilliseconds), Self.longestRetryMilliseconds)
        let delay = max(1, gap >> Int64(max(0, 4 - connectFailures)))
        connectFailures += 1
        connectWaitedMilliseconds += delay
        let counted = max(0, connectWaitedMilliseconds - 1 - max(0, options.finalizeWaitMilliseconds))
        guard counted / gap + 1 < options.connectTries, now < connectUntil else {
            return end("server \(leader) could not be reached \(connectFailures) times")
        }
        phase = .waitingToConnect(until: now.advanced(byMilliseconds: delay))
    }

    /// The connection is gone.
    ///
    /// One that ends before the leader has said anything tells no more than one that could not be made: a relay in
    /// between takes connections for a leader that does not listen yet. Unless the leader is known to lead no more.
    package mutating func closed(now: Instant) {
        switch phase {
        case .connecting: connectFailed(now: now)
        // The last try, which was reported already.
        case .waitingToConnect: break
        case .discovering where packets.pendingBytes == 0 && !leaderWasLooking:
            hasBeenTurnedAway = true
            tryAgain(now: now)
        case .discovering, .promising, .opening, .receivingSnapshot, .truncating, .synchronising, .storingSnapshot,
            .securing, .savingEpoch, .acknowledged, .serving, .ended:
            end("the connection to server \(leader) was closed")
        }
    }

    /// The leader is heard to look for a leader itself.
    ///
    /// What it says on a working connection counts for more than a vote, which may have been under way for long. While it
    /// has said nothing there, a vote decides what becomes of the attempt.
    ///
    /// - Parameter isLate: it does so although it had the time to hear of the votes that made it the leader.
    package mutating func leaderIsLooking(isLate: Bool) {
        switch phase {
        case .connecting, .waitingToConnect: end("server \(leader) is looking for a leader itself")
        case .discovering:
            guard packets.pendingBytes == 0 else { return }
            if isLate || hasBeenTurnedAway { return end("server \(leader) is looking for a leader itself") }
            leaderWasLooking = true
        case .promising, .opening, .receivingSnapshot, .truncating, .synchronising, .storingSnapshot, .securing,
            .savingEpoch, .acknowledged, .serving, .ended:
            break
        }
    }

    /// Time has passed. To be called at ``nextDeadline``; more often does no harm.
    package mutating func tick(now: Instant) {
        guard now >= nextDeadline else { return }
        switch phase {
        case .connecting: end("server \(leader) could not be reached in time")
        case .waitingToConnect:
            guard now < connectUntil else { return end("server \(leader) could not be reached in time") }
            phase = .connecting
            actions.append(.connect)
        case .discovering, .opening, .receivingSnapshot, .synchronising, .acknowledged, .serving:
            end("nothing was heard from server \(leader) for \(now.milliseconds(since: heard)) ms")
        case .promising, .truncating, .storingSnapshot, .securing, .savingEpoch, .ended: break
        }
    }

    // MARK: Packets

    /// LEADERINFO: the epoch that the leader has found.
    mutating func receivedLeaderInfo(_ packet: QuorumPacket, now: Instant) {
        guard packet.kind == .leaderInfo else {
            return end("server \(leader) sent \(packet.kind) before it named its epoch")
        }
        guard let info = try? LeaderInfo(packet.data), info.protocolVersion >= LearnerInfo.protocolVersion else {
            return end("server \(leader) speaks a protocol older than release 3.4")
        }
        epoch = packet.zxid.rawValue >> 32
        if epoch > acceptedEpoch {
            phase = .promising
            actions.append(.saveAcceptedEpoch(epoch))
        } else if epoch == acceptedEpoch {
            // The promise may have been counted already, by this leader or another; it does not count again.
            acknowledgeEpoch(nil, now: now)
        } else if role == .observer, epoch >= currentEpoch {
            // An observer's promise counts for nobody: it may follow where it has no history of a later epoch.
            acknowledgeEpoch(nil, now: now)
        } else {
            end("the epoch of server \(leader), \(epoch), is below the accepted one, \(acceptedEpoch)")
        }
    }

    /// The promise is on disk.
    package mutating func savedAcceptedEpoch(now: Instant) {
        guard phase == .promising else { return }
        acknowledgeEpoch(currentEpoch, now: now)
        process(now: now)
    }

    private mutating func acknowledgeEpoch(_ current: Int64?, now: Instant) {
        // Whoever has nothing is sent everything. That it has a history was said, and counted, over the connection before.
        let end = wantsSnapshotIn == epoch ? QuorumPacket.noZxid : lastZxid
        send(.ackEpoch, zxid: end, data: AckEpoch(currentEpoch: current).data)
        phase = .opening
        heard = now
    }
}
