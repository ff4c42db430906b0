import ConclaveCore
import ConclaveWire

/// What a server tells others that ask, and what it learns of their configuration.
extension ElectionMachine {
    mutating func send(_ vote: Vote, round: Int64, state: PeerState, to server: ServerID) {
        let notification = ElectionNotification(
            state: state, leader: vote.leader, zxid: vote.zxid, round: round, peerEpoch: vote.peerEpoch,
            configuration: configurationText)
        actions.append(.send(notification, to: server))
    }

    /// Answers a server without a vote; observers ask this way who leads.
    mutating func receivedFromNonVoter(_ notification: ElectionNotification, _ server: ServerID, now: Instant) {
        // Two servers without a vote have nothing to tell each other.
        guard notification.state == .looking, isVoter(options.myID) else { return }
        if let asker = askers.first(where: { $0.server == server }),
            now.milliseconds(since: asker.answeredAt) < Self.answerGapMilliseconds
        {
            return
        }
        answer(server, now: now)
    }

    /// Tells a server what this one knows, and remembers it until more is known.
    mutating func answer(_ server: ServerID, now: Instant) {
        sendState(to: server)
        let index = askers.firstIndex { $0.server >= server } ?? askers.count
        if index < askers.count, askers[index].server == server {
            askers[index].answeredAt = now
        } else if askers.count < Self.maximumAskers {
            askers.insert((server, now), at: index)
        }
    }

    /// Tells those who asked before that something changed.
    mutating func tellAskers(now: Instant) {
        for index in askers.indices {
            sendState(to: askers[index].server)
            askers[index].answeredAt = now
        }
    }

    mutating func sendState(to server: ServerID) {
        switch phase {
        case .idle: break
        case .looking(let looking): send(looking.proposal, round: round, state: .looking, to: server)
        case .settled(let ballot): send(ballot.vote, round: ballot.round, state: ballot.state, to: server)
        }
    }

    /// Adopts a newer configuration that a listed server has; only while looking, and only where that is allowed.
    ///
    /// - Returns: whether the election began anew, so that the message counts for nothing.
    mutating func learnsConfiguration(
        from notification: ElectionNotification, sentBy server: ServerID, now: Instant
    ) -> Bool {
        guard options.reconfigEnabled, case .looking = phase, notification.configuration != configurationText,
            !notification.configuration.isEmpty, isVoter(server) || configuration.member(server) != nil
        else { return false }
        guard let text = String(validating: notification.configuration, as: UTF8.self) else {
            actions.append(.note(LogEvent(.warning, "server \(server) sent a configuration that is no text")))
            return false
        }
        do {
            let newer = try EnsembleConfiguration(text: text)
            guard newer.version > configuration.version, !newer.voters.isEmpty else { return false }
            let isSame = configuration.hasSameServers(as: newer)
            actions.append(.adopt(newer))
            reconfigured(newer, pending: pending.flatMap { $0.version > newer.version ? $0 : nil }, now: now)
            return !isSame
        } catch {
            actions.append(
                .note(LogEvent(.warning, "server \(server) sent a configuration that cannot be read: \(error)")))
            return false
        }
    }
}

extension EnsembleConfiguration {
    /// Whether only the version differs.
    package func hasSameServers(as other: EnsembleConfiguration) -> Bool { with(version: 0) == other.with(version: 0) }
}
