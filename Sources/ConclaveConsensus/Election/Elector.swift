import ConclaveCore
import ConclaveWire

/// A server's part in elections as a whole: the votes and the connections they travel on.
///
/// Joins ``ElectionMachine`` and ``ElectionLinks``, so that nobody else has to carry messages between the two.
package struct Elector: Sendable {
    /// What it asks of the server around it.
    package enum Action: Equatable, Sendable {
        /// See ``ElectionLinkAction/dial(_:_:)``.
        case dial(ServerID, [ElectionAddress])
        case send(LinkID, [UInt8])
        /// See ``ElectionLinkAction/close(_:)``.
        case close(LinkID)
        /// See ``ElectionAction/decided(leader:state:)``.
        case decided(leader: ServerID, state: PeerState)
        /// See ``ElectionAction/adopt(_:)``.
        case adopt(EnsembleConfiguration)
        /// See ``ElectionAction/lookingSeen(_:)``.
        case lookingSeen(ServerID)
        /// See ``ElectionAction/leaderLooking(isLate:)``.
        case leaderLooking(isLate: Bool)
        case note(LogEvent)
    }

    package private(set) var machine: ElectionMachine
    package private(set) var links: ElectionLinks
    private var actions: [Action] = []

    /// - Parameters:
    ///   - role: what this server is where the configuration does not list it.
    ///   - announcing: where this server listens for votes, as the others should dial it.
    package init(
        options: EnsembleOptions, configuration: EnsembleConfiguration, pending: EnsembleConfiguration? = nil,
        role: EnsembleMember.Role = .participant, announcing: [ElectionAddress] = [], now: Instant
    ) {
        machine = ElectionMachine(options: options, configuration: configuration, pending: pending, role: role)
        links = ElectionLinks(
            options: options, configuration: configuration, pending: pending, announcing: announcing, now: now)
    }

    /// What to do, in this order; empty afterwards.
    package mutating func takeActions() -> [Action] {
        defer { actions.removeAll(keepingCapacity: true) }
        return actions
    }

    /// When ``tick(now:)`` is wanted.
    package var nextDeadline: Instant { min(machine.nextDeadline, links.nextDeadline) }

    // MARK: Events of the election

    /// See ``ElectionMachine/start(zxid:currentEpoch:lostLeader:now:)``.
    package mutating func start(zxid: Zxid, currentEpoch: Int64, lostLeader: ServerID? = nil, now: Instant) {
        machine.start(zxid: zxid, currentEpoch: currentEpoch, lostLeader: lostLeader, now: now)
        connect(now: now)
    }

    /// See ``ElectionMachine/updateVote(peerEpoch:now:)``.
    package mutating func updateVote(peerEpoch: Int64, now: Instant) {
        machine.updateVote(peerEpoch: peerEpoch, now: now)
        connect(now: now)
    }

    /// See ``ElectionMachine/designate(leader:zxid:peerEpoch:now:)``.
    package mutating func designate(leader: ServerID, zxid: Zxid, peerEpoch: Int64, now: Instant) {
        machine.designate(leader: leader, zxid: zxid, peerEpoch: peerEpoch, now: now)
        connect(now: now)
    }

    /// See ``ElectionMachine/reconfigured(_:pending:now:)`` and ``ElectionLinks/reconfigured(_:pending:now:)``.
    package mutating func reconfigured(
        _ configuration: EnsembleConfiguration, pending: EnsembleConfiguration?, now: Instant
    ) {
        links.reconfigured(configuration, pending: pending, now: now)
        machine.reconfigured(configuration, pending: pending, now: now)
        connect(now: now)
    }

    package mutating func tick(now: Instant) {
        links.tick(now: now)
        machine.tick(now: now)
        connect(now: now)
    }

    // MARK: Events of the election port

    package mutating func accepted(_ link: LinkID, now: Instant) {
        links.accepted(link, now: now)
        connect(now: now)
    }

    package mutating func dialled(_ link: LinkID, to server: ServerID, now: Instant) {
        links.dialled(link, to: server, now: now)
        connect(now: now)
    }

    package mutating func dialFailed(_ server: ServerID, now: Instant) {
        links.dialFailed(server, now: now)
        connect(now: now)
    }

    package mutating func received(_ bytes: Span<UInt8>, on link: LinkID, now: Instant) {
        links.received(bytes, on: link, now: now)
        connect(now: now)
    }

    package mutating func closed(_ link: LinkID, now: Instant) {
        links.closed(link, now: now)
        connect(now: now)
    }

    /// Carries what one half asks of the other until both are content: a message causes messages only to the network.
    private mutating func connect(now: Instant) {
        while true {
            let fromLinks = links.takeActions()
            let fromMachine = machine.takeActions()
            if fromLinks.isEmpty, fromMachine.isEmpty { return }
            for action in fromLinks { perform(action, now: now) }
            for action in fromMachine { perform(action, now: now) }
        }
    }

    private mutating func perform(_ action: ElectionLinkAction, now: Instant) {
        switch action {
        case .dial(let server, let addresses): actions.append(.dial(server, addresses))
        case .send(let link, let bytes): actions.append(.send(link, bytes))
        case .close(let link): actions.append(.close(link))
        case .message(let notification, let server): machine.received(notification, from: server, now: now)
        case .reachable(let server, let isReachable): machine.peerReachable(server, isReachable, now: now)
        case .note(let event): actions.append(.note(event))
        }
    }

    private mutating func perform(_ action: ElectionAction, now: Instant) {
        switch action {
        case .send(let notification, let server): links.send(notification, to: server, now: now)
        case .connectAll: links.connectAll(now: now)
        case .decided(let leader, let state):
            links.forgetMessages()
            actions.append(.decided(leader: leader, state: state))
        case .adopt(let configuration):
            links.reconfigured(configuration, pending: machine.pending, now: now)
            actions.append(.adopt(configuration))
        case .lookingSeen(let server): actions.append(.lookingSeen(server))
        case .leaderLooking(let isLate): actions.append(.leaderLooking(isLate: isLate))
        case .note(let event): actions.append(.note(event))
        }
    }
}
