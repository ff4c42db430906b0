import ConclaveCore
import ConclaveWire

extension SessionMachine {
    /// Bytes came in on a connection.
    package mutating func received(_ link: UInt32, _ bytes: Span<UInt8>, now: Instant) {
        guard link == self.link, isListening else { return }
        lastReceivedAt = now
        if case .established = phase { lastHeardAt = now }
        decoder.append(bytes)
        do throws(FramingError) {
            // A frame may end the connection, and with it the rest of the bytes.
            while link == self.link, isListening, let frame = try decoder.nextFrame() {
                handle(frame, now: now)
            }
        } catch {
            broken("the server sent a frame of a length that cannot be: \(error)", now: now)
        }
    }

    private var isListening: Bool {
        switch phase {
        case .handshaking, .established, .closing: true
        case .idle, .waiting, .resolving, .connecting, .over: false
        }
    }

    private mutating func handle(_ frame: Range<Int>, now: Instant) {
        var reader = ByteReader(decoder.buffer, in: frame)
        do throws(DecodingError) {
            if case .handshaking(let sentAt, _) = phase {
                return handshakeAnswered(try ConnectResponse(from: &reader), sentAt: sentAt, now: now)
            }
            let header = try ReplyHeader(from: &reader)
            switch header.xid {
            case ReservedXid.notification: notified(try WatcherEvent(from: &reader), header)
            case ReservedXid.ping: pingAnswered(header, now: now)
            case ReservedXid.auth: authenticationAnswered(header, now: now)
            case ReservedXid.setWatches: setWatchesAnswered(header, now: now)
            default: answered(header, &reader, now: now)
            }
        } catch {
            broken("the server sent a message that cannot be read: \(error)", now: now)
        }
    }

    /// The peer does not speak the protocol: nothing on this connection can be trusted any more.
    private mutating func broken(_ reason: String, now: Instant) {
        if case .handshaking = phase { breakHandshake(reason, now: now) } else { breakConnection(reason, now: now) }
    }

    // MARK: Ordinary answers

    private mutating func answered(_ header: ReplyHeader, _ reader: inout ByteReader, now: Instant) {
        guard let request = sent.first, request.xid == header.xid else {
            let expected = sent.first.map { String($0.xid) } ?? "none"
            return breakConnection("answer \(header.xid) came where \(expected) was due", now: now)
        }
        _ = sent.popFirst()
        saw(header.zxid)
        if !isReadOnly, request.operation.reachesLeader { hold.answered(sentAt: request.sentAt) }
        if let interest = request.interest {
            settle(interest, header.error, isWanted: request.purpose == .caller, now: now)
        }
        switch request.purpose {
        case .nobody: break
        case .caller: complete(request, header, &reader)
        case .removal(let path, let removal):
            if header.error == .ok {
                for watcher in watches.removed(removal, at: path) { actions.append(.endWatch(watcher, .noWatcher)) }
            }
            complete(request, header, &reader)
        case .close: return end(SessionEnd(.closed, reason: "the client is closed"), disconnecting: true)
        }
        switch header.error {
        case .sessionExpired:
            end(SessionEnd(.expired, reason: "the server says that the session has expired"), disconnecting: true)
        case .saslRequired:
            let reason = "the server takes no session without SASL authentication"
            end(SessionEnd(.authenticationFailed, reason: reason), disconnecting: true)
        default: break
        }
    }

    private mutating func complete(_ request: SentRequest, _ header: ReplyHeader, _ reader: inout ByteReader) {
        let outcome: RequestOutcome
        if header.error != .ok {
            outcome = .refused(header.error)
        } else {
            do throws(DecodingError) {
                outcome = .reply(try ReplyBody.decode(for: request.operation, from: &reader))
            } catch {
                // The frame was whole, so that the next answer can be found: only this one is lost.
                let reason = "the answer cannot be read: \(error)"
                outcome = .failed(RequestFailure(.marshallingError, wasSent: true, reason: reason))
            }
        }
        actions.append(.complete(RequestID(rawValue: request.number), outcome))
    }

    private mutating func settle(
        _ interest: WatchInterest, _ error: ZooKeeperError.Code, isWanted: Bool, now: Instant
    ) {
        switch (interest.kind, error) {
        // The node is there: from now on the watch is one of its data.
        case (.existence, .ok): watches.armed(interest, as: .data, isWanted: isWanted)
        case (.existence, .noNode): watches.armed(interest, as: .existence, isWanted: isWanted)
        case (_, .ok): watches.armed(interest, as: interest.kind, isWanted: isWanted)
        default: watches.forget(interest)
        }
        if let unwanted = watches.takeUnwanted(at: interest.path) { removeAtServer(unwanted, now: now) }
    }

    private mutating func saw(_ zxid: Zxid) {
        if zxid > lastZxidSeen { lastZxidSeen = zxid }
    }

    // MARK: The rest

    private mutating func notified(_ event: WatcherEvent, _ header: ReplyHeader) {
        saw(header.zxid)
        // Other types are for clients among themselves.
        guard let kind = WatchEvent.Kind(rawValue: event.type) else { return }
        let watchers = watches.fired(kind, at: event.path)
        guard !watchers.isEmpty else { return }
        let seen = WatchEvent(kind, path: chroot.visible(event.path).text)
        for watcher in watchers { actions.append(.fire(watcher, seen)) }
    }

    private mutating func pingAnswered(_ header: ReplyHeader, now: Instant) {
        guard !pings.isEmpty else { return breakConnection("an answer to no ping came", now: now) }
        let sentAt = pings.removeFirst()
        // An answer proves nothing if it says that the session is ending.
        guard header.error == .ok else {
            guard header.error == .sessionExpired else { return }
            let reason = "the server says that the session has expired"
            return end(SessionEnd(.expired, reason: reason), disconnecting: true)
        }
        if !isReadOnly { hold.answered(sentAt: sentAt) }
    }

    private mutating func authenticationAnswered(_ header: ReplyHeader, now: Instant) {
        guard let answer = authentication.answered() else {
            return breakConnection("an answer to no credential came", now: now)
        }
        guard header.error == .ok else {
            let reason = "the server refused the credentials (\(header.error))"
            if let waiter = answer.waiter {
                actions.append(.complete(waiter, .refused(.authenticationFailed)))
            }
            return end(SessionEnd(.authenticationFailed, reason: reason), disconnecting: true)
        }
        if let waiter = answer.waiter { actions.append(.complete(waiter, .reply(.none))) }
    }

    private mutating func setWatchesAnswered(_ header: ReplyHeader, now: Instant) {
        guard setWatchesInFlight > 0 else { return breakConnection("an answer to no setWatches came", now: now) }
        setWatchesInFlight -= 1
        saw(header.zxid)
        guard header.error == .ok else {
            return breakConnection("the server did not arm the watches again (\(header.error))", now: now)
        }
    }
}
