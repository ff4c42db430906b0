import ConclaveCore
import ConclaveWire

/// Agreeing on the epoch: quorum-protocol 7.1.
extension LeaderMachine {
    /// FOLLOWERINFO or OBSERVERINFO: the first packet of a learner.
    mutating func introduce(_ info: LearnerInfo, _ packet: QuorumPacket, slot: Int, now: Instant) {
        let isObserver = packet.kind == .observerInfo
        var server = info.serverID ?? ServerID(rawValue: -1)
        if info.serverID == nil {
            anonymousSerial -= 1
            server = ServerID(rawValue: anonymousSerial)
        } else if server == options.myID {
            return drop(slot, .isMyself)
        } else if info.configurationVersion > configuration.version {
            return drop(slot, .configurationIsNewer(info.configurationVersion))
        }
        let knowsEpochs = info.protocolVersion >= LearnerInfo.protocolVersion
        if !knowsEpochs, !isObserver, isConnectedWithEpochs(server) {
            // One packet, sent blindly, must not cast doubt on what a follower has acknowledged.
            return drop(slot, .numberInUse(server))
        }
        let accepted = Int64(packet.zxid.rawValue >> 32)
        if phase == .gatheringEpochs, accepted >= Self.lastEpoch { return drop(slot, .epochIsUsedUp(accepted)) }
        learners[slot].serverID = server
        learners[slot].isObserver = isObserver
        learners[slot].knowsEpochs = knowsEpochs
        learners[slot].lastZxid = packet.zxid
        learners[slot].stage = .introduced
        // How long it takes until the epoch is ready is not the learner's fault.
        learners[slot].deadline = .distantFuture
        guard phase == .gatheringEpochs else {
            if let voter = voter(slot), cannotFollow(voter, accepted: accepted, slot: slot) {
                return stepDown("server \(voter) has promised epoch \(accepted) and cannot follow in \(epoch)")
            }
            return inform(slot, now: now)
        }
        // A stranger must not use up the numbers of epochs: one that has promised more than this leader offers goes away.
        if configuration.member(server) != nil || pending?.configuration.member(server) != nil {
            epoch = max(epoch, accepted + 1)
        }
        if let voter = voter(slot), !reported.contains(voter) { reported.append(voter) }
        chooseEpoch(now: now)
    }

    private func isConnectedWithEpochs(_ server: ServerID) -> Bool {
        learners.contains {
            $0.serverID == server && $0.knowsEpochs && $0.stage > .connected && $0.stage < .closed
        }
    }

    /// Whether a voter has promised a later epoch to a leader that came to nothing. It will not follow in this one, so without
    /// another election the ensemble would be one server short for good. A voter that is connected has another epoch: whoever
    /// comes under its name besides does not disturb.
    private func cannotFollow(_ voter: ServerID, accepted: Int64, slot: Int) -> Bool {
        guard phase == .leading, accepted > epoch, accepted < Self.lastEpoch else { return false }
        return !learners.indices.contains {
            $0 != slot && learners[$0].serverID == voter && learners[$0].stage > .connected
                && learners[$0].stage < .closed
        }
    }

    /// Fixes the epoch as soon as a quorum has reported; it is above everything any of them has promised.
    mutating func chooseEpoch(now: Instant) {
        guard phase == .gatheringEpochs, decides({ reported.contains($0) }) else { return }
        phase = .savingAcceptedEpoch
        actions.append(.saveAcceptedEpoch(epoch))
    }

    /// The promise not to follow an earlier epoch is durable.
    package mutating func savedAcceptedEpoch(now: Instant) {
        guard phase == .savingAcceptedEpoch else { return }
        phase = .awaitingEpochAcks
        phaseDeadline = now.advanced(byMilliseconds: options.initMilliseconds)
        epochAcks = [options.myID]
        if options.reconfigEnabled, configuration.version == 0, pending == nil {
            // From its first leader on, an ensemble's configuration takes precedence over any that was never in force.
            pending = PendingConfiguration(
                configuration: configuration.with(version: epochStart.rawValue), zxid: .zero)
        }
        for slot in learners.indices where learners[slot].stage == .introduced { inform(slot, now: now) }
        considerEpochAcks(now: now)
        sweep()
    }

    /// Sends LEADERINFO once there is an epoch to tell.
    private mutating func inform(_ slot: Int, now: Instant) {
        guard phase != .gatheringEpochs, phase != .savingAcceptedEpoch else { return }
        guard learners[slot].knowsEpochs else {
            // Its first packet said all that there is to know.
            let zxid = learners[slot].lastZxid
            return acknowledgeEpoch(
                AckEpoch(currentEpoch: zxid.rawValue >> 32), lastZxid: zxid, slot: slot, now: now)
        }
        learners[slot].stage = .informed
        learners[slot].deadline = now.advanced(byMilliseconds: options.initMilliseconds)
        send(QuorumPacket(.leaderInfo, zxid: epochStart, data: LeaderInfo().data).bytes, to: slot)
    }

    /// ACKEPOCH: what the learner has.
    mutating func acknowledgeEpoch(_ ack: AckEpoch, lastZxid: Zxid, slot: Int, now: Instant) {
        let isOpen = phase == .awaitingEpochAcks
        if isOpen, let current = ack.currentEpoch {
            guard (current, lastZxid) <= (ownCurrentEpoch, ownLastZxid) else {
                return drop(slot, .historyIsNewer(epoch: current, lastZxid))
            }
            // A learner that has nothing to show does not support anybody's history.
            if lastZxid.rawValue != -1, let voter = voter(slot), !epochAcks.contains(voter) { epochAcks.append(voter) }
        }
        learners[slot].lastZxid = lastZxid
        learners[slot].stage = .epochAcknowledged
        learners[slot].deadline = .distantFuture
        if isOpen { considerEpochAcks(now: now) } else if phase != .savingCurrentEpoch { synchronise(slot, now: now) }
    }

    private mutating func considerEpochAcks(now: Instant) {
        guard phase == .awaitingEpochAcks, decides({ epochAcks.contains($0) }) else { return }
        phase = .savingCurrentEpoch
        actions.append(.saveCurrentEpoch(epoch))
    }

    /// The own history is the epoch's from now on, and that is durable.
    package mutating func savedCurrentEpoch(now: Instant) {
        guard phase == .savingCurrentEpoch else { return }
        phase = .awaitingAcks
        phaseDeadline = now.advanced(byMilliseconds: options.initMilliseconds)
        newLeaderAcks = [options.myID]
        for slot in learners.indices where learners[slot].stage == .epochAcknowledged { synchronise(slot, now: now) }
        considerActivation(now: now)
        sweep()
    }
}
