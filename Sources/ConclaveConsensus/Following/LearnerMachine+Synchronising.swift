import ConclaveCore
import ConclaveWire

/// Getting the leader's history: the opening packet, what follows it, and making it durable.
extension LearnerMachine {
    // MARK: Opening

    /// DIFF, TRUNC or SNAP: where the leader's history and the own one part.
    mutating func receivedOpening(_ packet: QuorumPacket) {
        let zxid = packet.zxid
        guard zxid.rawValue >= 0, zxid.rawValue >> 32 <= epoch else {
            return end("server \(leader) sent \(packet.kind) to \(zxid), which is not in its epoch, \(epoch)")
        }
        guard wantsSnapshotIn != epoch || packet.kind == .snapshot else {
            return end("server \(leader) was asked for a snapshot and sent \(packet.kind)")
        }
        switch packet.kind {
        case .diff:
            guard zxid >= lastZxid, lastZxid >= .zero else {
                return end("server \(leader) sent a DIFF to \(zxid), which does not go on from \(lastZxid)")
            }
            note(.info, "server \(leader) sends what is missing from \(lastZxid) to \(zxid)")
            differenceEnd = zxid
            phase = .synchronising
        case .truncate:
            guard zxid <= lastZxid else {
                return end("server \(leader) sent a TRUNC to \(zxid), which is beyond \(lastZxid)")
            }
            note(
                .warning, "server \(leader) never had what follows \(zxid); the log, which ends at \(lastZxid), is cut")
            phase = .truncating(to: zxid)
            actions.append(.truncate(to: zxid))
        case .snapshot:
            note(.info, "server \(leader) sends a snapshot at \(zxid) to replace the history up to \(lastZxid)")
            memoryIsStale = true
            digestsAreVague = true
            actions.append(.beginSnapshot)
            phase = .receivingSnapshot(zxid: zxid)
            let rest = packets.takeRest()
            stream.append(rest.span)
        default: end("server \(leader) began with \(packet.kind) instead of its history")
        }
    }

    /// The log has been cut and the tree read again.
    package mutating func truncated(now: Instant) {
        guard case .truncating(let zxid) = phase else { return }
        backlog = LearnerBacklog(at: zxid)
        phase = .synchronising
        heard = now
        process(now: now)
    }

    /// There is no history that ends there, so nothing was cut: the end that the leader never had is in the only snapshot left,
    /// for example. The leader is asked for a snapshot of its own, over another connection; this one must stay within the role,
    /// since a leader of two would otherwise have to give up and everything would begin anew.
    package mutating func truncationFailed(now: Instant) {
        guard case .truncating(let zxid) = phase else { return }
        note(.warning, "the log cannot be cut behind \(zxid); server \(leader) is asked for a snapshot")
        phase = .ended
        actions.append(.startOver(wantsSnapshotIn: epoch))
    }

    /// Goes on with the snapshot.
    /// - Returns: whether it is complete, and packets follow.
    mutating func receiveSnapshot(_ zxid: Zxid) -> Bool {
        do throws(DecodingError) {
            while let batch = try stream.next() { actions.append(.loadSnapshot(batch)) }
        } catch {
            end("server \(leader) sent what is no snapshot: \(error)")
            return false
        }
        guard stream.isComplete else { return false }
        let rest = stream.takeRest()
        packets.append(rest.span)
        stream = SnapshotStreamDecoder(maximumFieldBytes: options.maximumPacketBytes)
        actions.append(.endSnapshot(zxid: zxid))
        backlog = LearnerBacklog(at: zxid)
        phase = .synchronising
        return true
    }

    // MARK: NEWLEADER

    /// NEWLEADER: all that came before it must be durable before the epoch is, and that before the answer.
    mutating func receivedNewLeader(_ packet: QuorumPacket) {
        guard phase == .synchronising else { return end("server \(leader) sent NEWLEADER twice") }
        guard packet.zxid == epochStart else {
            return end("server \(leader) sent NEWLEADER \(packet.zxid) in epoch \(epoch)")
        }
        guard backlog.received >= differenceEnd else {
            return end(
                "server \(leader) promised transactions up to \(differenceEnd), sent them up to \(backlog.received)")
        }
        announceConfiguration(packet.data)
        guard phase != .ended else { return }
        if memoryIsStale {
            phase = .storingSnapshot
            actions.append(.writeSnapshot)
        } else {
            secure()
        }
    }

    /// The snapshot has taken the place of the history on disk.
    package mutating func snapshotWritten(now: Instant) {
        guard phase == .storingSnapshot else { return }
        memoryIsStale = false
        heard = now
        for proposal in backlog.release() { actions.append(.append(proposal)) }
        secure()
        process(now: now)
    }

    private mutating func secure() {
        phase = .securing(through: backlog.received)
        saveEpochIfSecured()
    }

    private mutating func saveEpochIfSecured() {
        guard case .securing(let zxid) = phase else { return }
        if let first = backlog.unsynced.first, first.zxid <= zxid { return }
        if epoch == currentEpoch {
            acknowledge()
        } else {
            phase = .savingEpoch
            actions.append(.saveCurrentEpoch(epoch))
        }
    }

    /// The epoch is on disk.
    package mutating func savedCurrentEpoch(now: Instant) {
        guard phase == .savingEpoch else { return }
        heard = now
        acknowledge()
    }

    private mutating func acknowledge() {
        send(.ack, zxid: epochStart)
        phase = .acknowledged
    }

    // MARK: UPTODATE

    /// UPTODATE: a quorum has the same history.
    mutating func receivedUpToDate() {
        switch phase {
        case .acknowledged: break
        // The reference takes no notice either.
        case .serving: return note(.warning, "server \(leader) sent UPTODATE again")
        default: return end("server \(leader) sent UPTODATE without being told that its history is durable here")
        }
        if let announced {
            self.announced = nil
            adopt(announced, designatedLeader: nil)
            guard phase != .ended else { return }
        }
        phase = .serving
        send(.ack, zxid: epochStart)
        actions.append(.startServing(epoch: epoch))
        acknowledgeProposals()
    }

    // MARK: Durability

    /// Everything up to the receipt's zxid survives a crash.
    package mutating func synced(_ receipt: DurableReceipt, now: Instant) {
        guard phase != .ended else { return }
        backlog.synced(through: receipt.through)
        if case .securing = phase {
            heard = now
            saveEpochIfSecured()
        }
        acknowledgeProposals()
    }

    /// The leader takes the first ACK it gets for that of NEWLEADER, so those of proposals wait until it has said
    /// UPTODATE.
    private mutating func acknowledgeProposals() {
        guard phase == .serving else { return }
        while let zxid = backlog.popUnacknowledged() { send(.ack, zxid: zxid) }
    }

    /// What is acknowledged for the epoch as a whole.
    private var epochStart: Zxid { Zxid(rawValue: epoch << 32) }
}
