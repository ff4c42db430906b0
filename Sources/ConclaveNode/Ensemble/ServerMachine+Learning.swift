import ConclaveCore
import ConclaveTree
import ConclaveWire

/// The server of a follower or an observer: reads are answered here, writes go to the leader and come back as transactions.
///
/// Source: quorum-protocol, sections 7.4 and 8.
extension ServerMachine {
    /// What is to be sent to the leader, in order, since the last call.
    package mutating func takeLeaderCalls() -> [LeaderCall] {
        guard !learner.calls.isEmpty else { return [] }
        defer { learner.calls.removeAll(keepingCapacity: true) }
        return learner.calls
    }

    /// The sessions heard of since the last call, sorted, for the answer to the leader's ping.
    package mutating func takeTouchedSessions() -> [(session: SessionID, timeoutMilliseconds: Int32)] {
        defer { learner.touched.removeAll(keepingCapacity: true) }
        return learner.touched.sorted { $0.key < $1.key }.map { (session: $0.key, timeoutMilliseconds: $0.value) }
    }

    /// The leader has answered the oldest sync; everything committed before it has been taken by now.
    package mutating func syncAnswered(now: Instant, wall: WallTime) {
        advance(now, wall)
        guard let sync = learner.syncs.popFirst() else { return }
        learner.awaitedCount -= 1
        let requester = InFlight.Requester.request(
            sync.connection, xid: sync.xid, operation: .sync, received: sync.received)
        let path = sync.path ?? .root
        guard let last = inFlight.last?.zxid else { return finishBarrier(requester, path) }
        inFlight.append(InFlight(zxid: last, work: .barrier(path: path, requester)))
    }

    /// The leader has said whether a session that a client brought here lives.
    package mutating func revalidated(_ session: SessionID, isValid: Bool, now: Instant, wall: WallTime) {
        advance(now, wall)
        guard let question = learner.questions[session]?.popFirst() else { return }
        if learner.questions[session]?.isEmpty == true { learner.questions[session] = nil }
        switch question {
        case .join(let id): joined(session, on: id, isValid: isValid)
        case .ping(let ping): answerPing(ping, session, isValid: isValid)
        }
    }

    private mutating func answerPing(_ ping: AwaitedRequest, _ session: SessionID, isValid: Bool) {
        learner.awaitedCount -= 1
        guard isValid else { return closeConnection(of: session) }
        // It has no place among the requests: the leader may answer before writes that were sent earlier are committed.
        guard let slot = slotIndex[ping.connection], case .established = slots[slot].phase else { return }
        reply(slot, xid: ping.xid, received: ping.received)
    }

    private mutating func joined(_ session: SessionID, on id: ConnectionID, isValid: Bool) {
        guard let slot = slotIndex[id], case .creating(session) = slots[slot].phase else { return }
        guard isValid else {
            respondToConnect(slot, session: nil)
            return close(slot, .unknownSession(session))
        }
        if let old = connectionOfSession[session], old != id, let oldSlot = slotIndex[old] {
            close(oldSlot, .sessionMoved(session))
        }
        establish(slot, session)
        resumeReading(slot)
        process(slot)
    }

    // MARK: Sending

    /// Hands a write to the leader; its answer is made when its transaction comes back.
    mutating func forward(
        _ slot: Int, _ session: SessionID, _ header: RequestHeader, frame: Range<Int>, _ reader: ByteReader
    ) {
        var parts: [OperationCode] = []
        if header.operation == .multi {
            var body = reader
            // What cannot be read the leader refuses, and then nobody asks for the parts.
            if case .multi(let requests)? = try? ClientRequest.decode(.multi, from: &body) {
                parts = requests.map(\.operation)
            }
        }
        let request = AwaitedRequest(
            connection: slots[slot].id, xid: header.xid, operation: header.operation, parts: parts, path: nil,
            received: now)
        learner.awaited[session, default: RingBuffer()].append(request)
        send(header, frame: frame, reader, from: slot, session)
    }

    mutating func forwardSync(
        _ slot: Int, _ session: SessionID, _ header: RequestHeader, path: NodePath, frame: Range<Int>,
        _ reader: ByteReader
    ) {
        learner.syncs.append(
            AwaitedRequest(
                connection: slots[slot].id, xid: header.xid, operation: .sync, parts: [], path: path, received: now))
        send(header, frame: frame, reader, from: slot, session)
    }

    private mutating func send(
        _ header: RequestHeader, frame: Range<Int>, _ reader: ByteReader, from slot: Int, _ session: SessionID
    ) {
        learner.awaitedCount += 1
        slots[slot].waiting.append(.inFlight)
        slots[slot].outstanding += 1
        let body =
            header.operation == .closeSession ? [] : Array(reader.bytes[reader.offset..<frame.upperBound])
        let request = ForwardedRequest(session: session, cxid: header.xid, operation: header.operation, body: body)
        learner.calls.append(.request(request, slots[slot].identities))
    }

    /// Asks the leader to make a session for a connection.
    mutating func forwardCreateSession(_ slot: Int, timeoutMilliseconds: Int32) {
        let session = makeSessionID()
        freshConnections -= 1
        slots[slot].phase = .creating(session)
        learner.joining[session] = slots[slot].id
        callForSession(session, timeoutMilliseconds: timeoutMilliseconds, identities: slots[slot].identities)
    }

    mutating func callForSession(_ session: SessionID, timeoutMilliseconds: Int32, identities: [Identity]) {
        var body = ByteWriter()
        body.writeInt32(timeoutMilliseconds)
        let request = ForwardedRequest(session: session, cxid: 0, operation: .createSession, body: body.bytes)
        learner.calls.append(.request(request, identities))
    }

    /// Asks the leader whether a session lives.
    mutating func forwardReattach(_ slot: Int, _ session: SessionID, timeoutMilliseconds: Int32) {
        freshConnections -= 1
        slots[slot].phase = .creating(session)
        ask(.join(slots[slot].id), about: session, timeoutMilliseconds: timeoutMilliseconds)
    }

    /// Has the leader hear of a session before its ping is answered: a client may believe in its session as long as its
    /// pings are answered, and only the leader ends sessions (DESIGN 5). An Apache leader takes the question the same way,
    /// but answers also when it leads no more and has not noticed.
    mutating func confirmPing(_ slot: Int, _ session: SessionID, _ header: RequestHeader) {
        learner.awaitedCount += 1
        let ping = AwaitedRequest(
            connection: slots[slot].id, xid: header.xid, operation: .ping, parts: [], path: nil, received: now)
        ask(.ping(ping), about: session, timeoutMilliseconds: slots[slot].sessionTimeoutMilliseconds)
    }

    private mutating func ask(_ question: SessionQuestion, about session: SessionID, timeoutMilliseconds: Int32) {
        learner.questions[session, default: RingBuffer()].append(question)
        var isPing = false
        if case .ping = question { isPing = true }
        learner.calls.append(.revalidate(session, timeoutMilliseconds: timeoutMilliseconds, isPing: isPing))
    }

    // MARK: Coming back

    /// A transaction has been applied: answers the client that asked for it, if that is one of ours.
    mutating func finishReplicated(_ transaction: Transaction) {
        let session = transaction.header.session
        if case .createSession = transaction.change {
            local.upgraded(session)
            guard let id = learner.joining.removeValue(forKey: session), let slot = slotIndex[id],
                case .creating(session) = slots[slot].phase
            else { return }
            establish(slot, session)
            resumeReading(slot)
            return process(slot)
        }
        if let request = takeAwaited(session, cxid: transaction.header.cxid) {
            answer(request, transaction)
            if local.upgradingRequest(of: session) == request.xid { refuseUpgrade(session) }
        } else if case .closeSession = transaction.change {
            closeConnection(of: session)
        }
    }

    private mutating func takeAwaited(_ session: SessionID, cxid: Int32) -> AwaitedRequest? {
        guard learner.awaited[session]?.first?.xid == cxid else { return nil }
        let request = learner.awaited[session]?.popFirst()
        if learner.awaited[session]?.isEmpty == true { learner.awaited[session] = nil }
        learner.awaitedCount -= 1
        return request
    }

    private mutating func answer(_ request: AwaitedRequest, _ transaction: Transaction) {
        let answer = Preparer.Answer(to: request, transaction, tree: tree, effects: effects)
        finishRequest(
            request.connection, xid: request.xid, operation: request.operation, received: request.received,
            transaction, answer)
    }
}

extension Preparer.Answer {
    /// What the client of a write is told, found out from its transaction and the tree that it has just been applied to.
    init(to request: AwaitedRequest, _ transaction: Transaction, tree: borrowing DataTree, effects: TreeEffects) {
        switch transaction.change {
        case .error(let code): self = .failure(ZooKeeperError.Code(rawValue: code))
        case .create(let create):
            guard request.operation != .create, let node = tree.find(create.path) else {
                self = .path(create.path)
                return
            }
            self = .created(create.path, tree.stat(of: node))
        case .setData(let path, _, _), .setACL(let path, _, _):
            self = tree.find(path).map { .stat(tree.stat(of: $0)) } ?? .nothing
        case .multi(let parts) where parts.contains(where: { if case .error = $0 { true } else { false } }):
            // A leader may have left what it had prepared before it found the error; nothing of it was done.
            self = .results(
                parts.map { part in
                    if case .error(let code) = part {
                        .failed(ZooKeeperError.Code(rawValue: code))
                    } else {
                        .failed(.ok)
                    }
                })
        case .multi(let parts):
            self = .results(
                parts.enumerated().map { index, part in
                    let operation = index < request.parts.count ? request.parts[index] : part.operation
                    let stat = index < effects.partStats.count ? effects.partStats[index] : nil
                    return MultiResult(of: part, as: operation, stat: stat)
                })
        case .reconfigure(let path, let text, _):
            self = tree.find(path).map { .configuration(text ?? [], tree.stat(of: $0)) } ?? .nothing
        case .delete, .deleteContainer, .createSession, .closeSession, .check: self = .nothing
        }
    }
}

extension MultiResult {
    /// - Parameter stat: of the node, directly after the part was applied.
    fileprivate init(of part: Change, as operation: OperationCode, stat: Stat?) {
        switch part {
        case .create(let create):
            self = .created(path: create.path.description, stat: operation == .create ? nil : stat)
        case .delete, .deleteContainer: self = .deleted
        case .setData, .setACL, .reconfigure: self = stat.map { .dataSet($0) } ?? .checked
        case .error(let code): self = .failed(ZooKeeperError.Code(rawValue: code))
        case .check, .multi, .createSession, .closeSession: self = .checked
        }
    }
}
