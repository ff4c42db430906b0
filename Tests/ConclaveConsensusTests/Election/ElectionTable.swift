import ConclaveConsensus
import ConclaveCore
import ConclaveWire

/// Election machines around one table: what one says the others hear at once, in the order it was said.
struct ElectionTable {
    let configuration: EnsembleConfiguration
    private(set) var machines: [Int64: ElectionMachine] = [:]
    /// What was decided, in the order of the decisions.
    private(set) var decisions: [(server: Int64, leader: Int64, state: PeerState)] = []
    private(set) var messages = 0
    /// Servers whose messages are lost, in both directions.
    var silent: Set<Int64> = []
    private(set) var now = Instant.start
    private var underWay: [(from: Int64, to: Int64, message: ElectionNotification)] = []

    init(_ text: String) throws { configuration = try EnsembleConfiguration(text: text) }

    /// `count` voters with the ids 1 to `count`.
    init(voters count: Int) throws { try self.init((1...count).map { "server.\($0)=h\($0):1:2\n" }.joined()) }

    /// Starts servers at the same moment, connected to all others that run.
    mutating func start(
        _ servers: Int64..., zxid: Int64 = 0, epoch: Int64 = 0, role: EnsembleMember.Role = .participant
    ) {
        for id in servers where machines[id] == nil {
            machines[id] = ElectionMachine(
                options: EnsembleOptions(myID: ServerID(rawValue: id)), configuration: configuration, role: role)
        }
        for id in servers {
            look(id, zxid: zxid, epoch: epoch)
            for other in machines.keys.sorted() where other != id {
                machines[id]?.peerReachable(ServerID(rawValue: other), true, now: now)
                machines[other]?.peerReachable(ServerID(rawValue: id), true, now: now)
            }
            collect()
        }
        deliver()
    }

    /// Lets a server look for a leader, without delivering what it says.
    mutating func look(_ server: Int64, zxid: Int64, epoch: Int64) {
        machines[server]?.start(zxid: Zxid(rawValue: zxid), currentEpoch: epoch, now: now)
        collect()
    }

    /// Ends a server; the others notice.
    mutating func kill(_ server: Int64) {
        machines[server] = nil
        underWay.removeAll { $0.from == server || $0.to == server }
        for id in machines.keys.sorted() {
            machines[id]?.peerReachable(ServerID(rawValue: server), false, now: now)
        }
        collect()
    }

    /// Lets time go by, with every deadline that falls into it.
    mutating func wait(_ milliseconds: Int64) {
        let end = now.advanced(byMilliseconds: milliseconds)
        while let next = machines.values.map(\.nextDeadline).min(), next <= end {
            now = max(now, next)
            for id in machines.keys.sorted() { machines[id]?.tick(now: now) }
            collect()
            deliver()
        }
        now = end
    }

    /// Tells everybody settled on `leader` that it serves in an epoch.
    mutating func activate(_ leader: Int64, epoch: Int64) {
        for id in machines.keys.sorted() where machines[id]?.leader?.rawValue == leader {
            machines[id]?.updateVote(peerEpoch: epoch, now: now)
        }
        collect()
        deliver()
    }

    mutating func deliver() {
        while !underWay.isEmpty {
            let (from, to, message) = underWay.removeFirst()
            guard !silent.contains(from), !silent.contains(to), machines[to] != nil else { continue }
            messages += 1
            machines[to]?.received(message, from: ServerID(rawValue: from), now: now)
            collect()
        }
    }

    /// Whom a server follows or that it leads; `nil` while it looks.
    func leader(of server: Int64) -> Int64? { machines[server]?.leader?.rawValue }

    func state(of server: Int64) -> PeerState? { machines[server]?.state }

    private mutating func collect() {
        for id in machines.keys.sorted() {
            for action in machines[id]?.takeActions() ?? [] {
                switch action {
                case .send(let message, let to): underWay.append((id, to.rawValue, message))
                case .decided(let leader, let state): decisions.append((id, leader.rawValue, state))
                case .connectAll, .adopt, .lookingSeen, .leaderLooking, .note: break
                }
            }
        }
    }
}
