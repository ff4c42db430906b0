import ConclaveCore
import ConclaveTree
import ConclaveWire

/// What becomes of sessions that only this server knows, on servers of every role.
///
/// Differences from the reference: a local session outlives the end of the server's role, if its client comes back here; a session
/// whose upgrade is under way can be reattached, and is told nothing before it has ended.
extension ServerMachine {
    /// Whether new sessions are made known to nobody.
    package var makesLocalSessions: Bool { role == .readOnly || options.localSessions }

    mutating func createLocalSession(_ slot: Int, timeoutMilliseconds: Int32) {
        let session = makeSessionID()
        local.add(session, timeoutMilliseconds: timeoutMilliseconds, now: now)
        establish(slot, session)
    }

    /// Takes a client with its session back, as far as this server can judge that by itself.
    ///
    /// A read-only server says of no session that it has ended but those that are its own: another may have made one of its
    /// number global without this one hearing of it.
    /// - Returns: `false` if the session is one that the leader knows.
    mutating func reattachLocally(_ slot: Int, _ session: SessionID, timeoutMilliseconds: Int32) -> Bool {
        if local.contains(session) {
            if let old = connectionOfSession[session], let oldSlot = slotIndex[old] {
                close(oldSlot, .sessionMoved(session))
            }
            local.add(session, timeoutMilliseconds: timeoutMilliseconds, now: now)
            establish(slot, session)
            return true
        }
        if role == .readOnly {
            close(slot, .judgedElsewhere(session))
            return true
        }
        guard local.isUpgrading(session) else { return false }
        // The leader may not have heard of it yet, and would deny it.
        if let old = connectionOfSession[session], let oldSlot = slotIndex[old] {
            close(oldSlot, .sessionMoved(session))
        }
        if let old = learner.joining[session], let oldSlot = slotIndex[old] { close(oldSlot, .sessionMoved(session)) }
        freshConnections -= 1
        slots[slot].phase = .creating(session)
        learner.joining[session] = slots[slot].id
        return true
    }

    mutating func endLocalSessions() {
        guard role != .none else { return }
        for session in local.expire(now: now) {
            statistics.sessionsExpired += 1
            note(.info, "local session \(session) expired")
            closeConnection(of: session)
        }
    }

    mutating func endLocalSession(_ session: SessionID) {
        local.remove(session)
        closeConnection(of: session)
    }

    /// A client ends its session, behind what it asked for before.
    mutating func closeLocalSession(
        _ slot: Int, _ session: SessionID, _ header: RequestHeader, _ received: Instant
    ) {
        // A request behind this one may have made it a global one; then it ends when its time is over.
        if local.contains(session) {
            local.remove(session)
            reply(slot, xid: header.xid, received: received)
        }
        close(slot, .sessionEnded(session))
    }

    // MARK: Ephemeral nodes

    /// Looks at a write of a local session. One that needs a global session makes it one.
    ///
    /// - Returns: `false` if the request is answered here, see ``read(_:_:_:_:received:)``: nobody else has to hear of it.
    mutating func mayGoOn(
        _ slot: Int, _ session: SessionID, _ header: RequestHeader, _ reader: ByteReader
    ) -> Bool {
        if header.operation == .closeSession { return false }
        guard Self.ephemeralPart(of: header.operation, reader) != nil else { return true }
        guard options.upgradesLocalSessions else { return false }
        note(.debug, "local session \(session) becomes a global one")
        let timeout = slots[slot].sessionTimeoutMilliseconds
        // What was heard of it so far, the leader was not told.
        slots[slot].touchedTick = .min
        if role.isLearning {
            local.upgrade(session, for: header.xid)
            callForSession(session, timeoutMilliseconds: timeout, identities: slots[slot].identities)
        } else {
            local.upgrade(session, for: nil)
            expiry.add(session, timeoutMilliseconds: Int64(timeout), now: now)
            move(session, to: .here)
            propose(
                preparer.prepareCreateSession(session, timeoutMilliseconds: timeout, wall: wall), for: .server)
        }
        return true
    }

    /// The leader has answered the request, but made no session: this one has ended.
    mutating func refuseUpgrade(_ session: SessionID) {
        local.upgraded(session)
        closeConnection(of: session)
        guard let id = learner.joining.removeValue(forKey: session), let slot = slotIndex[id] else { return }
        respondToConnect(slot, session: nil)
        close(slot, .unknownSession(session))
    }

    /// A multi with an ephemeral node in it, from a session that may have none. As with every multi that fails, the parts say why.
    mutating func refuseEphemerals(
        _ slot: Int, _ header: RequestHeader, _ reader: inout ByteReader, _ received: Instant
    ) {
        guard let (failing, count) = Self.ephemeralPart(of: .multi, reader) else {
            return replyFailure(slot, xid: header.xid, .marshallingError, received: received)
        }
        let results = (0..<count).map { index -> MultiResult in
            index < failing
                ? .failed(.ok) : .failed(index == failing ? .ephemeralOnLocalSession : .runtimeInconsistency)
        }
        reply(slot, xid: header.xid, received: received) { $0.writeMultiResults(results) }
    }

    /// The first part of a write that creates an ephemeral node, and how many parts there are; `nil` if none does.
    static func ephemeralPart(of operation: OperationCode, _ reader: ByteReader) -> (index: Int, count: Int)? {
        var reader = reader
        switch operation {
        case .create, .create2, .createContainer, .createTTL, .multi: break
        default: return nil
        }
        guard let request = try? ClientRequest.decode(operation, from: &reader) else { return nil }
        let parts = if case .multi(let parts) = request { parts } else { [request] }
        return parts.firstIndex(where: \.createsEphemeral).map { ($0, parts.count) }
    }

    // MARK: At the leader

    /// Whether an unknown session may be one that a learner keeps to itself: its number is not one of ours, and as far as we know
    /// it has not been a global one. An ephemeral node would belong to nobody.
    func mayBeLocalElsewhere(_ request: ForwardedRequest) -> Bool {
        let session = request.session
        guard options.localSessions, UInt8(truncatingIfNeeded: session.rawValue >> 56) != options.serverID,
            !preparer.isClosing(session), !local.endedElsewhere.contains(session)
        else { return false }
        return Self.ephemeralPart(of: request.operation, ByteReader(request.body)) == nil
    }
}

extension ClientRequest {
    fileprivate var createsEphemeral: Bool {
        guard case .create(let create) = self else { return false }
        return create.flags == 1 || create.flags == 3
    }
}

extension OperationCode {
    /// What a read-only server refuses.
    var needsQuorum: Bool {
        switch self {
        case .create, .create2, .createContainer, .createTTL, .delete, .deleteContainer, .setData, .setACL, .multi,
            .reconfig, .sync, .check:
            true
        default: false
        }
    }
}
