import ConclaveCore
import ConclaveWire

/// From bytes to packets to what they mean in each phase.
extension LearnerMachine {
    /// Bytes have come from the leader, cut anywhere.
    package mutating func received(_ bytes: Span<UInt8>, now: Instant) {
        switch phase {
        case .connecting, .waitingToConnect, .ended: return
        case .receivingSnapshot: stream.append(bytes)
        default: packets.append(bytes)
        }
        heard = now
        process(now: now)
        if packets.pendingBytes > Self.maximumWaitingBytes || backlog.uncommittedBytes > Self.maximumWaitingBytes {
            end("server \(leader) sent more than can be kept waiting")
        }
    }

    /// Goes on with what has been received, as far as the phase allows.
    mutating func process(now: Instant) {
        while true {
            if case .receivingSnapshot(let zxid) = phase {
                guard receiveSnapshot(zxid) else { return }
            }
            guard readsPackets else { return }
            do throws(QuorumPacketError) {
                guard let packet = try packets.next() else { return }
                handle(packet, now: now)
            } catch {
                return end("server \(leader) sent what is no packet: \(error)")
            }
        }
    }

    /// Packets wait while the disk catches up with what they build on.
    private var readsPackets: Bool {
        switch phase {
        case .discovering, .opening, .synchronising, .securing, .savingEpoch, .acknowledged, .serving: true
        case .connecting, .waitingToConnect, .promising, .receivingSnapshot, .truncating, .storingSnapshot, .ended:
            false
        }
    }

    private mutating func handle(_ packet: QuorumPacket, now: Instant) {
        switch phase {
        case .discovering: receivedLeaderInfo(packet, now: now)
        case .opening:
            // A PING is no more than a sign of life before the leader expects answers.
            if packet.kind != .ping { receivedOpening(packet) }
        case .synchronising, .securing, .savingEpoch, .acknowledged, .serving: follow(packet)
        case .connecting, .waitingToConnect, .promising, .receivingSnapshot, .truncating, .storingSnapshot, .ended:
            preconditionFailure("a packet was taken out in phase \(phase)")
        }
    }

    /// A packet behind the opening one.
    private mutating func follow(_ packet: QuorumPacket) {
        switch packet.kind {
        case .proposal: receivedProposal(packet)
        case .commit: receivedCommit(packet.zxid)
        case .commitAndActivate: receivedCommitAndActivate(packet)
        case .inform: receivedInform(packet)
        case .informAndActivate: receivedInformAndActivate(packet)
        case .ping: receivedPing(packet.zxid)
        case .newLeader: receivedNewLeader(packet)
        case .upToDate: receivedUpToDate()
        // Nobody can have asked before: an answer then is for nobody.
        case .sync: if phase == .serving { actions.append(.syncAnswered) }
        case .revalidate: if phase == .serving { receivedRevalidation(packet) }
        case .diff, .truncate, .snapshot, .leaderInfo:
            end("server \(leader) sent \(packet.kind) in the middle of its history")
        case .request, .ack, .followerInfo, .observerInfo, .ackEpoch:
            end("server \(leader) sent \(packet.kind), which only learners send")
        }
    }

    // MARK: Service

    /// PING. Before UPTODATE the leader would take an answer for something else.
    private mutating func receivedPing(_ zxid: Zxid) {
        if digestsAreVague {
            // It was sent behind the snapshot, and nothing later than it can have been in there.
            digestsAreVague = false
            actions.append(.digestsHold(after: zxid))
        }
        guard phase == .serving else { return }
        pingZxid = zxid
        actions.append(.pingReceived)
    }

    private mutating func receivedRevalidation(_ packet: QuorumPacket) {
        guard let answer = try? RevalidationAnswer(packet.data) else {
            return end("server \(leader) sent an answer about a session that cannot be read")
        }
        actions.append(.revalidated(answer.session, answer.isValid))
    }

    /// Passes a client's request on. Ignored while not serving: whoever waits learns from `lookAgain` that nothing
    /// comes.
    ///
    /// - Parameter identities: who the client is; `nil` before that is known, with createSession.
    package mutating func forward(_ request: ForwardedRequest, identities: [Identity]?) {
        guard phase == .serving else { return }
        QuorumPacket.encode(
            .request, zxid: QuorumPacket.noZxid, data: request.data, identities: identities, into: &output)
    }

    /// Asks whether a session that a client came back with is alive, and takes it over; for a ping, only whether it is
    /// alive and here. Ignored while not serving.
    package mutating func revalidate(_ session: SessionID, timeoutMilliseconds: Int32, isPing: Bool = false) {
        guard phase == .serving else { return }
        let request = RevalidationRequest(
            session: session, timeoutMilliseconds: timeoutMilliseconds, isPing: isPing)
        send(.revalidate, data: request.data)
    }

    /// Answers a PING with the sessions that were heard of since the last one. Ignored while not serving.
    package mutating func answerPing(_ touches: [SessionTouch]) {
        guard phase == .serving else { return }
        send(.ping, zxid: pingZxid, data: SessionTouches.encode(touches))
    }
}
