import ConclaveCore
import ConclaveSimulator

/// A client of the toy with a random workload.
///
/// Keeps what it asked and heard, believes in its session only for the hold window, and moves on to another server when
/// its own goes silent.
struct ToyClient: SimulatedClient {
    typealias Model = ToyModel
    typealias Record = ClientRecord<ToyModel.Request, ToyAnswer, Int32>

    struct Setup: Sendable {
        var bug: ToyBug?
        /// Between requests, on average; drawn anew for each client below this.
        var slowestMilliseconds: Int64 = 100
    }

    enum Ending: Sendable { case not, asked, wrote(Int), reading(Int), finished }

    private let bug: ToyBug?
    private let paceMilliseconds: Int64
    private let timeoutMilliseconds: Int64
    private(set) var record = Record()
    private(set) var answeredWrites = 0

    private var link: Link?
    private var isConnected = false
    private var input = ToyInput()
    private var heardAt: Instant
    private var dialAt: Instant
    private var session = SessionID.none
    private var lastZxid = Zxid.zero
    private var nextCxid: Int32 = 1
    private var sequence: Int64 = 0
    /// Unanswered on this connection: request number and operation.
    private var open: [(cxid: Int32, operation: Int, watchKey: Int32?)] = []
    private var pings: [(number: Int64, sentAt: Instant)] = []
    private var pingAt: Instant
    private var workAt: Instant
    /// For each key the watch that waits.
    private var watching: [Int?]
    /// The versions last seen, for swaps that have a chance.
    private var versions: [Int32]
    private var ending = Ending.not
    private var tickAt: Instant

    init(_ setup: Setup, world: inout World) {
        bug = setup.bug
        paceMilliseconds = world.random.magnitude(1...setup.slowestMilliseconds)
        timeoutMilliseconds = world.random.between(1_000...4_000)
        let now = world.now
        (heardAt, dialAt, pingAt, workAt, tickAt) = (now, now, now, now, now)
        watching = [Int?](repeating: nil, count: ToyState.keyCount)
        versions = [Int32](repeating: 0, count: ToyState.keyCount)
    }

    var nextDeadline: Instant { tickAt }

    var isFinished: Bool { if case .finished = ending { true } else { false } }

    mutating func finish(world: inout World) {
        if case .not = ending { ending = .asked }
    }

    mutating func tick(world: inout World) {
        let now = world.now
        tickAt = now.advanced(byMilliseconds: 10)
        if link == nil {
            guard now >= dialAt else { return }
            input = ToyInput()
            heardAt = now
            link = world.dial(world.random.index(below: world.serverCount), .client)
            return
        }
        guard now < heardAt.advanced(byMilliseconds: timeoutMilliseconds / 2) else { return leave(world: &world) }
        guard isConnected else { return }
        if now >= pingAt {
            pingAt = now.advanced(byMilliseconds: timeoutMilliseconds / 5)
            let number = Int64(bitPattern: world.random.next() >> 1)
            pings.append((number, now))
            say(.ping(number), world: &world)
        }
        if now >= workAt { work(world: &world) }
    }

    private mutating func say(_ message: ToyMessage, world: inout World) {
        if let link { world.send(message.frame, on: link) }
    }

    /// Gives up the connection; what was not answered stays unknown.
    private mutating func leave(world: inout World) {
        if let link { world.close(link) }
        gone(world: &world)
    }

    private mutating func gone(world: inout World) {
        link = nil
        isConnected = false
        open = []
        pings = []
        dialAt = world.now.advanced(byMilliseconds: 5 + world.random.below(100))
        switch ending {
        case .wrote, .reading: ending = .asked
        case .not, .asked, .finished: break
        }
    }

    // MARK: Links

    mutating func dialled(_ link: Link, world: inout World) {
        guard link == self.link else { return }
        heardAt = world.now
        say(
            .connect(session: session, lastZxid: lastZxid, timeoutMilliseconds: Int32(timeoutMilliseconds)),
            world: &world)
    }

    mutating func dialFailed(_ link: Link, world: inout World) { if link == self.link { gone(world: &world) } }

    mutating func closed(_ link: Link, world: inout World) { if link == self.link { gone(world: &world) } }

    mutating func received(_ bytes: Span<UInt8>, on link: Link, world: inout World) {
        guard link == self.link else { return }
        heardAt = world.now
        input.append(bytes)
        while self.link == link, let message = input.next() { hear(message, world: &world) }
    }

    private mutating func hear(_ message: ToyMessage, world: inout World) {
        switch message {
        case .connected(let id, _):
            session = id
            isConnected = true
            pingAt = world.now
            let keys = (0..<Int32(watching.count)).filter { watching[Int($0)] != nil }
            if !keys.isEmpty { say(.watch(keys: keys, lastZxid: lastZxid), world: &world) }
        case .noSession:
            endSession(world: &world)
            leave(world: &world)
        case .pong(let number):
            guard let ping = pings.first(where: { $0.number == number }) else { return }
            pings.removeAll { $0.sentAt <= ping.sentAt }
            // The clocks of both sides may be wrong by two percent each.
            let window = timeoutMilliseconds * 94 / 100
            let from = bug == .countsHoldFromAnswer ? world.now : ping.sentAt
            world.observe(.held(session, until: from.advanced(byMilliseconds: window)))
        case .event(let key):
            guard let watch = watching[Int(key)] else {
                return world.fail("no event without a watch", "key \(key)")
            }
            watching[Int(key)] = nil
            record.fire(watch, moment: world.moment())
        case .reply(let cxid, let zxid, let answer): answered(cxid, zxid, answer, world: &world)
        default: world.fail("the toy keeps to its protocol", "\(message)")
        }
    }

    private mutating func endSession(world: inout World) {
        world.observe(.released(session))
        for key in watching.indices {
            if let watch = watching[key] { record.end(watch: watch, moment: world.moment()) }
            watching[key] = nil
        }
        session = .none
        lastZxid = .zero
    }

    // MARK: Work

    private mutating func work(world: inout World) {
        workAt = world.now.advanced(byMilliseconds: world.random.below(paceMilliseconds * 2))
        switch ending {
        case .not:
            guard open.count < 4 else { return }
            let key = Int32(world.random.index(below: ToyState.keyCount))
            switch world.random.below(100) {
            case 0..<30: ask(.set, key, world: &world)
            case 30..<55: ask(.swap, key, world: &world)
            case 55..<99: ask(.read, key, world: &world)
            default:
                say(.bye(cxid: nextCxid), world: &world)
                nextCxid += 1
                endSession(world: &world)
                leave(world: &world)
            }
        case .asked:
            guard open.isEmpty else { return }
            ask(.set, 0, world: &world)
            if let last = open.last { ending = .wrote(last.operation) }
        case .wrote, .reading, .finished: return
        }
    }

    private mutating func ask(_ kind: ToyCommand.Kind, _ key: Int32, world: inout World) {
        sequence += 1
        let value = Int64(world.process) << 32 | sequence
        let command = ToyCommand(kind: kind, key: key, value: value, version: versions[Int(key)])
        let watches =
            kind == .read && watching[Int(key)] == nil && !open.contains { $0.watchKey == key }
            && world.random.chance(perMille: 400)
        let operation = record.ask(
            ToyModel.Request(command: command), isWrite: kind != .read, session: session, cxid: nextCxid,
            moment: world.moment())
        open.append((nextCxid, operation, watches ? key : nil))
        say(.request(cxid: nextCxid, command: command, watches: watches), world: &world)
        nextCxid += 1
    }

    private mutating func answered(_ cxid: Int32, _ zxid: Zxid, _ answer: ToyAnswer, world: inout World) {
        guard let place = open.firstIndex(where: { $0.cxid == cxid }) else {
            return world.fail("the toy keeps to its protocol", "an answer to request \(cxid), which is not open")
        }
        let (_, operation, watchKey) = open.remove(at: place)
        let asked = record.operations[operation]
        record.answer(operation, answer, zxid: zxid, moment: world.moment())
        lastZxid = max(lastZxid, zxid)
        let key = asked.request.command.key
        if answer.version >= 0 { versions[Int(key)] = answer.version }
        if asked.isWrite {
            answeredWrites += 1
            world.observe(.answered(asked.session, cxid: cxid, zxid))
        } else if let watchKey {
            watching[Int(watchKey)] = record.watch(
                watchKey, session: session, setAt: zxid, moment: world.moment())
        }
        switch ending {
        case .wrote(operation):
            ask(.read, 0, world: &world)
            if let last = open.last { ending = .reading(last.operation) }
        case .reading(operation): ending = .finished
        case .not, .asked, .wrote, .reading, .finished: break
        }
    }
}
