import ConclaveCore
import ConclaveTree
import ConclaveWire

/// What a leader does for the clients of its learners.
///
/// Source: quorum-protocol, sections 7.4 and 8.
extension ServerMachine {
    /// A learner has sent a write of one of its clients: it becomes a transaction, refused ones too, which the learner
    /// recognises by session and cxid.
    package mutating func forwarded(
        _ request: ForwardedRequest, identities: [Identity], from place: SessionPlace, now: Instant, wall: WallTime
    ) {
        advance(now, wall)
        expiry.touch(request.session, now: now)
        let requester = Preparer.Requester(session: request.session, cxid: request.cxid, identities: identities)
        switch request.operation {
        case .createSession: createForwardedSession(request, from: place)
        case .closeSession:
            let transaction = preparer.prepareCloseSession(request.session, cxid: request.cxid, tree: tree, wall: wall)
            propose(transaction, for: .server)
        default:
            let refusal = refusal(of: request, from: place)
            guard refusal == nil, let decoded = decode(request) else {
                let code = refusal ?? .marshallingError
                return propose(preparer.prepareFailure(code, from: requester, wall: wall).0, for: .server)
            }
            propose(preparer.prepare(decoded, from: requester, tree: tree, wall: wall).0, for: .server)
        }
    }

    /// A client has brought a session to a learner, or has sent a ping there.
    ///
    /// A ping may have been on its way for long, while its client went elsewhere: it must not take the session back, for
    /// behind it may come writes that the client has given up and looked for in vain.
    ///
    /// - Returns: whether it lives; it is served there from now on.
    package mutating func revalidate(
        _ session: SessionID, at place: SessionPlace, isPing: Bool = false, now: Instant, wall: WallTime
    ) -> Bool {
        advance(now, wall)
        guard isAlive(session) else { return false }
        if isPing, let known = places[session], known != place { return false }
        let timeout = tree.sessions[session].map { Int64($0) } ?? expiry.timeoutMilliseconds(of: session) ?? 0
        expiry.add(session, timeoutMilliseconds: timeout, now: now)
        move(session, to: place)
        return true
    }

    /// A learner has heard of sessions.
    package mutating func touched(_ sessions: [(session: SessionID, timeoutMilliseconds: Int32)], now: Instant) {
        for (session, _) in sessions { expiry.touch(session, now: now) }
    }

    private mutating func createForwardedSession(_ request: ForwardedRequest, from place: SessionPlace) {
        var reader = ByteReader(request.body)
        let asked = (try? reader.readInt32()) ?? 0
        // The learner has negotiated; its limits may be looser than ours.
        let range = options.sessionTimeoutRange
        let timeout = Int32(clamping: min(max(Int64(asked), 1), range.upperBound))
        guard tree.sessions.count < options.sessionLimit else {
            // No session, no answer: the learner's client tries again elsewhere.
            return note(.warning, "refused a session: the limit of \(options.sessionLimit) sessions is reached")
        }
        expiry.add(request.session, timeoutMilliseconds: Int64(timeout), now: now)
        places[request.session] = place
        propose(
            preparer.prepareCreateSession(request.session, timeoutMilliseconds: timeout, wall: wall), for: .server)
    }

    private mutating func refusal(of request: ForwardedRequest, from place: SessionPlace) -> ZooKeeperError.Code? {
        let isGlobal = isAlive(request.session)
        guard isGlobal || mayBeLocalElsewhere(request) else { return .sessionExpired }
        switch request.operation {
        case .create, .create2, .createContainer, .createTTL, .delete, .setData, .setACL, .multi, .reconfig: break
        default: return .unimplemented
        }
        guard isGlobal else { return nil }
        if let known = places[request.session] { return known == place ? nil : .sessionMoved }
        places[request.session] = place
        return nil
    }

    private func decode(_ request: ForwardedRequest) -> ClientRequest? {
        var reader = ByteReader(request.body)
        guard let decoded = try? ClientRequest.decode(request.operation, from: &reader) else { return nil }
        if case .multi(let parts) = decoded, parts.count > options.multiLimit { return nil }
        return decoded
    }

    /// Whether a session is there and not about to end. A quorum may have committed it, and its client may already use it,
    /// before this server's own disk has it and the tree knows it.
    func isAlive(_ session: SessionID) -> Bool {
        (tree.sessions[session] != nil || expiry.contains(session)) && !preparer.isClosing(session)
    }

    /// A session goes on at another server; a connection of our own that had it ends.
    mutating func move(_ session: SessionID, to place: SessionPlace) {
        places[session] = place
        guard place != .here, let old = connectionOfSession[session], let slot = slotIndex[old] else { return }
        close(slot, .sessionMoved(session))
    }
}
