import ConclaveCore
import ConclaveTree
import ConclaveWire

/// From a receipt to tree, watches and answers.
extension ServerMachine {
    /// Applies and answers everything up to a zxid, in order.
    mutating func commit(through zxid: Zxid) {
        while let first = inFlight.popFirst(where: { $0.zxid <= zxid }) {
            switch first.work {
            case .apply(let transaction, let answer, let requester):
                apply(transaction)
                finish(requester, transaction, answer)
            case .replicate(let proposal):
                apply(proposal.transaction)
                finishReplicated(proposal.transaction)
            case .barrier(let path, let requester): finishBarrier(requester, path)
            }
        }
    }

    private mutating func apply(_ transaction: Transaction) {
        effects.removeAll()
        tree.apply(transaction, effects: &effects)
        preparer.applied(through: transaction.header.zxid)
        if let mismatch = effects.digestMismatch {
            statistics.digestMismatches += 1
            note(
                .error,
                "zxid \(mismatch.zxid): the digest of the tree is \(mismatch.found), foreseen was \(mismatch.expected)")
        }
        deliverEvents()
        if case .closeSession = transaction.change {
            let session = transaction.header.session
            expiry.remove(session)
            preparer.closed(session)
            places[session] = nil
            if options.localSessions { local.endedElsewhere.insert(session) }
        }
    }

    private mutating func finish(
        _ requester: InFlight.Requester, _ transaction: Transaction, _ answer: Preparer.Answer
    ) {
        switch requester {
        case .server:
            guard case .closeSession = transaction.change else { return }
            closeConnection(of: transaction.header.session)
        case .handshake(let id):
            guard let slot = slotIndex[id], case .creating(let session) = slots[slot].phase else { return }
            establish(slot, session)
            resumeReading(slot)
            process(slot)
        case .request(let id, let xid, let operation, let received):
            finishRequest(id, xid: xid, operation: operation, received: received, transaction, answer)
        }
    }

    mutating func finishRequest(
        _ id: ConnectionID, xid: Int32, operation: OperationCode, received: Instant, _ transaction: Transaction,
        _ answer: Preparer.Answer
    ) {
        guard let slot = answerable(id) else {
            if operation == .closeSession { closeConnection(of: transaction.header.session) }
            return
        }
        // The leader knows the session elsewhere: only a new connection tells it where the client is (ZOOKEEPER-710).
        if case .failure(.sessionMoved) = answer { return close(slot, .sessionMoved(transaction.header.session)) }
        write(answer, slot, xid: xid, received: received)
        if operation == .closeSession { return close(slot, .sessionEnded(transaction.header.session)) }
        runWaiting(slot)
    }

    mutating func finishBarrier(_ requester: InFlight.Requester, _ path: NodePath) {
        guard case .request(let id, let xid, _, let received) = requester, let slot = answerable(id) else { return }
        reply(slot, xid: xid, received: received) { $0.writePath(path) }
        runWaiting(slot)
    }

    /// The slot of a connection that still wants an answer, with the request taken off its queue.
    private mutating func answerable(_ id: ConnectionID) -> Int? {
        guard let slot = slotIndex[id], slots[slot].phase != .closing else { return nil }
        _ = slots[slot].waiting.popFirst()
        slots[slot].outstanding -= 1
        return slot
    }

    mutating func closeConnection(of session: SessionID) {
        guard let id = connectionOfSession[session], let slot = slotIndex[id] else { return }
        close(slot, .sessionEnded(session))
    }

    /// Answers the reads that waited behind a write, up to the next write.
    private mutating func runWaiting(_ slot: Int) {
        guard case .established(let session) = slots[slot].phase else { return }
        while case .read(let frame, let received)? = slots[slot].waiting.first {
            _ = slots[slot].waiting.popFirst()
            slots[slot].outstanding -= 1
            var reader = ByteReader(frame)
            guard let header = try? RequestHeader(from: &reader) else { continue }
            read(slot, session, header, &reader, received: received)
            guard case .established = slots[slot].phase else { return }
        }
    }

    private mutating func write(_ answer: Preparer.Answer, _ slot: Int, xid: Int32, received: Instant) {
        if case .failure(let code) = answer { return replyFailure(slot, xid: xid, code, received: received) }
        let start = beginReply(slot, xid: xid)
        switch answer {
        case .nothing, .failure: break
        case .path(let path): slots[slot].output.writePath(path)
        case .created(let path, let stat):
            slots[slot].output.writePath(path)
            slots[slot].output.writeStat(stat)
        case .stat(let stat): slots[slot].output.writeStat(stat)
        case .configuration(let text, let stat):
            slots[slot].output.writeBuffer(text)
            slots[slot].output.writeStat(stat)
        case .results(let results): slots[slot].output.writeMultiResults(results)
        }
        endReply(slot, start, received: received)
    }
}
