import ConclaveCore
import ConclaveTree
import ConclaveWire

/// From received bytes to the operation that answers them.
extension ServerMachine {
    func canProcess(_ slot: Int) -> Bool {
        guard slots[slot].output.count < Self.outputHighWaterBytes else { return false }
        return slots[slot].outstanding == 0 || inFlight.count + learner.awaitedCount < options.outstandingLimit
    }

    /// Works through the frames that a connection has sent, as far as limits allow.
    mutating func process(_ slot: Int) {
        while true {
            guard canProcess(slot) else { return pauseReading(slot) }
            switch slots[slot].phase {
            case .fresh:
                guard processHandshake(slot) else { return }
            case .creating:
                return pauseReading(slot)
            case .closing:
                return
            case .established(let session):
                do {
                    guard let range = try slots[slot].decoder.nextFrame() else { return }
                    request(slot, session, frame: range)
                } catch {
                    return close(slot, .badFrame("\(error)"))
                }
            }
        }
    }

    private mutating func request(_ slot: Int, _ session: SessionID, frame: Range<Int>) {
        var reader = ByteReader(slots[slot].decoder.buffer, in: frame)
        guard let header = try? RequestHeader(from: &reader) else {
            return close(slot, .badRequest("a frame of \(frame.count) bytes is too short for a header"))
        }
        statistics.received += 1
        slots[slot].statistics.received += 1
        slots[slot].statistics.lastOperation = header.operation.shortName
        if header.operation != .auth, header.operation != .sasl { touch(slot, session) }
        if header.xid != ReservedXid.ping { slots[slot].statistics.lastXid = Int64(header.xid) }

        if role == .readOnly, header.operation.needsQuorum {
            return replyFailure(slot, xid: header.xid, .notReadOnly, received: now)
        }
        switch header.operation {
        case .auth:
            authenticate(slot, header, &reader)
        case .sasl:
            answerSasl(slot, header)
        case .create, .create2, .createContainer, .createTTL, .delete, .setData, .setACL, .multi, .reconfig,
            .closeSession:
            if local.contains(session), !mayGoOn(slot, session, header, reader) {
                return readInOrder(slot, session, header, frame: frame, &reader)
            }
            if role.isLearning { return forward(slot, session, header, frame: frame, reader) }
            if header.operation == .closeSession {
                let transaction = preparer.prepareCloseSession(session, cxid: header.xid, tree: tree, wall: wall)
                return proposeRequest(slot, header, transaction, .nothing)
            }
            write(slot, session, header, &reader)
        case .sync:
            sync(slot, session, header, frame: frame, &reader)
        case .ping where role.asksAboutSessions:
            if local.isUpgrading(session) {
                // Only behind the transaction that makes the session does the leader know it.
                readInOrder(slot, session, header, frame: frame, &reader)
            } else if local.contains(session) {
                reply(slot, xid: header.xid, received: now)
            } else {
                confirmPing(slot, session, header)
            }
        case .deleteContainer:
            // Only servers send it; the reference answers so whatever the body says.
            if role.isLearning { return forward(slot, session, header, frame: frame, reader) }
            refuseWrite(slot, session, header, .badArguments)
        default:
            readInOrder(slot, session, header, frame: frame, &reader)
        }
    }

    /// Answers what needs no transaction, refusals included: at once, or behind the writes that the connection sent before.
    private mutating func readInOrder(
        _ slot: Int, _ session: SessionID, _ header: RequestHeader, frame: Range<Int>, _ reader: inout ByteReader
    ) {
        guard !slots[slot].waiting.isEmpty else { return read(slot, session, header, &reader, received: now) }
        slots[slot].waiting.append(.read(frame: Array(slots[slot].decoder.buffer[frame]), received: now))
        slots[slot].outstanding += 1
    }

    /// Keeps the session alive; once for each tick in which its time-out may end, because that tick is all that a touch moves.
    private mutating func touch(_ slot: Int, _ session: SessionID) {
        let end = now.advanced(byMilliseconds: Int64(slots[slot].sessionTimeoutMilliseconds))
        let tick = end.milliseconds / max(1, options.tickMilliseconds)
        guard slots[slot].touchedTick != tick else { return }
        slots[slot].touchedTick = tick
        if local.contains(session) { return local.touch(session, now: now) }
        guard role.isPreparing else {
            learner.touched[session] = slots[slot].sessionTimeoutMilliseconds
            return
        }
        expiry.touch(session, now: now)
    }

    // MARK: Writes

    private mutating func write(
        _ slot: Int, _ session: SessionID, _ header: RequestHeader, _ reader: inout ByteReader
    ) {
        guard let request = try? ClientRequest.decode(header.operation, from: &reader) else {
            return refuseWrite(slot, session, header, .marshallingError)
        }
        if case .multi(let parts) = request, parts.count > options.multiLimit {
            return refuseWrite(slot, session, header, .badArguments)
        }
        let requester = Preparer.Requester(
            session: session, cxid: header.xid, identities: slots[slot].identities)
        let (transaction, answer) = preparer.prepare(request, from: requester, tree: tree, wall: wall)
        proposeRequest(slot, header, transaction, answer)
    }

    private mutating func refuseWrite(
        _ slot: Int, _ session: SessionID, _ header: RequestHeader, _ code: ZooKeeperError.Code
    ) {
        let requester = Preparer.Requester(session: session, cxid: header.xid, identities: [])
        let (transaction, answer) = preparer.prepareFailure(code, from: requester, wall: wall)
        proposeRequest(slot, header, transaction, answer)
    }

    private mutating func proposeRequest(
        _ slot: Int, _ header: RequestHeader, _ transaction: Transaction, _ answer: Preparer.Answer
    ) {
        slots[slot].waiting.append(.inFlight)
        slots[slot].outstanding += 1
        propose(
            transaction, answer,
            for: .request(slots[slot].id, xid: header.xid, operation: header.operation, received: now))
    }

    /// A sync goes behind everything in flight and changes nothing.
    private mutating func sync(
        _ slot: Int, _ session: SessionID, _ header: RequestHeader, frame: Range<Int>, _ reader: inout ByteReader
    ) {
        var body = reader
        guard case .sync(let path)? = try? ClientRequest.decode(.sync, from: &body) else {
            return readInOrder(slot, session, header, frame: frame, &reader)
        }
        if role.isLearning {
            return forwardSync(slot, session, header, path: path, frame: frame, reader)
        }
        guard !inFlight.isEmpty else {
            return reply(slot, xid: header.xid, received: now) { $0.writePath(path) }
        }
        slots[slot].waiting.append(.inFlight)
        slots[slot].outstanding += 1
        let requester = InFlight.Requester.request(slots[slot].id, xid: header.xid, operation: .sync, received: now)
        inFlight.append(InFlight(zxid: preparer.lastZxid, work: .barrier(path: path, requester)))
    }

    mutating func propose(
        _ transaction: Transaction, _ answer: Preparer.Answer = .nothing, for requester: InFlight.Requester
    ) {
        proposals.append(transaction)
        inFlight.append(InFlight(zxid: transaction.header.zxid, work: .apply(transaction, answer, requester)))
    }

    mutating func proposeCloseSession(_ session: SessionID) {
        let transaction = preparer.prepareCloseSession(session, cxid: 0, tree: tree, wall: wall)
        propose(transaction, for: .server)
    }

    // MARK: Authentication

    private mutating func authenticate(_ slot: Int, _ header: RequestHeader, _ reader: inout ByteReader) {
        guard case .auth(let scheme, let credential)? = try? ClientRequest.decode(.auth, from: &reader) else {
            return close(slot, .badRequest("an auth packet that cannot be decoded"))
        }
        let isAllowed = scheme != Scheme.digest.rawValue || options.digestAuthentication
        let proven =
            isAllowed
            ? AccessControl.authenticate(
                scheme: scheme, credential: credential, superDigest: options.superDigest,
                peerAddress: slots[slot].peerAddress) : nil
        guard let identities = proven else {
            statistics.authenticationFailures += 1
            replyFailure(slot, xid: header.xid, .authenticationFailed, zxid: .zero, received: now)
            return close(slot, .authenticationFailed)
        }
        for identity in identities where !slots[slot].identities.contains(identity) {
            slots[slot].identities.append(identity)
        }
        reply(slot, xid: header.xid, zxid: .zero, received: now)
    }

    /// This release offers no SASL mechanism; the answer is that of a reference server without one: a null token, no error.
    private mutating func answerSasl(_ slot: Int, _ header: RequestHeader) {
        reply(slot, xid: header.xid, zxid: .zero, received: now) { $0.writeInt32(-1) }
    }

    // MARK: Back-pressure

    mutating func pauseReading(_ slot: Int) {
        guard !slots[slot].isReadingPaused else { return }
        slots[slot].isReadingPaused = true
        actions.append(.pauseReading(slots[slot].id))
        guard !slots[slot].isQueuedForResume else { return }
        slots[slot].isQueuedForResume = true
        pausedConnections.append(slots[slot].id)
    }

    mutating func resumeReading(_ slot: Int) {
        guard slots[slot].isReadingPaused else { return }
        slots[slot].isReadingPaused = false
        actions.append(.resumeReading(slots[slot].id))
    }

    /// Gives every paused connection one chance, in the order in which they were paused.
    mutating func resumePaused() {
        for _ in 0..<pausedConnections.count {
            guard let id = pausedConnections.popFirst() else { return }
            guard let slot = slotIndex[id] else { continue }
            slots[slot].isQueuedForResume = false
            guard slots[slot].isReadingPaused, slots[slot].phase != .closing else { continue }
            var isCreating = false
            if case .creating = slots[slot].phase { isCreating = true }
            guard !isCreating, canProcess(slot) else {
                slots[slot].isQueuedForResume = true
                pausedConnections.append(id)
                continue
            }
            resumeReading(slot)
            process(slot)
        }
    }
}
