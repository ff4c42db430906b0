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
    /// A leader that was elected this moment may not listen yet, so the first tries follow each other closely; together
    /// they take as long as the reference's, which lie ``EnsembleOptions/connectRetryMilliseconds`` apart.
    package mutating func connectFailed(now: Instant) {
        guard phase == .connecting else { return }
        let gap = min(max(1, options.connectRetryMilliseconds), Self.longestRetryMilliseconds)
        let delay = max(1, gap >> Int64(max(0, 4 - connectFailures)))
        connectFailures += 1
        connectWaitedMilliseconds += delay
        guard (connectWaitedMilliseconds - 1) / gap + 1 < options.connectTries, now < connectUntil else {
            return end("server \(leader) could not be reached \(connectFailures) times")
        }
        phase = .waitingToConnect(until: now.advanced(byMilliseconds: delay))
    }

    /// The connection is gone.
    package mutating func closed(now: Instant) {
        switch phase {
        case .connecting: connectFailed(now: now)
        // The last try, which was reported already.
        case .waitingToConnect: break
        case .discovering, .promising, .opening, .receivingSnapshot, .truncating, .synchronising, .storingSnapshot,
            .securing, .savingEpoch, .acknowledged, .serving, .ended:
            end("the connection to server \(leader) was closed")
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
        send(.ackEpoch, zxid: lastZxid, data: AckEpoch(currentEpoch: current).data)
        phase = .opening
        heard = now
    }
}
