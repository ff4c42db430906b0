import ConclaveCore
import ConclaveSession
import ConclaveSimulator
import ConclaveWire

/// A client of the product in the simulator: the real session machine with a random workload.
///
/// Keeps what it asked and heard. When its session is over it begins another one.
package struct WorkloadClient: SimulatedClient {
    package typealias Model = TreeModel<Int64>
    package typealias TreeRequest = Model.Request
    package typealias TreeResponse = Model.Response
    package typealias Record = ClientRecord<TreeRequest, TreeResponse, TreeWatchKey>

    package struct Setup: Sendable {
        package var planted: PlantedBug?

        package init(planted: PlantedBug? = nil) { self.planted = planted }
    }

    enum Ending: Sendable { case not, asked, wrote(Int), reading(Int), finished }

    /// A request that the machine has.
    struct Asked: Sendable {
        var request: TreeRequest
        var watch: TreeWatchKey?
        var watcher: WatcherID?
        /// Once it has been sent: its number and its place in the record.
        var sent: (cxid: Int32, operation: Int)?
    }

    let planted: PlantedBug?
    /// Only with a bug.
    var lastWrite: (session: SessionID, frame: [UInt8])?
    let paceMilliseconds: Int64
    let depthLimit: Int
    let options: SessionOptions
    package internal(set) var record = Record()
    package internal(set) var answeredWrites = 0
    /// Lasting watches and what was heard of them.
    package internal(set) var journal: [LastingWatch] = []

    var machine: SessionMachine
    var actions: [SessionAction] = []
    var output: [UInt8] = []
    var isEstablished = false
    var link: Link?
    var linkNumber: UInt32 = 0
    var hosts: [HostAddress] = []
    var host = 0
    /// A second look at what arrives, for the zxids of answers.
    var replies = FrameDecoder()
    var isGreeted = false
    /// A second look at what is sent, for the numbers of requests.
    var isFirstFrame = true
    var answers: [(cxid: Int32, zxid: Zxid)] = []

    var asked: [RequestID: Asked] = [:]
    /// Not sent yet, in order.
    var unsent = RingBuffer<RequestID>()
    var watching: [WatcherID: (record: Int, key: TreeWatchKey, isExistence: Bool)] = [:]
    /// Lasting watches that are being asked for, and those that are there.
    var arming: [RequestID: Arming] = [:]
    var lasting: [WatcherID: LivingWatch] = [:]
    let usesLasting: Bool
    var lastingCount = 0
    var session = SessionID.none
    var heldUntil = Instant.start
    /// The machine has come to its end.
    var isOver = false
    /// Nothing is believed any more: the session is being closed.
    var isReleased = false
    var versions: [String: Int32] = [:]
    /// Children seen last, which may be deleted.
    var names: [String] = []
    var sequence: Int64 = 0
    var workAt: Instant
    var ending = Ending.not
    var sessionEndsAt: Instant

    package init(_ setup: Setup, world: inout World) {
        planted = setup.planted
        usesLasting = Self.usesLastingWatches(world)
        paceMilliseconds = world.random.magnitude(1...100)
        depthLimit = Int(world.random.magnitude(1...16))
        var options = SessionOptions()
        options.timeoutMilliseconds = Int32(world.random.between(400...4_000))
        options.connectTimeoutMilliseconds = 10_000
        self.options = options
        machine = Self.makeMachine(options, &world)
        workAt = world.now
        sessionEndsAt = world.now
        begin(&world)
    }

    private static func makeMachine(_ options: SessionOptions, _ world: inout World) -> SessionMachine {
        let text = (0..<world.serverCount).map { "s\($0 + 1):2181" }.joined(separator: ",")
        do {
            return SessionMachine(options, servers: try ConnectString(text), seed: world.random.next())
        } catch {
            preconditionFailure("the connect string of the run is wrong: \(error)")
        }
    }

    mutating func begin(_ world: inout World) {
        if session != .none { world.observe(.released(session)) }
        machine = Self.makeMachine(options, &world)
        isEstablished = false
        isReleased = false
        session = .none
        heldUntil = .start
        asked = [:]
        unsent = RingBuffer()
        watching = [:]
        endSpells(&world)
        (arming, lasting, lastingCount) = ([:], [:], 0)
        sessionEndsAt = world.now.advanced(byMilliseconds: 500 + world.random.magnitude(500...60_000))
        machine.start(now: world.now)
        act(&world)
    }

    package var isFinished: Bool { if case .finished = ending { true } else { false } }

    package mutating func finish(world: inout World) { if case .not = ending { ending = .asked } }

    // MARK: Time

    package var nextDeadline: Instant { min(workAt, machine.nextDeadline) }

    package mutating func tick(world: inout World) {
        let now = world.now
        if now >= machine.nextDeadline { machine.tick(now: now) }
        act(&world)
        guard now >= workAt else { return }
        workAt = now.advanced(byMilliseconds: 1 + world.random.below(paceMilliseconds * 2))
        if isEstablished { work(&world) }
        act(&world)
    }

    // MARK: Links

    package mutating func dialled(_ link: Link, world: inout World) {
        guard link == self.link else { return }
        replies = FrameDecoder()
        isGreeted = false
        isFirstFrame = true
        answers = []
        machine.connected(linkNumber, now: world.now)
        act(&world)
    }

    package mutating func dialFailed(_ link: Link, world: inout World) { closed(link, world: &world) }

    package mutating func closed(_ link: Link, world: inout World) {
        guard link == self.link else { return }
        self.link = nil
        machine.connectionLost(linkNumber, reason: "closed", now: world.now)
        act(&world)
    }

    package mutating func received(_ bytes: Span<UInt8>, on link: Link, world: inout World) {
        guard link == self.link else { return }
        note(bytes, &world)
        machine.received(linkNumber, bytes, now: world.now)
        act(&world)
    }

    /// Keeps the zxids of answers, which the machine does not tell.
    private mutating func note(_ bytes: Span<UInt8>, _ world: inout World) {
        replies.append(bytes)
        while let frame = try? replies.nextFrame() {
            guard isGreeted else {
                isGreeted = true
                continue
            }
            var reader = ByteReader(replies.buffer, in: frame)
            guard let header = try? ReplyHeader(from: &reader) else { continue }
            if header.xid > 0 {
                answers.append((header.xid, header.zxid))
            } else {
                noteForLasting(header, &reader, &world)
            }
        }
    }

    // MARK: What the machine wants

    mutating func act(_ world: inout World) {
        while true {
            machine.takeActions(into: &actions)
            guard !actions.isEmpty else { break }
            var taken: [SessionAction] = []
            swap(&taken, &actions)
            for action in taken { perform(action, &world) }
        }
        send(&world)
        if isOver {
            isOver = false
            return begin(&world)
        }
        var until = machine.validUntil
        if planted == .countsHoldFromAnswer, until > heldUntil {
            until = max(until, world.now.advanced(byMilliseconds: Int64(machine.timeoutMilliseconds) * 19 / 20))
        }
        if session != .none, !isReleased, until > heldUntil {
            heldUntil = until
            world.observe(.held(session, until: until))
        }
    }

    private mutating func perform(_ action: SessionAction, _ world: inout World) {
        switch action {
        case .resolve(let attempt, let host):
            self.host = (Int(host.host.dropFirst()) ?? 1) - 1
            machine.resolved(attempt, addresses: 1, now: world.now)
        case .connect(let number, _):
            if let link { world.close(link) }
            linkNumber = number
            link = world.dial(host, .client)
        case .disconnect(let number):
            guard number == linkNumber, let link else { return }
            world.close(link)
            self.link = nil
        case .complete(let id, let outcome): completed(id, outcome, &world)
        case .fire(let watcher, let event): fired(watcher, event, &world)
        case .endWatch(let watcher, _):
            lasting[watcher] = nil
            if let watch = watching.removeValue(forKey: watcher) {
                record.end(watch: watch.record, moment: world.moment())
            }
        case .changed(let status): changed(status, &world)
        case .holdLapsed, .probe: break
        }
    }

    private mutating func changed(_ status: SessionStatus, _ world: inout World) {
        world.note("session \(session): \(status)")
        switch status {
        case .connected, .reconnected, .readOnly:
            isEstablished = true
            session = machine.identity.session
            if let link, case .reconnected = status { world.send(repeatedWrite(), on: link) }
        case .connecting: isEstablished = false
        case .suspended:
            isEstablished = false
            endSpells(&world)
            for watcher in watching.keys.sorted() {
                if let watch = watching[watcher], watch.isExistence { record.excuse(watch: watch.record) }
            }
            switch ending {
            case .wrote, .reading: ending = .asked
            case .not, .asked, .finished: break
            }
        case .over:
            isEstablished = false
            world.observe(.released(session))
            session = .none
            isOver = true
        }
    }

    // MARK: Sending

    private mutating func send(_ world: inout World) {
        guard machine.hasOutput else { return }
        machine.takeOutput(into: &output)
        tamper()
        noteSent(&world)
        if let link { world.send(output, on: link) }
    }

    /// Learns the numbers that the machine gave to requests.
    private mutating func noteSent(_ world: inout World) {
        var offset = 0
        while offset + 12 <= output.count {
            var reader = ByteReader(output, in: offset..<output.count)
            guard let length = try? reader.readInt32() else { return }
            defer { offset += 4 + Int(length) }
            guard !isFirstFrame else {
                isFirstFrame = false
                continue
            }
            guard let header = try? RequestHeader(from: &reader), header.xid > 0 else { continue }
            // The machine's own.
            if header.operation == .removeWatches || header.operation == .closeSession { continue }
            guard let id = unsent.popFirst() else { continue }
            arming[id]?.cxid = header.xid
            guard let request = asked[id]?.request else { continue }
            let operation = record.ask(
                request, isWrite: request.isWrite, session: session, cxid: header.xid, moment: world.moment())
            asked[id]?.sent = (header.xid, operation)
        }
    }
}
