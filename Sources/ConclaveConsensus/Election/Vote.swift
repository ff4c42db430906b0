import ConclaveCore
import ConclaveWire

/// A candidate for the lead, with what speaks for it.
package struct Vote: Equatable, Sendable {
    package var leader: ServerID
    /// The candidate's last logged transaction.
    package var zxid: Zxid
    /// The candidate's current epoch, that of the history it holds.
    package var peerEpoch: Int64

    package init(leader: ServerID, zxid: Zxid, peerEpoch: Int64) {
        self.leader = leader
        self.zxid = zxid
        self.peerEpoch = peerEpoch
    }

    /// What servers without a vote propose; it loses every comparison and counts for nobody.
    package static let none = Vote(
        leader: ServerID(rawValue: .min), zxid: Zxid(rawValue: .min), peerEpoch: .min)

    /// Whether this candidate is to be preferred: newer epoch, then longer history, then greater id.
    ///
    /// A candidate of weight 0 never is; unlike in the reference, every other one is preferred to it, so that a server
    /// of weight 0 with the longest history does not hold on to itself.
    func beats(_ other: Vote, in configuration: EnsembleConfiguration) -> Bool {
        guard configuration.weight(of: leader) > 0 else { return false }
        guard configuration.weight(of: other.leader) > 0 else { return true }
        if peerEpoch != other.peerEpoch { return peerEpoch > other.peerEpoch }
        if zxid != other.zxid { return zxid > other.zxid }
        return leader > other.leader
    }
}

/// What one server said last.
struct Ballot: Equatable, Sendable {
    var vote: Vote
    var round: Int64
    var state: PeerState
    /// The version of the message, 0 for servers older than configurations in votes.
    var version: Int32

    init(vote: Vote, round: Int64, state: PeerState, version: Int32) {
        self.vote = vote
        self.round = round
        self.state = state
        self.version = version
    }

    init(_ notification: ElectionNotification) {
        vote = Vote(leader: notification.leader, zxid: notification.zxid, peerEpoch: notification.peerEpoch)
        round = notification.round
        state = notification.state
        version = notification.version
    }

    /// Whether both are for the same candidate in the same round, for the votes of one round.
    ///
    /// Those of settled servers need only name the same leader: its epoch changes when it starts to serve.
    func agreesInRound(with other: Ballot) -> Bool {
        guard state != .looking, other.state != .looking else { return vote == other.vote && round == other.round }
        return vote.leader == other.vote.leader
    }

    /// Whether both name the same leader of the same epoch, for the votes of servers that are settled already.
    ///
    /// Round and zxid differ between servers that joined at different times (ZOOKEEPER-1732).
    func agreesSettled(with other: Ballot) -> Bool {
        guard vote.leader == other.vote.leader else { return false }
        return (version > 0) != (other.version > 0) || vote.peerEpoch == other.vote.peerEpoch
    }
}

/// The last ballot of each server, at most one for each voter.
struct BallotBox: Equatable, Sendable {
    /// Sorted by server.
    private var entries: [(server: ServerID, ballot: Ballot)] = []

    static func == (left: BallotBox, right: BallotBox) -> Bool {
        left.entries.elementsEqual(right.entries) { $0.server == $1.server && $0.ballot == $1.ballot }
    }

    subscript(_ server: ServerID) -> Ballot? {
        get { entries.first { $0.server == server }?.ballot }
        set {
            let index = entries.firstIndex { $0.server >= server } ?? entries.count
            let exists = index < entries.count && entries[index].server == server
            switch (newValue, exists) {
            case (let ballot?, true): entries[index].ballot = ballot
            case (let ballot?, false): entries.insert((server, ballot), at: index)
            case (nil, true): entries.remove(at: index)
            case (nil, false): break
            }
        }
    }

    mutating func removeAll() { entries.removeAll(keepingCapacity: true) }
}
