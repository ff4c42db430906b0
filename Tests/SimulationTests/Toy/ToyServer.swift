import ConclaveCore
import ConclaveSimulator

/// A replicated set of registers, only there to show that the simulator works and finds what is wrong.
///
/// Elects and replicates as Raft does (Ongaro and Ousterhout, 2014), with zxids for terms and places, because that is
/// the shortest way to something right; sessions, watches and reads are ZooKeeper's in small. A leader counts as
/// established when its first entry is committed. Nothing here is used by the product.
struct ToyServer: SimulatedServer {
    struct Setup: Sendable {
        var bug: ToyBug?
    }

    enum Role: Sendable {
        case follower(leader: Int?)
        case candidate(votes: UInt64)
        case leader(Leadership)
    }

    /// What only a leader has.
    struct Leadership: Sendable {
        /// For each server: the next entry to send, how many are known to be durable there, the last heartbeat
        /// answered.
        var next: [Int]
        var matched: [Int]
        var answered: [Int64]
        var round: Int64 = 0
        var isActive = false
        var counter: UInt32 = 0
        var heartbeatAt: Instant
        /// When a quorum last answered.
        var confirmedAt: Instant
        var touches: [Touch] = []
        /// Sorted by session.
        var deadlines: [(session: SessionID, deadline: Instant)] = []
        var closing: Set<SessionID> = []
    }

    /// A sign of life that waits for proof that this leader still leads.
    struct Touch: Sendable {
        var round: Int64
        var session: SessionID
        var ping: Int64
        /// `nil`: a client of the leader itself.
        var via: Int?
    }

    struct Peer: Sendable {
        var link: Link?
        /// The other side is known to be there.
        var isReady = false
        var dialAt = Instant.start
        var failures = 0
        /// A machine that lost its power says nothing: silence has to be noticed.
        var heardAt = Instant.start
        var greetAt = Instant.start
    }

    /// A client's connection.
    struct Guest: Sendable {
        var link: Link
        var session = SessionID.none
        var isConnected = false
        var isOpening = false
        /// Waiting for the entry with this number.
        var pending: Int32?
        var pendingCommand = ToyCommand(kind: .begin)
        var pendingSince = Instant.start
        var requests = RingBuffer<ToyMessage>()
        /// Bit n: wants to hear of key n.
        var watches: UInt32 = 0
        /// Only with a bug: what goes out with the next tick.
        var late: [ToyMessage] = []
    }

    static let tickMilliseconds: Int64 = 20
    static let heartbeatMilliseconds: Int64 = 80
    static let electionMilliseconds: Int64 = 500
    static let silenceMilliseconds: Int64 = 1_600
    static let batchLimit = 64

    let bug: ToyBug?
    let id: Int
    let count: Int
    /// Bit n: server n votes.
    let voters: UInt64
    var storage: ToyStorage
    var disk: SimulatedDisk {
        get { storage.disk }
        set { storage.disk = newValue }
    }

    var log: [ToyEntry] = []
    var durable = 0
    var cutsOrdered = 0
    var committed = 0
    var state = ToyState()
    /// Entries known to be the leader's too, in this epoch.
    var matched = 0
    var lastRound: Int64 = 0
    var acknowledged = 0

    var epoch: Int64 = 0
    var vote: Int32 = -1
    var role = Role.follower(leader: nil)
    var electionAt = Instant.start
    var isServing = false

    var peers: [Peer]
    var guests: [Guest] = []
    // Asked for single links only.
    var inputs: [Link: ToyInput] = [:]
    var serverOfLink: [Link: Int] = [:]
    var tickAt: Instant

    init(_ setup: Setup, disk: consuming SimulatedDisk, world: inout World) {
        bug = setup.bug
        id = world.process
        count = world.serverCount
        voters = world.voters
        storage = ToyStorage(disk, bug: setup.bug)
        peers = [Peer](repeating: Peer(), count: count)
        tickAt = world.now
        do throws(DiskError) {
            let loaded = try storage.load()
            (log, epoch, vote) = (loaded.entries, loaded.epoch, loaded.vote)
            durable = log.count
            world.observe(.recovered(through: log.last?.zxid ?? .zero))
            world.observe(.acceptedEpoch(epoch))
        } catch {
            world.stop(.disk("\(error)"))
            return
        }
        world.listen(on: .quorum)
        world.listen(on: .client)
        resetElection(&world)
    }

    var nextDeadline: Instant { tickAt }
    var isVoter: Bool { voters >> UInt64(id) & 1 == 1 }

    func isQuorum(_ servers: UInt64) -> Bool {
        (servers & voters).nonzeroBitCount * 2 > voters.nonzeroBitCount
    }

    mutating func tick(world: inout World) {
        let now = world.now
        tickAt = now.advanced(byMilliseconds: Self.tickMilliseconds)
        dialPeers(&world)
        switch role {
        case .leader: lead(&world)
        case .follower, .candidate: if now >= electionAt, isVoter { campaign(&world) }
        }
        tendGuests(&world)
    }

    mutating func performStorage(world: inout World) {
        do throws(DiskError) {
            guard let order = try storage.perform() else { return }
            switch order {
            case .append(let entries):
                // What a later order cuts off is not worth counting.
                guard cutsOrdered == 0 else { return }
                durable += entries.count
                if let last = entries.last { world.observe(.durable(through: last.zxid)) }
                acknowledgeDurable(&world)
            case .cut(let kept):
                cutsOrdered -= 1
                guard cutsOrdered == 0 else { return }
                durable = kept
                world.observe(.durable(through: kept > 0 ? log[kept - 1].zxid : .zero))
                acknowledgeDurable(&world)
            case .vote(let epoch, let candidate):
                world.observe(.acceptedEpoch(epoch))
                voteSaved(epoch, candidate, &world)
            }
        } catch {
            world.stop(.disk("\(error)"))
        }
    }

    mutating func order(_ order: ToyStorage.Order, bytes: Int, _ world: inout World) {
        storage.order(order)
        world.orderStorage(bytes: bytes)
    }

    // MARK: Links

    private mutating func dialPeers(_ world: inout World) {
        let now = world.now
        for peer in peers.indices where peers[peer].isReady {
            guard let link = peers[peer].link else { continue }
            if now > peers[peer].heardAt.advanced(byMilliseconds: Self.silenceMilliseconds) {
                drop(link, &world)
            } else if now >= peers[peer].greetAt {
                peers[peer].greetAt = now.advanced(byMilliseconds: Self.silenceMilliseconds / 4)
                send(.hello(server: Int32(id)), to: peer, &world)
            }
        }
        for peer in 0..<id where peers[peer].link == nil && world.now >= peers[peer].dialAt {
            if bug == .givesUpDialling, peers[peer].failures > 2 { continue }
            let link = world.dial(peer, .quorum)
            peers[peer].link = link
            serverOfLink[link] = peer
        }
    }

    mutating func dialled(_ link: Link, world: inout World) {
        guard let peer = serverOfLink[link] else { return }
        inputs[link] = ToyInput()
        peers[peer].isReady = true
        peers[peer].failures = 0
        peers[peer].heardAt = world.now
        world.send(ToyMessage.hello(server: Int32(id)).frame, on: link)
        met(peer, &world)
    }

    mutating func dialFailed(_ link: Link, world: inout World) {
        if let peer = serverOfLink[link] { peers[peer].failures += 1 }
        closed(link, world: &world)
    }

    mutating func accepted(_ link: Link, on port: Port, world: inout World) {
        inputs[link] = ToyInput()
        guard port == .client else { return }
        guard isServing else { return drop(link, &world) }
        guests.append(Guest(link: link))
    }

    mutating func closed(_ link: Link, world: inout World) {
        inputs[link] = nil
        if let peer = serverOfLink.removeValue(forKey: link) {
            peers[peer].link = nil
            peers[peer].isReady = false
            peers[peer].dialAt = world.now.advanced(byMilliseconds: 50)
            lost(peer, &world)
        } else {
            guests.removeAll { $0.link == link }
        }
    }

    mutating func drop(_ link: Link, _ world: inout World) {
        world.close(link)
        closed(link, world: &world)
    }

    mutating func send(_ message: ToyMessage, to peer: Int, _ world: inout World) {
        guard peers[peer].isReady, let link = peers[peer].link else { return }
        world.send(message.frame, on: link)
    }

    mutating func received(_ bytes: Span<UInt8>, on link: Link, world: inout World) {
        inputs[link]?.append(bytes)
        if let peer = serverOfLink[link] { peers[peer].heardAt = world.now }
        while let message = inputs[link]?.next() {
            if let peer = serverOfLink[link] {
                received(message, from: peer, &world)
            } else if case .hello(let server) = message {
                let peer = Int(server)
                if let old = peers[peer].link { drop(old, &world) }
                peers[peer].link = link
                peers[peer].isReady = true
                peers[peer].heardAt = world.now
                serverOfLink[link] = peer
                met(peer, &world)
            } else {
                asked(message, on: link, &world)
            }
        }
    }
}
