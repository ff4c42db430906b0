import ConclaveCore
import ConclaveSimulator

/// Sessions as the leader sees them.
extension ToyServer {
    mutating func lead(_ world: inout World) {
        guard case .leader(var leadership) = role else { return }
        let now = world.now
        if now >= leadership.heartbeatAt || !leadership.touches.isEmpty {
            leadership.heartbeatAt = now.advanced(byMilliseconds: Self.heartbeatMilliseconds)
            leadership.round += 1
            leadership.answered[id] = leadership.round
            role = .leader(leadership)
            for peer in 0..<count where peer != id { replicate(to: peer, isHeartbeat: true, &world) }
            confirmTouches(&world)
        }
        let patience = Self.electionMilliseconds * 2
        if bug != .touchesWithoutQuorum, now > leadership.confirmedAt.advanced(byMilliseconds: patience) {
            stopServing(&world)
            role = .follower(leader: nil)
            return resetElection(&world)
        }
        expireSessions(&world)
    }

    private mutating func expireSessions(_ world: inout World) {
        guard case .leader(var leadership) = role, leadership.isActive else { return }
        let now = world.now
        var expired: [SessionID] = []
        for (session, deadline) in leadership.deadlines
        where now >= deadline && !leadership.closing.contains(session) {
            leadership.closing.insert(session)
            expired.append(session)
        }
        role = .leader(leadership)
        for session in expired { propose(session, cxid: 0, ToyCommand(kind: .close), &world) }
    }

    /// A sign of life; it is answered when a quorum has said, after it came, that this leader still leads.
    mutating func touch(_ session: SessionID, _ ping: Int64, via peer: Int?, _ world: inout World) {
        guard case .leader(var leadership) = role, leadership.isActive,
            let place = leadership.deadlines.firstIndex(where: { $0.session == session }),
            !leadership.closing.contains(session),
            let timeout = state.sessions.first(where: { $0.id == session })?.timeoutMilliseconds
        else { return }
        leadership.deadlines[place].deadline = world.now.advanced(byMilliseconds: timeout)
        leadership.touches.append(
            Touch(round: leadership.round + 1, session: session, ping: ping, via: peer))
        role = .leader(leadership)
        if bug == .touchesWithoutQuorum { answerTouches(through: .max, &world) }
    }

    mutating func confirmTouches(_ world: inout World) {
        guard case .leader(var leadership) = role else { return }
        let rounds = (0..<count).filter { voters >> UInt64($0) & 1 == 1 }.map { leadership.answered[$0] }.sorted()
        let confirmed = rounds[(rounds.count - 1) / 2]
        if confirmed >= leadership.round { leadership.confirmedAt = world.now }
        role = .leader(leadership)
        answerTouches(through: confirmed, &world)
    }

    private mutating func answerTouches(through round: Int64, _ world: inout World) {
        guard case .leader(var leadership) = role, leadership.touches.contains(where: { $0.round <= round }) else {
            return
        }
        let ripe = leadership.touches.filter { $0.round <= round }
        leadership.touches.removeAll { $0.round <= round }
        role = .leader(leadership)
        for touch in ripe {
            if let peer = touch.via {
                send(.touched(session: touch.session, ping: touch.ping), to: peer, &world)
            } else if let guest = guests.first(where: { $0.session == touch.session && $0.isConnected }) {
                world.send(ToyMessage.pong(touch.ping).frame, on: guest.link)
            }
        }
    }

    mutating func sessionChanged(by entry: ToyEntry, _ world: inout World) {
        guard case .leader(var leadership) = role else { return }
        switch entry.command.kind {
        case .open:
            let deadline = world.now.advanced(byMilliseconds: entry.command.value)
            leadership.deadlines.removeAll { $0.session == entry.session }
            leadership.deadlines.append((entry.session, deadline))
            leadership.deadlines.sort { $0.session < $1.session }
        case .close: leadership.deadlines.removeAll { $0.session == entry.session }
        case .begin, .set, .swap, .read: return
        }
        role = .leader(leadership)
    }
}
