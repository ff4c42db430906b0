import ConclaveConsensus
import ConclaveCore
import ConclaveWire

/// The election port, and what an election decides.
extension NodeMachine {
    package mutating func electionAccepted(_ link: LinkID, now: Instant, wall: WallTime) {
        elector.accepted(link, now: now)
        turn(now: now, wall: wall)
    }

    package mutating func electionDialled(_ server: ServerID, link: LinkID, now: Instant, wall: WallTime) {
        elector.dialled(link, to: server, now: now)
        turn(now: now, wall: wall)
    }

    package mutating func electionDialFailed(_ server: ServerID, now: Instant, wall: WallTime) {
        elector.dialFailed(server, now: now)
        turn(now: now, wall: wall)
    }

    package mutating func electionReceived(_ bytes: Span<UInt8>, on link: LinkID, now: Instant, wall: WallTime) {
        elector.received(bytes, on: link, now: now)
        turn(now: now, wall: wall)
    }

    package mutating func electionClosed(_ link: LinkID, now: Instant, wall: WallTime) {
        elector.closed(link, now: now)
        turn(now: now, wall: wall)
    }

    mutating func perform(_ action: Elector.Action, now: Instant, wall: WallTime) {
        switch action {
        case .dial(let server, let addresses): actions.append(.dialElection(server, addresses))
        case .send(let link, let bytes): actions.append(.sendElection(link, bytes))
        case .close(let link): actions.append(.closeElection(link))
        case .decided(let leaderID, let state): decision = (leaderID, state)
        case .adopt(let configuration): adopt(configuration, now: now)
        case .lookingSeen(let server): leader?.voterIsLooking(server, now: now)
        case .leaderLooking(let isLate): learner?.leaderIsLooking(isLate: isLate)
        case .note(let event): actions.append(.note(event))
        }
    }

    mutating func adopt(_ next: EnsembleConfiguration, now: Instant) {
        configuration = next
        if let pending = pendingConfiguration, pending.version <= next.version { pendingConfiguration = nil }
        actions.append(.adopt(next))
        elector.reconfigured(next, pending: pendingConfiguration, now: now)
    }

    /// Takes the role that the election gave, now that everything that was logged has been synced and applied: what this
    /// server has to show for itself must survive it.
    mutating func begin(_ state: PeerState, _ leaderID: ServerID, now: Instant) {
        self.leaderID = leaderID
        switch state {
        case .leading: beginLeading(now: now)
        case .following, .observing:
            phase = .learning
            for (link, _) in early { actions.append(.closeQuorum(link, "this server does not lead")) }
            early = []
            follow(leaderID, as: state == .observing ? .observer : .participant, wantsSnapshotIn: nil, now: now)
        case .looking: break
        }
    }

    /// Dials the leader.
    mutating func follow(_ leaderID: ServerID, as role: EnsembleMember.Role, wantsSnapshotIn: Int64?, now: Instant) {
        learner = LearnerMachine(
            options: options, role: role, leader: leaderID, acceptedEpoch: acceptedEpoch, currentEpoch: currentEpoch,
            lastZxid: lastLogged, wantsSnapshotIn: wantsSnapshotIn, configuration: configuration, now: now)
    }

    private mutating func beginLeading(now: Instant) {
        phase = .leading
        leader = LeaderMachine(
            options: options, configuration: configuration, lastSeen: pendingConfiguration,
            acceptedEpoch: acceptedEpoch,
            currentEpoch: currentEpoch, lastZxid: lastLogged, history: history, now: now)
        for (link, bytes) in early {
            learnerLinks.append(link)
            leader?.learnerConnected(link, now: now)
            leader?.received(bytes.span, on: link, now: now)
        }
        early = []
    }
}
