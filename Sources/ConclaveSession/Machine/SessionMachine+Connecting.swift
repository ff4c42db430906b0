import ConclaveCore
import ConclaveWire

extension SessionMachine {
    // MARK: Events

    /// Begins; called once.
    package mutating func start(now: Instant) {
        guard case .idle = phase else { return }
        startedAt = now
        beginAttempt(now: now)
    }

    /// Whether the addresses of that attempt are still awaited.
    package func isResolving(_ attempt: UInt32) -> Bool {
        if case .resolving = phase { attempt == self.attempt } else { false }
    }

    /// The host of an attempt has so many addresses.
    package mutating func resolved(_ attempt: UInt32, addresses count: Int, now: Instant) {
        guard attempt == self.attempt, case .resolving = phase else { return }
        addresses = (0..<max(count, 0)).shuffled(using: &random)
        tryNextAddress(now: now)
    }

    /// The host of an attempt has no address.
    package mutating func resolutionFailed(_ attempt: UInt32, reason: String, now: Instant) {
        guard attempt == self.attempt, case .resolving = phase else { return }
        lossReason = reason
        attemptFailed(now: now)
    }

    /// A connection is open: asks for the session.
    package mutating func connected(_ link: UInt32, now: Instant) {
        guard link == self.link, case .connecting(let deadline) = phase else { return }
        decoder = FrameDecoder(maximumBytes: options.maximumFrameBytes)
        output.bytes.removeAll(keepingCapacity: true)
        if !hasSeenQuorum { identity = .none }
        output.writeConnectFrame(
            ConnectRequest(
                lastZxidSeen: lastZxidSeen,
                timeoutMilliseconds: options.timeoutMilliseconds,
                session: identity.session, password: identity.password, readOnly: options.allowsReadOnly))
        lastProofSentAt = now
        lastReceivedAt = max(lastReceivedAt, now)
        phase = .handshaking(sentAt: now, deadline: deadline)
    }

    /// A connection could not be opened, or is gone.
    package mutating func connectionLost(_ link: UInt32, reason: String, now: Instant) {
        guard link == self.link else { return }
        switch phase {
        case .connecting, .handshaking:
            lossReason = reason
            tryNextAddress(now: now)
        case .established: lost(reason, now: now)
        case .closing: end(SessionEnd(.closed, reason: "the client is closed"), disconnecting: false)
        case .idle, .waiting, .resolving, .over: break
        }
    }

    /// A host has answered whether it has a quorum; no answer counts as no.
    package mutating func probed(_ host: HostAddress, hasQuorum: Bool, now: Instant) {
        guard case .established = phase, isReadOnly else { return }
        guard hasQuorum else { return probe.failed(now: now) }
        hosts.prefer(host)
        breakConnection("changed to a server with a quorum", now: now)
    }

    // MARK: Attempts

    /// One attempt may take the session's timeout divided by the number of servers, but at least 200 ms; a second as
    /// long as there is no session that time could cost.
    var attemptMilliseconds: Int64 {
        max(Int64(timeoutMilliseconds) / Int64(hosts.count), wasEstablished ? 200 : 1_000)
    }

    mutating func beginAttempt(now: Instant) {
        attempt &+= 1
        phase = .resolving(deadline: now.advanced(byMilliseconds: attemptMilliseconds))
        actions.append(.resolve(attempt: attempt, hosts.takeNext()))
    }

    mutating func tryNextAddress(now: Instant) {
        guard let address = addresses.popLast() else { return attemptFailed(now: now) }
        link &+= 1
        phase = .connecting(deadline: now.advanced(byMilliseconds: attemptMilliseconds))
        actions.append(.connect(link: link, address: address))
    }

    mutating func attemptFailed(now: Instant) {
        backOff.failed()
        waitOrBegin(now: now)
    }

    mutating func waitOrBegin(now: Instant) {
        let delay = backOff.delay(hosts: hosts.count, using: &random)
        if delay > 0 {
            phase = .waiting(until: now.advanced(byMilliseconds: delay))
        } else {
            beginAttempt(now: now)
        }
    }

    // MARK: The handshake

    /// The server's answer to the request for a session.
    mutating func handshakeAnswered(_ response: ConnectResponse, sentAt: Instant, now: Instant) {
        guard response.timeoutMilliseconds > 0 else {
            let reason = "the server says that session \(identity.session) has expired"
            return end(SessionEnd(.expired, reason: reason), disconnecting: true)
        }
        guard identity.session == .none || identity.session == response.session else {
            // Never a new session in silence.
            let reason = "the server offers another session than \(identity.session)"
            return end(SessionEnd(.expired, reason: reason), disconnecting: true)
        }
        let readOnly = response.readOnly ?? false
        guard !readOnly || options.allowsReadOnly else {
            return breakHandshake("the server is read-only", now: now)
        }
        identity = SessionIdentity(session: response.session, password: response.password)
        timeoutMilliseconds = response.timeoutMilliseconds
        hold.negotiated(timeoutMilliseconds: timeoutMilliseconds)
        isReadOnly = readOnly
        phase = .established(since: now)
        addresses = []
        if readOnly {
            become(.readOnly)
            probe.start(now: now)
        } else {
            hold.answered(sentAt: sentAt)
            become(wasEstablished && hasSeenQuorum ? .reconnected : .connected)
            hasSeenQuorum = true
        }
        wasEstablished = true
        lastHeardAt = now
        greet(now: now)
    }

    /// Credentials first, then the watches, then what has waited: nothing runs with fewer rights or misses an event.
    private mutating func greet(now: Instant) {
        for credential in authentication.sendAll() { writeAuthentication(credential) }
        for chunk in watches.rearm(since: lastZxidSeen) {
            output.writeRequestFrame(xid: ReservedXid.setWatches, .setWatches(chunk))
            setWatchesInFlight += 1
        }
        lastProofSentAt = now
        sendQueue(now: now)
    }

    mutating func writeAuthentication(_ credential: SessionCredential) {
        output.writeRequestFrame(
            xid: ReservedXid.auth, .auth(scheme: credential.scheme, credential: credential.secret))
    }

    mutating func breakHandshake(_ reason: String, now: Instant) {
        lossReason = reason
        actions.append(.disconnect(link: link))
        tryNextAddress(now: now)
    }

    // MARK: Loss and end

    /// Gives the connection up.
    mutating func breakConnection(_ reason: String, now: Instant) {
        actions.append(.disconnect(link: link))
        if case .closing = phase {
            return end(SessionEnd(.closed, reason: "the client is closed"), disconnecting: false)
        }
        lost(reason, now: now)
    }

    /// An established connection is gone.
    mutating func lost(_ reason: String, now: Instant) {
        if case .established(let since) = phase { backOff.lost(after: now.milliseconds(since: since)) }
        lostAt = now
        lossReason = reason
        let limit = options.requestTimeoutMilliseconds
        clearConnection()
        become(.suspended)
        failSent { request in
            let isOverdue = limit.map { now.milliseconds(since: request.sentAt) >= $0 } ?? false
            return RequestFailure(isOverdue ? .requestTimeout : .connectionLoss, wasSent: true, reason: reason)
        }
        watches.connectionLost()
        waitOrBegin(now: now)
    }

    private mutating func clearConnection() {
        // A new number, so that late news of the old connection are known as such.
        link &+= 1
        output.bytes.removeAll(keepingCapacity: true)
        decoder = FrameDecoder(maximumBytes: options.maximumFrameBytes)
        pings = []
        setWatchesInFlight = 0
        isReadOnly = false
        probe.stop()
        authentication.connectionLost()
    }

    /// The session is over: everybody hears of it, once.
    mutating func end(_ end: SessionEnd, disconnecting: Bool) {
        if case .over = phase { return }
        switch phase {
        case .connecting, .handshaking, .established, .closing:
            if disconnecting { actions.append(.disconnect(link: link)) }
        case .idle, .waiting, .resolving, .over: break
        }
        phase = .over(end)
        clearConnection()
        hold.end()
        become(.over(end))
        failSent { _ in RequestFailure(end.code, wasSent: true, reason: end.reason) }
        failQueue(RequestFailure(end.code, wasSent: false, reason: end.reason))
        for waiter in authentication.takeWaiters() {
            actions.append(.complete(waiter, .failed(RequestFailure(end.code, wasSent: false, reason: end.reason))))
        }
        for watcher in watches.removeAll() { actions.append(.endWatch(watcher, end.code)) }
    }

    private mutating func become(_ new: SessionStatus) {
        guard status != new else { return }
        status = new
        actions.append(.changed(new))
    }
}
