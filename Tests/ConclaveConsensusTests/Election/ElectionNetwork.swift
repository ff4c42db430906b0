import ConclaveConsensus
import ConclaveCore
import ConclaveWire

/// Electors joined by simulated connections: bytes arrive in order, late, in pieces or not at all; everything from one
/// seed.
struct ElectionNetwork {
    /// One direction-aware end of a connection.
    private struct End {
        let owner: Int64
        let other: LinkID
        let peer: Int64
        /// When the last bytes sent from here arrive, so that later ones do not overtake them.
        var lastArrival: Instant
    }

    private enum Event {
        case dialArrives(from: Int64, to: Int64)
        case dialFails(from: Int64, to: Int64)
        case bytes([UInt8], LinkID)
        case closed(LinkID)
    }

    let configuration: EnsembleConfiguration
    private(set) var now = Instant.start
    private(set) var electors: [Int64: Elector] = [:]
    /// Called for by the last steps: servers that settled, in order.
    private(set) var decided: [(server: Int64, leader: Int64)] = []
    private(set) var messages = 0
    /// Pairs that cannot reach each other, smaller id first.
    private var cuts: Set<[Int64]> = []
    private var ends: [LinkID: End] = [:]
    private var queue: [(at: Instant, sequence: Int, event: Event)] = []
    private var sequence = 0
    private var nextLink: UInt64 = 1
    var random: SeededRandom
    /// Least and most milliseconds that anything travels.
    var delay: ClosedRange<Int64> = 1...1

    init(configuration: EnsembleConfiguration, seed: UInt64) {
        self.configuration = configuration
        random = SeededRandom(seed: seed)
    }

    // MARK: Servers

    mutating func start(_ id: Int64, zxid: Int64, epoch: Int64) {
        var options = EnsembleOptions(myID: ServerID(rawValue: id))
        options.tickMilliseconds = 200
        electors[id] = Elector(options: options, configuration: configuration, now: now)
        look(id, zxid: zxid, epoch: epoch)
    }

    mutating func look(_ id: Int64, zxid: Int64, epoch: Int64) {
        electors[id]?.start(zxid: Zxid(rawValue: zxid), currentEpoch: epoch, now: now)
        perform(id)
    }

    mutating func updateVote(_ id: Int64, epoch: Int64) {
        electors[id]?.updateVote(peerEpoch: epoch, now: now)
        perform(id)
    }

    mutating func kill(_ id: Int64) {
        electors[id] = nil
        for link in ends.keys.sorted() where ends[link]?.owner == id { close(link) }
    }

    // MARK: Faults

    mutating func cut(_ first: Int64, _ second: Int64) {
        cuts.insert([min(first, second), max(first, second)])
        for link in ends.keys.sorted() {
            guard let end = ends[link], isCut(end.owner, end.peer) else { continue }
            // Each side notices in its own time.
            schedule(.closed(link), in: .random(in: 20...600, using: &random))
        }
    }

    mutating func healCuts() { cuts.removeAll() }

    func isCut(_ first: Int64, _ second: Int64) -> Bool {
        !cuts.isEmpty && cuts.contains([min(first, second), max(first, second)])
    }

    /// Breaks one connection, chosen by the seed.
    mutating func resetConnection() {
        guard let link = ends.keys.sorted().randomElement(using: &random), let end = ends[link] else { return }
        schedule(.closed(link), in: .random(in: 0...5, using: &random))
        schedule(.closed(end.other), in: .random(in: 0...300, using: &random))
    }

    // MARK: Time

    /// Runs until `end`; `isDone` is asked after each event.
    mutating func run(until end: Instant, isDone: (borrowing ElectionNetwork) -> Bool = { _ in false }) {
        while true {
            let deadline = electors.values.map(\.nextDeadline).min() ?? .distantFuture
            let event = queue.first?.at ?? .distantFuture
            let next = min(deadline, event)
            guard next <= end else { break }
            now = max(now, next)
            if event <= deadline {
                perform(queue.removeFirst().event)
            } else {
                for id in electors.keys.sorted() where electors[id].map({ $0.nextDeadline <= now }) == true {
                    electors[id]?.tick(now: now)
                    perform(id)
                }
            }
            if isDone(self) { return }
        }
        now = max(now, end)
    }

    mutating func takeDecided() -> [(server: Int64, leader: Int64)] {
        defer { decided.removeAll() }
        return decided
    }

    func leader(of id: Int64) -> Int64? { electors[id]?.machine.leader?.rawValue }

    // MARK: Carrying out

    private mutating func perform(_ id: Int64) {
        while let actions = electors[id]?.takeActions(), !actions.isEmpty {
            for action in actions {
                switch action {
                case .dial(let to, _): dial(from: id, to: to.rawValue)
                case .send(let link, let bytes): send(bytes, on: link)
                case .close(let link): close(link)
                case .decided(let leader, _): decided.append((id, leader.rawValue))
                case .adopt, .lookingSeen, .leaderLooking, .note: break
                }
            }
        }
    }

    private mutating func perform(_ event: Event) {
        switch event {
        case .dialArrives(let from, let to):
            guard electors[from] != nil else { return }
            guard electors[to] != nil, !isCut(from, to) else {
                electors[from]?.dialFailed(ServerID(rawValue: to), now: now)
                return perform(from)
            }
            let (here, there) = (LinkID(rawValue: nextLink), LinkID(rawValue: nextLink + 1))
            nextLink += 2
            ends[here] = End(owner: from, other: there, peer: to, lastArrival: now)
            ends[there] = End(owner: to, other: here, peer: from, lastArrival: now)
            electors[to]?.accepted(there, now: now)
            perform(to)
            electors[from]?.dialled(here, to: ServerID(rawValue: to), now: now)
            perform(from)
        case .dialFails(let from, let to):
            electors[from]?.dialFailed(ServerID(rawValue: to), now: now)
            perform(from)
        case .bytes(let bytes, let link):
            guard let owner = ends[link]?.owner else { return }
            messages += 1
            electors[owner]?.received(bytes.span, on: link, now: now)
            perform(owner)
        case .closed(let link):
            guard let end = ends.removeValue(forKey: link) else { return }
            electors[end.owner]?.closed(link, now: now)
            perform(end.owner)
        }
    }

    private mutating func dial(from: Int64, to: Int64) {
        if isCut(from, to) { return schedule(.dialFails(from: from, to: to), in: 300) }
        schedule(.dialArrives(from: from, to: to), in: .random(in: delay, using: &random))
    }

    private mutating func send(_ bytes: [UInt8], on link: LinkID) {
        guard let end = ends[link], !isCut(end.owner, end.peer) else { return }
        // Now and then in two pieces.
        let cut = Int.random(in: 0..<4, using: &random) == 0 ? Int.random(in: 0...bytes.count, using: &random) : 0
        for piece in [bytes[..<cut], bytes[cut...]] where !piece.isEmpty {
            let travel = now.advanced(byMilliseconds: .random(in: delay, using: &random))
            let arrival = max(travel, ends[link]?.lastArrival ?? now)
            ends[link]?.lastArrival = arrival
            schedule(.bytes(Array(piece), end.other), at: arrival)
        }
    }

    /// This side is gone at once, the other learns of it after everything that was sent.
    private mutating func close(_ link: LinkID) {
        guard let end = ends.removeValue(forKey: link) else { return }
        guard !isCut(end.owner, end.peer) else { return }
        let travel = now.advanced(byMilliseconds: .random(in: delay, using: &random))
        schedule(.closed(end.other), at: max(travel, end.lastArrival))
    }

    private mutating func schedule(_ event: Event, in milliseconds: Int64) {
        schedule(event, at: now.advanced(byMilliseconds: milliseconds))
    }

    private mutating func schedule(_ event: Event, at moment: Instant) {
        sequence += 1
        let index = queue.lastIndex { $0.at <= moment }.map { $0 + 1 } ?? 0
        queue.insert((moment, sequence, event), at: index)
    }
}
