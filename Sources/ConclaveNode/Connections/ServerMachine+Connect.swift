import ConclaveCore
import ConclaveTree
import ConclaveWire

/// The first bytes of a connection: a four-letter word or a connect request.
///
/// Source: wire-protocol, section 2 (order of the decisions) and section 13.
extension ServerMachine {
    /// Looks at a connection without a session.
    /// - Returns: whether there may be more to process.
    mutating func processHandshake(_ slot: Int) -> Bool {
        guard slots[slot].decoder.pendingBytes >= 4 else { return false }
        let word = String(decoding: slots[slot].decoder.buffer.prefix(4), as: UTF8.self)
        if commandWords.contains(word) {
            // The answer ends the connection; nothing more is read from it.
            slots[slot].phase = .fresh(deadline: .distantFuture)
            pauseReading(slot)
            statistics.received += 1
            slots[slot].statistics.received += 1
            actions.append(.command(word, slots[slot].id))
            return false
        }
        do {
            guard let range = try slots[slot].decoder.nextFrame() else { return false }
            var reader = ByteReader(slots[slot].decoder.buffer, in: range)
            let request = try ConnectRequest(from: &reader)
            connect(slot, request)
            return true
        } catch let error as FramingError {
            close(slot, .badFrame("\(error)"))
        } catch {
            close(slot, .badRequest("connect request: \(error)"))
        }
        return false
    }

    private mutating func connect(_ slot: Int, _ request: ConnectRequest) {
        statistics.received += 1
        slots[slot].statistics.received += 1
        slots[slot].statistics.lastOperation = "SESS"
        slots[slot].handshakeHasReadOnly = request.readOnly != nil
        guard role != .none else { return close(slot, .notServing) }
        guard role != .leader || options.leaderServesClients else { return close(slot, .leaderDoesNotServe) }
        guard role != .readOnly || request.readOnly == true else { return close(slot, .onlyReadOnly) }
        guard request.lastZxidSeen <= tree.lastProcessed else {
            return close(slot, .clientIsAhead(client: request.lastZxidSeen, server: tree.lastProcessed))
        }
        let range = options.sessionTimeoutRange
        let timeout = Int32(min(max(Int64(request.timeoutMilliseconds), range.lowerBound), range.upperBound))
        slots[slot].sessionTimeoutMilliseconds = timeout
        if request.session == .none {
            createSession(slot, timeoutMilliseconds: timeout)
        } else {
            reattach(slot, request, timeoutMilliseconds: timeout)
        }
    }

    private mutating func createSession(_ slot: Int, timeoutMilliseconds: Int32) {
        guard tree.sessions.count + local.count < options.sessionLimit else {
            note(.warning, "refused \(slots[slot].peer): the limit of \(options.sessionLimit) sessions is reached")
            return close(slot, .sessionLimit(options.sessionLimit))
        }
        if makesLocalSessions { return createLocalSession(slot, timeoutMilliseconds: timeoutMilliseconds) }
        if role.isLearning { return forwardCreateSession(slot, timeoutMilliseconds: timeoutMilliseconds) }
        let session = makeSessionID()
        freshConnections -= 1
        slots[slot].phase = .creating(session)
        let transaction = preparer.prepareCreateSession(
            session, timeoutMilliseconds: timeoutMilliseconds, wall: wall)
        // The expiry starts now, so that a session whose log write hangs is not immortal.
        expiry.add(session, timeoutMilliseconds: Int64(timeoutMilliseconds), now: now)
        propose(transaction, for: .handshake(slots[slot].id))
    }

    mutating func makeSessionID() -> SessionID {
        let (known, preparer, joining, local) = (tree.sessions, preparer, learner.joining, local)
        return sessionIDs.make {
            known[$0] != nil || preparer.isClosing($0) || joining[$0] != nil || local.isTaken($0)
        }
    }

    /// The password is checked before anything happens to the connection that holds the session (the reference closes that
    /// one first, even if the password then proves wrong).
    private mutating func reattach(_ slot: Int, _ request: ConnectRequest, timeoutMilliseconds: Int32) {
        let session = request.session
        let isRightful = SessionPassword.matches(request.password, session: session)
        if isRightful, reattachLocally(slot, session, timeoutMilliseconds: timeoutMilliseconds) { return }
        if role.asksAboutSessions, isRightful {
            return forwardReattach(slot, session, timeoutMilliseconds: timeoutMilliseconds)
        }
        guard isRightful, isAlive(session) else {
            respondToConnect(slot, session: nil)
            return close(slot, .unknownSession(session))
        }
        if let old = connectionOfSession[session], let oldSlot = slotIndex[old] {
            close(oldSlot, .sessionMoved(session))
        }
        expiry.add(session, timeoutMilliseconds: Int64(timeoutMilliseconds), now: now)
        move(session, to: .here)
        establish(slot, session)
    }

    /// The session exists: tells the client and begins to process its requests.
    mutating func establish(_ slot: Int, _ session: SessionID) {
        if case .fresh = slots[slot].phase { freshConnections -= 1 }
        slots[slot].phase = .established(session)
        connectionOfSession[session] = slots[slot].id
        respondToConnect(slot, session: session)
    }

    /// - Parameter session: `nil` tells the client that its session is gone.
    mutating func respondToConnect(_ slot: Int, session: SessionID?) {
        let response = ConnectResponse(
            timeoutMilliseconds: session == nil ? 0 : slots[slot].sessionTimeoutMilliseconds,
            session: session ?? .none,
            password: session.map(SessionPassword.make) ?? [UInt8](repeating: 0, count: SessionPassword.byteCount),
            readOnly: slots[slot].handshakeHasReadOnly ? role == .readOnly : nil)
        let start = slots[slot].output.openLength()
        response.encode(into: &slots[slot].output)
        slots[slot].output.closeLength(at: start)
        statistics.sent += 1
        slots[slot].statistics.sent += 1
        markDirty(slot)
    }
}
