import ClusterSimulation
import ConclaveCore
import ConclaveSession
import ConclaveSimulator
import ConclaveWire

/// The real session machine on the simulator's links, with a record of everything that was asked and heard.
///
/// What it learns collects as news, in order; whoever owns it takes them and asks for more.
struct RecipeSession: Sendable {
    typealias Model = TreeModel<[UInt8]>

    enum News: Sendable {
        case completed(RequestID, RequestOutcome)
        case fired(WatcherID, WatchEvent)
        case watchEnded(WatcherID, ZooKeeperError.Code)
        case changed(SessionStatus)
        case holdLapsed
    }

    /// A request that the machine has.
    private struct Asked: Sendable {
        var request: Model.Request
        var watch: (key: TreeWatchKey, watcher: WatcherID)?
        /// Once it has been sent: its number and its place in the record.
        var sent: (cxid: Int32, operation: Int)?
    }

    private(set) var record = ClientRecord<Model.Request, Model.Response, TreeWatchKey>()
    private(set) var answeredWrites = 0
    private(set) var machine: SessionMachine
    private let options: SessionOptions
    private var actions: [SessionAction] = []
    private var news = RingBuffer<News>()
    private var output: [UInt8] = []
    private var link: Link?
    private var linkNumber: UInt32 = 0
    private var host = 0

    /// Requests can be answered.
    private(set) var isEstablished = false
    /// The session, once there is one.
    private(set) var session = SessionID.none
    /// The newest state that an answer has shown.
    private(set) var lastAnswer = Zxid.zero
    private var heldUntil = Instant.start
    private var isReleased = false

    // A second look at what comes and goes: for the zxids of answers and the numbers of requests.
    private var replies = FrameDecoder()
    private var isGreeted = false
    private var isFirstFrame = true
    private var answers = RingBuffer<(cxid: Int32, zxid: Zxid)>()
    // Asked for single requests only.
    private var asked: [RequestID: Asked] = [:]
    /// Not sent yet, in order.
    private var unsent: [RequestID] = []
    private var watching: [WatcherID: (record: Int, isExistence: Bool)] = [:]

    init(timeoutMilliseconds: Int32, _ world: inout World) {
        var options = SessionOptions()
        options.timeoutMilliseconds = timeoutMilliseconds
        options.connectTimeoutMilliseconds = 10_000
        self.options = options
        machine = Self.makeMachine(options, &world)
    }

    private static func makeMachine(_ options: SessionOptions, _ world: inout World) -> SessionMachine {
        let text = (0..<world.serverCount).map { "s\($0 + 1):2181" }.joined(separator: ",")
        do {
            return SessionMachine(options, servers: try ConnectString(text), seed: world.random.next())
        } catch {
            preconditionFailure("the connect string of the run is wrong: \(error)")
        }
    }

    /// Begins a new session; the old one is not thought of any more.
    mutating func begin(_ world: inout World) {
        machine = Self.makeMachine(options, &world)
        (isEstablished, isReleased) = (false, false)
        session = .none
        heldUntil = .start
        asked = [:]
        unsent = []
        watching = [:]
        news = RingBuffer()
        machine.start(now: world.now)
    }

    // MARK: Orders

    /// - Returns: what was asked and the watcher that the answer arms; `nil` if the session takes nothing more.
    mutating func submit(
        _ request: ClientRequest, watching kind: WatcherKind? = nil, _ world: inout World
    ) -> (request: RequestID, watcher: WatcherID?)? {
        var interest: WatchInterest?
        let asking = WireForm.tree(request)
        var watch: (key: TreeWatchKey, watcher: WatcherID)?
        if let kind, let path = WireForm.path(of: request) {
            let watcher = machine.takeWatcherID()
            interest = WatchInterest(kind, at: path, watcher: watcher)
            watch = (TreeWatchKey(path: path.text, isOnChildren: kind == .children), watcher)
        }
        guard let id = try? machine.submit(request, watching: interest, now: world.now) else { return nil }
        asked[id] = Asked(request: asking, watch: watch, sent: nil)
        unsent.append(id)
        return (id, interest?.watcher)
    }

    /// Nobody waits for the answer any more.
    mutating func cancel(_ id: RequestID) {
        if machine.cancel(id) == false { unsent.removeAll { $0 == id } }
        asked[id]?.watch = nil
    }

    mutating func drop(_ watcher: WatcherID, _ world: inout World) {
        if let watch = watching.removeValue(forKey: watcher) {
            record.end(watch: watch.record, moment: world.moment())
        }
        machine.drop(watcher, now: world.now)
    }

    mutating func close(_ world: inout World) {
        machine.close(now: world.now)
        // What the machine does not believe any more nobody does.
        guard session != .none, machine.validUntil <= .start else { return }
        isReleased = true
        world.observe(.released(session))
    }

    // MARK: Events

    mutating func tick(_ world: inout World) {
        if world.now >= machine.nextDeadline { machine.tick(now: world.now) }
    }

    mutating func dialled(_ link: Link, _ world: inout World) {
        guard link == self.link else { return }
        replies = FrameDecoder()
        (isGreeted, isFirstFrame) = (false, true)
        answers = RingBuffer()
        machine.connected(linkNumber, now: world.now)
    }

    mutating func closed(_ link: Link, _ world: inout World) {
        guard link == self.link else { return }
        self.link = nil
        machine.connectionLost(linkNumber, reason: "closed", now: world.now)
    }

    mutating func received(_ bytes: Span<UInt8>, on link: Link, _ world: inout World) {
        guard link == self.link else { return }
        noteReceived(bytes)
        machine.received(linkNumber, bytes, now: world.now)
    }

    /// What has been learned and not been taken yet.
    mutating func takeNews(_ world: inout World) -> News? {
        while true {
            machine.takeActions(into: &actions)
            guard !actions.isEmpty else { return news.popFirst() }
            var taken: [SessionAction] = []
            swap(&taken, &actions)
            for action in taken { perform(action, &world) }
        }
    }

    /// Sends what has collected and says how long the session may be believed in.
    mutating func send(_ world: inout World) {
        if machine.hasOutput {
            machine.takeOutput(into: &output)
            noteSent(&world)
            if let link { world.send(output, on: link) }
        }
        guard session != .none, !isReleased, machine.validUntil > heldUntil else { return }
        heldUntil = machine.validUntil
        world.observe(.held(session, until: heldUntil))
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
        case .fire(let watcher, let event):
            if let watch = watching.removeValue(forKey: watcher) {
                record.fire(watch.record, moment: world.moment())
            }
            news.append(.fired(watcher, event))
        case .endWatch(let watcher, let code):
            if let watch = watching.removeValue(forKey: watcher) {
                record.end(watch: watch.record, moment: world.moment())
            }
            news.append(.watchEnded(watcher, code))
        case .changed(let status): changed(status, &world)
        case .holdLapsed: news.append(.holdLapsed)
        case .probe: break
        }
    }

    private mutating func changed(_ status: SessionStatus, _ world: inout World) {
        world.note("session \(session): \(status)")
        switch status {
        case .connected, .reconnected, .readOnly:
            isEstablished = true
            session = machine.identity.session
        case .connecting: isEstablished = false
        case .suspended:
            isEstablished = false
            for watcher in watching.keys.sorted() {
                if let watch = watching[watcher], watch.isExistence { record.excuse(watch: watch.record) }
            }
        case .over:
            isEstablished = false
            isReleased = true
            if session != .none { world.observe(.released(session)) }
        }
        news.append(.changed(status))
    }

    private mutating func completed(_ id: RequestID, _ outcome: RequestOutcome, _ world: inout World) {
        guard let request = asked.removeValue(forKey: id) else { return }
        if let sent = request.sent { recordAnswer(sent.operation, sent.cxid, request, outcome, &world) }
        news.append(.completed(id, outcome))
    }

    private mutating func recordAnswer(
        _ operation: Int, _ cxid: Int32, _ asked: Asked, _ outcome: RequestOutcome, _ world: inout World
    ) {
        let response: Model.Response
        switch outcome {
        case .failed: return
        case .refused(let code):
            // That the session is over says nothing about the tree.
            if code == .sessionExpired || code == .sessionMoved { return }
            response = .error(code.rawValue)
        case .reply(let body): response = WireForm.response(body, to: asked.request)
        }
        // Answers to requests that nobody waits for any more lie before it.
        while let first = answers.first, first.cxid != cxid { _ = answers.popFirst() }
        guard let answer = answers.popFirst() else {
            return world.fail("answers have a zxid", "request \(cxid) of session \(session)")
        }
        lastAnswer = max(lastAnswer, answer.zxid)
        record.answer(operation, response, zxid: answer.zxid, moment: world.moment())
        if asked.request.isWrite {
            answeredWrites += 1
            world.observe(.answered(record.operations[operation].session, cxid: cxid, answer.zxid))
        }
        guard let (key, watcher) = asked.watch else { return }
        var isExistence = false
        if case .error(let code) = response {
            guard case .exists = asked.request, code == ZooKeeperError.Code.noNode.rawValue else { return }
            isExistence = true
        }
        let watch = record.watch(key, session: session, setAt: answer.zxid, moment: world.moment())
        watching[watcher] = (watch, isExistence)
    }

    // MARK: Looking at the bytes

    private mutating func noteReceived(_ bytes: Span<UInt8>) {
        replies.append(bytes)
        while let frame = try? replies.nextFrame() {
            guard isGreeted else {
                isGreeted = true
                continue
            }
            var reader = ByteReader(replies.buffer, in: frame)
            if let header = try? ReplyHeader(from: &reader), header.xid > 0 {
                answers.append((header.xid, header.zxid))
            }
        }
    }

    private mutating func noteSent(_ world: inout World) {
        var offset = 0
        var sent = 0
        while offset + 12 <= output.count {
            var reader = ByteReader(output, in: offset..<output.count)
            guard let length = try? reader.readInt32() else { break }
            offset += 4 + Int(length)
            guard !isFirstFrame else {
                isFirstFrame = false
                continue
            }
            guard let header = try? RequestHeader(from: &reader), header.xid > 0 else { continue }
            // The machine's own.
            if header.operation == .removeWatches || header.operation == .closeSession { continue }
            guard sent < unsent.count else { break }
            let id = unsent[sent]
            sent += 1
            guard let request = asked[id]?.request else { continue }
            let operation = record.ask(
                request, isWrite: request.isWrite, session: session, cxid: header.xid, moment: world.moment())
            asked[id]?.sent = (header.xid, operation)
        }
        unsent.removeFirst(sent)
    }
}
