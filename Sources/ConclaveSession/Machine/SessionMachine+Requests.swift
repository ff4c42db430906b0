import ConclaveCore
import ConclaveWire

extension SessionMachine {
    // MARK: Events

    /// Takes a request: it goes out at once on an established connection and waits for one otherwise.
    ///
    /// Paths carry the chroot. The answer comes as a `complete` action, exactly once, unless the request is cancelled.
    /// - Throws: if the session is over, a limit is reached or the request is longer than a frame may be; nothing is
    ///   kept then.
    package mutating func submit(
        _ request: ClientRequest, watching interest: WatchInterest? = nil, now: Instant
    ) throws(RequestFailure) -> RequestID {
        try enqueue(request, for: .caller, interest, now: now)
    }

    /// Takes a request to remove watches; its watchers end when the server agrees.
    package mutating func removeWatches(
        _ removal: WatchRemoval, at path: NodePath, now: Instant
    ) throws(RequestFailure) -> RequestID {
        try enqueue(
            .removeWatches(path: path, type: removal.rawValue), for: .removal(path, removal), nil, now: now)
    }

    /// Takes a credential: it is proven now and on every later connection. The answer survives a lost connection.
    package mutating func authenticate(_ credential: SessionCredential, now: Instant) throws(RequestFailure)
        -> RequestID
    {
        if let refusal { throw refusal }
        let id = takeRequestID()
        guard authentication.add(credential, waiter: id) else {
            throw RequestFailure(.throttled, wasSent: false, reason: "too many credentials")
        }
        if case .established = phase {
            authentication.sendLast()
            writeAuthentication(credential)
        }
        return id
    }

    /// The caller of a request has gone.
    /// - Returns: whether the request has been sent, so that it may still take effect; `nil` if it is not known any
    ///   more.
    package mutating func cancel(_ id: RequestID) -> Bool? {
        let wasSent = sent.update(id.rawValue) { request in
            if request.purpose == .caller { request.purpose = .nobody }
        }
        if wasSent { return true }
        var freed = 0
        let wasQueued = queue.update(id.rawValue) { request in
            freed = request.frame?.count ?? 0
            request.frame = nil
        }
        queuedBytes -= freed
        while let first = queue.first, first.frame == nil { _ = queue.popFirst() }
        if wasQueued { return false }
        return authentication.forget(id) ? true : nil
    }

    /// Ends the session in order: the server is told and everything sent before is answered first.
    ///
    /// Nothing is believed from here on: the session may be over for all others before the answer is here.
    package mutating func close(now: Instant) {
        let end = SessionEnd(.closed, reason: "the client is closed")
        switch phase {
        case .idle, .waiting, .resolving, .connecting, .handshaking: self.end(end, disconnecting: true)
        case .established:
            // Bounded: nobody waits longer for a server that does not answer.
            phase = .closing(deadline: now.advanced(byMilliseconds: min(readTimeoutMilliseconds, 3_000)))
            hold.end()
            write(.closeSession, number: takeRequestID().rawValue, for: .close, nil, now: now)
        case .closing, .over: break
        }
    }

    /// Ends without telling the server: for a shell whose process cannot go on.
    package mutating func abandon(reason: String) {
        end(SessionEnd(.closed, reason: reason), disconnecting: true)
    }

    /// A number for a watcher that a request is going to arm.
    package mutating func takeWatcherID() -> WatcherID {
        defer { nextWatcher &+= 1 }
        return WatcherID(rawValue: nextWatcher)
    }

    /// A watcher is not interested any more. The server is told when it was the last of its kind at the path.
    package mutating func drop(_ watcher: WatcherID, now: Instant) {
        if let unwanted = watches.drop(watcher) { removeAtServer(unwanted, now: now) }
    }

    // MARK: Sending

    /// Why no request is taken, if none is.
    private var refusal: RequestFailure? {
        switch phase {
        case .over(let end): RequestFailure(end.code, wasSent: false, reason: end.reason)
        case .closing: RequestFailure(.closed, wasSent: false, reason: "the client is being closed")
        case .idle, .waiting, .resolving, .connecting, .handshaking, .established: nil
        }
    }

    private mutating func takeRequestID() -> RequestID {
        defer { nextRequest &+= 1 }
        return RequestID(rawValue: nextRequest)
    }

    private mutating func enqueue(
        _ request: ClientRequest, for purpose: SentRequest.Purpose, _ interest: WatchInterest?, now: Instant
    ) throws(RequestFailure) -> RequestID {
        if let refusal { throw refusal }
        guard sent.count + queue.count < options.maximumPendingRequests,
            output.count + queuedBytes < options.maximumPendingBytes
        else { throw RequestFailure(.throttled, wasSent: false, reason: "too many requests are waiting") }
        let id = RequestID(rawValue: nextRequest)
        if case .established = phase {
            let start = output.count
            write(request, number: id.rawValue, for: purpose, interest, now: now)
            guard output.count - start - 4 <= options.maximumFrameBytes else {
                let length = output.count - start - 4
                output.truncate(to: start)
                // The request was the last to be appended.
                sent.removeLast()
                if let interest { watches.forget(interest) }
                throw tooLong(length)
            }
        } else {
            var writer = ByteWriter()
            writer.writeRequestFrame(xid: 0, request)
            guard writer.count - 4 <= options.maximumFrameBytes else { throw tooLong(writer.count - 4) }
            queuedBytes += writer.count
            queue.append(
                QueuedRequest(
                    number: id.rawValue, operation: request.operation, queuedAt: now, purpose: purpose,
                    interest: interest, frame: writer.bytes))
        }
        nextRequest &+= 1
        return id
    }

    private func tooLong(_ length: Int) -> RequestFailure {
        let reason = "the request has \(length) bytes, \(options.maximumFrameBytes) are allowed"
        return RequestFailure(.badArguments, wasSent: false, reason: reason)
    }

    private mutating func write(
        _ request: ClientRequest, number: UInt64, for purpose: SentRequest.Purpose, _ interest: WatchInterest?,
        now: Instant
    ) {
        let xid = xids.take()
        output.writeRequestFrame(xid: xid, request)
        noteSent(number, xid: xid, request.operation, for: purpose, interest, now: now)
    }

    private mutating func noteSent(
        _ number: UInt64, xid: Int32, _ operation: OperationCode, for purpose: SentRequest.Purpose,
        _ interest: WatchInterest?, now: Instant
    ) {
        if let interest { watches.expect(interest) }
        sent.append(
            SentRequest(
                number: number, xid: xid, operation: operation, sentAt: now, purpose: purpose, interest: interest))
        if operation.reachesLeader { lastProofSentAt = now }
    }

    /// Everything that has waited goes out.
    mutating func sendQueue(now: Instant) {
        while let request = queue.popFirst() {
            guard let frame = request.frame else { continue }
            let xid = xids.take()
            let start = output.count
            output.writeRaw(frame)
            output.overwriteInt32(xid, at: start + 4)
            noteSent(
                request.number, xid: xid, request.operation, for: request.purpose, request.interest, now: now)
        }
        queuedBytes = 0
    }

    /// Tells the server that nobody listens any more. Without a connection there is nothing to remove.
    mutating func removeAtServer(_ unwanted: (path: NodePath, removal: WatchRemoval), now: Instant) {
        guard case .established = phase else { return }
        let request = ClientRequest.removeWatches(path: unwanted.path, type: unwanted.removal.rawValue)
        write(request, number: takeRequestID().rawValue, for: .nobody, nil, now: now)
    }

    // MARK: Failing

    mutating func failSent(_ failure: (SentRequest) -> RequestFailure) {
        while let request = sent.popFirst() {
            switch request.purpose {
            case .caller, .removal:
                actions.append(.complete(RequestID(rawValue: request.number), .failed(failure(request))))
            case .nobody, .close: break
            }
        }
    }

    mutating func failQueue(_ failure: RequestFailure) {
        while let request = queue.popFirst() {
            guard request.frame != nil else { continue }
            actions.append(.complete(RequestID(rawValue: request.number), .failed(failure)))
        }
        queuedBytes = 0
    }
}

extension ByteWriter {
    /// Replaces four bytes that have been written.
    fileprivate mutating func overwriteInt32(_ value: Int32, at offset: Int) {
        let value = UInt32(bitPattern: value)
        for index in 0..<4 { bytes[offset + index] = UInt8(truncatingIfNeeded: value >> UInt32(24 - 8 * index)) }
    }
}

extension SessionMachine {
    /// Lets tests get at the end of the numbers.
    package mutating func startNumbering(at xid: Int32) { xids = XidCounter(next: xid) }
}
