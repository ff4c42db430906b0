import ConclaveCore
import ConclaveWire

/// Finds out who leads: fast leader election as one server of the ensemble sees it.
///
/// ```
///             start                 quorum for one candidate, or a leader that is followed already
///   idle ───────────────▶ looking ─────────────────────────────────────────────────────────▶ settled
///                            ▲                              start                              │
///                            └─────────────────────────────────────────────────────────────────┘
/// ```
///
/// Safe whoever wins: a leader serves only after a quorum that is not ahead of it has promised it a new epoch. An
/// election decides how soon that happens, so it may be quicker than the reference's; see the README of this module.
package struct ElectionMachine: Sendable {
    /// What is remembered of one election.
    struct Looking: Equatable, Sendable {
        /// This server as a candidate.
        var own: Vote
        var proposal: Vote
        /// What voters said in this round.
        var ballots = BallotBox()
        /// What settled servers said in whatever round.
        var settled = BallotBox()
        /// Voters that heard the proposal after they were heard to look for a leader in this round.
        var told: [ServerID] = []
        var startedAt: Instant
        var resendAt: Instant
        var resendMilliseconds: Int64
        /// When the proposal, which a quorum supports, is taken for final.
        var finalAt: Instant?
    }

    enum Phase: Equatable, Sendable {
        case idle
        case looking(Looking)
        /// The vote, the role taken and the round it was settled in.
        case settled(Ballot)
    }

    /// What is known of the connection to another voter.
    struct Peer: Equatable, Sendable {
        let id: ServerID
        /// `nil` until a connection came about or a try failed.
        var isReachable: Bool?
    }

    /// How many servers that ask are remembered.
    static let maximumAskers = 256
    /// The least time between two answers to a server that is no voter: two servers of which each takes the other for
    /// one could answer each other for ever (ZOOKEEPER-1807).
    static let answerGapMilliseconds: Int64 = 100
    /// The least time a supported proposal waits for better ones while others may still vote.
    static let leastFinalWaitMilliseconds: Int64 = 20

    let options: EnsembleOptions
    private(set) var role: EnsembleMember.Role
    package private(set) var configuration: EnsembleConfiguration
    /// A configuration that was proposed and not yet committed: decisions need its quorum, too.
    package private(set) var pending: EnsembleConfiguration?
    /// What messages carry.
    var configurationText: [UInt8]
    /// Voters of both configurations, sorted.
    private(set) var voters: [ServerID]
    /// Voters but this one, sorted.
    private var peers: [Peer]
    /// A voter that nobody waits for until it is heard: the leader that fell silent.
    private var silent: ServerID?
    /// The number of the election, the logical clock.
    package internal(set) var round: Int64 = 0
    var phase = Phase.idle
    /// When the last election ended.
    private var settledAt = Instant.start
    /// Servers to be told once there is more to tell: no voters that asked while this one was looking, and everybody
    /// who was answered before the new leader's epoch was known. Sorted, with the time of the last answer.
    var askers: [(server: ServerID, answeredAt: Instant)] = []
    var actions: [ElectionAction] = []

    /// - Parameter role: what this server is where the configuration does not list it.
    package init(
        options: EnsembleOptions, configuration: EnsembleConfiguration, pending: EnsembleConfiguration? = nil,
        role: EnsembleMember.Role = .participant
    ) {
        self.options = options
        self.role = configuration.member(options.myID)?.role ?? role
        self.configuration = configuration
        self.pending = pending
        configurationText = Array(configuration.text.utf8)
        voters = []
        peers = []
        listVoters()
    }

    /// What to do, in this order; empty afterwards.
    package mutating func takeActions() -> [ElectionAction] {
        defer { actions.removeAll(keepingCapacity: true) }
        return actions
    }

    /// What this server is doing; `nil` before the first ``start(zxid:currentEpoch:lostLeader:now:)``.
    package var state: PeerState? {
        switch phase {
        case .idle: nil
        case .looking: .looking
        case .settled(let ballot): ballot.state
        }
    }

    /// The leader this server settled on.
    package var leader: ServerID? {
        if case .settled(let ballot) = phase { ballot.vote.leader } else { nil }
    }

    /// When ``tick(now:)`` is wanted.
    package var nextDeadline: Instant {
        guard case .looking(let looking) = phase else { return .distantFuture }
        return min(looking.resendAt, looking.finalAt ?? .distantFuture)
    }

    // MARK: Events

    /// Looks for a leader, anew if it does already.
    ///
    /// - Parameters:
    ///   - zxid: the last transaction in this server's log.
    ///   - currentEpoch: the epoch whose history that log holds.
    ///   - lostLeader: the leader that was followed until now. Its connections may look alive although it stands still, so
    ///     the election does not wait for its vote unless something is heard from it.
    package mutating func start(zxid: Zxid, currentEpoch: Int64, lostLeader: ServerID? = nil, now: Instant) {
        silent = lostLeader
        begin(Vote(leader: options.myID, zxid: zxid, peerEpoch: currentEpoch), now: now)
    }

    /// Takes a message; `server` is who opened the connection says it is.
    package mutating func received(_ notification: ElectionNotification, from server: ServerID, now: Instant) {
        guard phase != .idle, server != options.myID else { return }
        if server == silent { silent = nil }
        if learnsConfiguration(from: notification, sentBy: server, now: now) { return }
        guard isVoter(server) else { return receivedFromNonVoter(notification, server, now: now) }
        switch phase {
        case .idle: break
        case .looking: count(notification, from: server, now: now)
        case .settled(let ballot):
            guard notification.state == .looking else { return }
            if ballot.state == .leading {
                actions.append(.lookingSeen(server))
            } else if server == ballot.vote.leader {
                let isLate = now.milliseconds(since: settledAt) >= lateMilliseconds
                if isLate || ballot.vote.leader != notification.leader || ballot.round != notification.round {
                    actions.append(.leaderLooking(isLate: isLate))
                }
            }
            answer(server, now: now)
        }
    }

    /// Takes note that another server can or cannot be talked to.
    package mutating func peerReachable(_ server: ServerID, _ isReachable: Bool, now: Instant) {
        guard let index = peers.firstIndex(where: { $0.id == server }) else { return }
        let isNews = peers[index].isReachable != isReachable
        peers[index].isReachable = isReachable
        guard case .looking(var looking) = phase else { return }
        if isNews, isReachable {
            askSoon(&looking, now: now)
            phase = .looking(looking)
        }
        if !isReachable {
            let hasSpoken = looking.ballots[server] != nil
            looking.ballots[server] = nil
            looking.settled[server] = nil
            looking.told.removeAll { $0 == server }
            phase = .looking(looking)
            // The candidate died: the votes for it that are under way must not elect it.
            if hasSpoken, looking.proposal.leader == server { return begin(looking.own, now: now) }
        }
        considerEnd(now: now)
    }

    package mutating func tick(now: Instant) {
        guard case .looking(var looking) = phase else { return }
        if let finalAt = looking.finalAt, finalAt <= now {
            return decide(looking.proposal, round: round, now: now)
        }
        guard looking.resendAt <= now else { return }
        if let ballot = leaderInNeed(looking) { return decide(ballot.vote, round: ballot.round, now: now) }
        let limit = options.electionMaximumMilliseconds
        let wait = looking.resendMilliseconds
        looking.resendMilliseconds = wait > limit / 2 ? limit : wait * 2
        looking.resendAt = now.advanced(byMilliseconds: looking.resendMilliseconds)
        phase = .looking(looking)
        broadcast()
        if peers.contains(where: { $0.isReachable != true }) { actions.append(.connectAll) }
    }

    /// Takes the epoch of the leader that this server follows or is, once it serves: so that servers that join at
    /// different times are told the same.
    package mutating func updateVote(peerEpoch: Int64, now: Instant) {
        guard case .settled(var ballot) = phase else { return }
        ballot.vote.peerEpoch = peerEpoch
        phase = .settled(ballot)
        tellAskers(now: now)
        askers.removeAll()
    }

    /// Takes the leader that a reconfiguration names, without an election.
    package mutating func designate(leader: ServerID, zxid: Zxid, peerEpoch: Int64, now: Instant) {
        decide(Vote(leader: leader, zxid: zxid, peerEpoch: peerEpoch), round: round, now: now)
    }

    /// Uses another configuration; an election under way begins anew if the servers changed.
    package mutating func reconfigured(
        _ configuration: EnsembleConfiguration, pending: EnsembleConfiguration?, now: Instant
    ) {
        let before = self.configuration
        let hadPending = self.pending
        self.configuration = configuration
        self.pending = pending
        configurationText = Array(configuration.text.utf8)
        role = configuration.member(options.myID)?.role ?? role
        listVoters()
        let isSame = before.hasSameServers(as: configuration) && hadPending == pending
        if !isSame, case .looking(let looking) = phase { begin(looking.own, now: now) }
    }

    // MARK: Parts of several events

    /// Begins a new round with this server as its own candidate.
    private mutating func begin(_ own: Vote, now: Instant) {
        // Stops at the end instead of trapping: a round may come from another server.
        round = round == .max ? .max : round + 1
        let looking = Looking(
            own: own, proposal: ownProposal(own), startedAt: now,
            resendAt: now.advanced(byMilliseconds: options.electionMinimumMilliseconds),
            resendMilliseconds: options.electionMinimumMilliseconds)
        phase = .looking(looking)
        broadcast()
        considerEnd(now: now)
    }

    /// What this server votes for at first; nothing if it has no vote.
    func ownProposal(_ own: Vote) -> Vote { configuration.isVoter(options.myID) ? own : .none }

    /// Sends the proposal to every other voter, and puts the own ballot in.
    mutating func broadcast() {
        guard case .looking(var looking) = phase else { return }
        if configuration.isVoter(options.myID) {
            looking.ballots[options.myID] = Ballot(
                vote: looking.proposal, round: round, state: .looking, version: ElectionNotification.currentVersion)
        }
        looking.told = voters.filter { looking.ballots[$0]?.state == .looking }
        phase = .looking(looking)
        for peer in peers { send(looking.proposal, round: round, state: .looking, to: peer.id) }
    }

    /// Ends the election and takes a role.
    mutating func decide(_ vote: Vote, round: Int64, now: Instant) {
        let state: PeerState =
            vote.leader == options.myID ? .leading : role == .observer ? .observing : .following
        var voted: [ServerID] = []
        if case .looking(let looking) = phase {
            voted = voters.filter { $0 != options.myID && looking.ballots[$0]?.state == .looking }
            let duration = now.milliseconds(since: looking.startedAt)
            actions.append(
                .note(LogEvent(.info, "server \(vote.leader) leads, found in round \(round) after \(duration) ms")))
        }
        self.round = round
        settledAt = now
        phase = .settled(
            Ballot(vote: vote, round: round, state: state, version: ElectionNotification.currentVersion))
        actions.append(.decided(leader: vote.leader, state: state))
        // Those that voted may still wait for better votes; a leader that says so ends that.
        if state == .leading { for voter in voted { sendState(to: voter) } }
        tellAskers(now: now)
    }

    /// Sends the proposal again soon: something changed, so that the answers may be others than the last time.
    ///
    /// Without this a server that has waited long would ask no sooner than a minute after the others found a leader.
    func askSoon(_ looking: inout Looking, now: Instant) {
        looking.resendMilliseconds = options.electionMinimumMilliseconds
        looking.resendAt = min(looking.resendAt, now.advanced(byMilliseconds: options.electionMinimumMilliseconds))
    }

    /// How long a leader that looks may not have heard of its election: as long as one of the reference waits for better
    /// votes, and again for its message.
    private var lateMilliseconds: Int64 { 2 * max(0, min(options.finalizeWaitMilliseconds, .max / 2)) }

    func isVoter(_ server: ServerID) -> Bool { configuration.isVoter(server) || pending?.isVoter(server) == true }

    /// Whether the servers are a quorum of the configuration in use and of the one to come.
    func isQuorum(_ has: (ServerID) -> Bool) -> Bool {
        guard configuration.isQuorum(has) else { return false }
        guard let pending, pending.version > configuration.version else { return true }
        return pending.isQuorum(has)
    }

    /// Whether a voter is known not to be connected, or not to say anything.
    func isKnownUnreachable(_ server: ServerID) -> Bool {
        server == silent || peers.contains { $0.id == server && $0.isReachable == false }
    }

    private mutating func listVoters() {
        var all = configuration.voters
        for voter in pending?.voters ?? [] where !configuration.isVoter(voter) { all.append(voter) }
        voters = all.sorted()
        let known = peers
        peers = voters.filter { $0 != options.myID }
            .map { id in Peer(id: id, isReachable: known.first { $0.id == id }?.isReachable) }
    }
}
