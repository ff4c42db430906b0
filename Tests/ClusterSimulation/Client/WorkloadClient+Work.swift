import ConclaveCore
import ConclaveSession
import ConclaveSimulator
import ConclaveWire

/// What the client asks for, and what it makes of the answers.
extension WorkloadClient {
    private static let parents = ["/p0", "/p1", "/p2"]

    mutating func work(_ world: inout World) {
        switch ending {
        case .not:
            guard !isReleased else { return }
            if world.now >= sessionEndsAt {
                world.observe(.released(session))
                isReleased = true
                machine.close(now: world.now)
                return
            }
            workOnLasting(&world)
            guard asked.count < depthLimit else { return }
            let (request, watches) = draw(&world)
            submit(request, watches: watches, &world)
        case .asked:
            guard !isReleased, asked.isEmpty else { return }
            if let operation = submit(.set("/p0", value: value(&world), version: -1), watches: false, &world) {
                ending = .wrote(operation)
            }
        case .wrote, .reading, .finished: return
        }
    }

    private mutating func value(_ world: inout World) -> Int64 {
        sequence += 1
        return Int64(world.process) << 32 | sequence
    }

    private mutating func draw(_ world: inout World) -> (TreeRequest, watches: Bool) {
        let parent = Self.parents[world.random.index(below: Self.parents.count)]
        let child = parent + "/c\(world.random.below(3))"
        let path = world.random.chance(perMille: 250) ? parent : child
        let version = world.random.chance(perMille: 500) ? -1 : versions[path] ?? 0
        let watches = world.random.chance(perMille: 300)
        switch world.random.below(100) {
        case 0..<14: return (create(path, &world), false)
        case 14..<30: return (.set(path, value: value(&world), version: version), false)
        case 30..<36: return (.delete(path, version: version), false)
        case 36..<43:
            let isEphemeral = world.random.chance(perMille: 500)
            return (
                .create(parent + "/s-", value: value(&world), isEphemeral: isEphemeral, isSequential: true), false
            )
        case 43..<48:
            guard let name = names.popLast() else { return (.children(parent), watches) }
            return (.delete(name, version: -1), false)
        case 48..<56:
            let count = 1 + world.random.index(below: 3)
            return (.multi((0..<count).map { _ in part(&world) }), false)
        case 56..<60: return (.sync(path), false)
        case 60..<75: return (.get(path), watches)
        case 75..<87: return (.exists(path), watches)
        default: return (.children(parent), watches)
        }
    }

    private mutating func create(_ path: String, _ world: inout World) -> TreeRequest {
        let isEphemeral = path.count > 3 && world.random.chance(perMille: 400)
        return .create(path, value: value(&world), isEphemeral: isEphemeral, isSequential: false)
    }

    private mutating func part(_ world: inout World) -> TreeRequest {
        let parent = Self.parents[world.random.index(below: Self.parents.count)]
        let path = parent + "/c\(world.random.below(3))"
        switch world.random.below(4) {
        case 0: return create(path, &world)
        case 1: return .delete(path, version: -1)
        case 2: return .check(path, version: versions[path] ?? -1)
        default: return .set(path, value: value(&world), version: -1)
        }
    }

    // MARK: Asking

    /// - Returns: the place in the record.
    @discardableResult
    private mutating func submit(_ request: TreeRequest, watches: Bool, _ world: inout World) -> Int? {
        var watch: TreeWatchKey?
        var interest: WatchInterest?
        if watches, let (key, kind) = Self.watch(of: request) {
            watch = key
            interest = WatchInterest(kind, at: NodePath(key.path), watcher: machine.takeWatcherID())
        }
        let wire = Self.wire(request, watches: watches)
        guard let id = try? machine.submit(wire, watching: interest, now: world.now) else { return nil }
        asked[id] = Asked(request: request, watch: watch, watcher: interest?.watcher, sent: nil)
        unsent.append(id)
        act(&world)
        return asked[id]?.sent?.operation
    }

    private static func watch(of request: TreeRequest) -> (TreeWatchKey, WatcherKind)? {
        switch request {
        case .get(let path): (TreeWatchKey(path: path, isOnChildren: false), .data)
        case .exists(let path): (TreeWatchKey(path: path, isOnChildren: false), .existence)
        case .children(let path): (TreeWatchKey(path: path, isOnChildren: true), .children)
        default: nil
        }
    }

    private static func wire(_ request: TreeRequest, watches: Bool) -> ClientRequest {
        switch request {
        case .create(let path, let value, let isEphemeral, let isSequential):
            let mode: CreateMode =
                switch (isEphemeral, isSequential) {
                case (false, false): .persistent
                case (true, false): .ephemeral
                case (false, true): .persistentSequential
                case (true, true): .ephemeralSequential
                }
            return .create(
                CreateRequest(path: NodePath(path), data: bytes(value), acl: .open, mode: mode, wantsStat: false))
        case .delete(let path, let version): return .delete(path: NodePath(path), version: version)
        case .set(let path, let value, let version):
            return .setData(path: NodePath(path), data: bytes(value), version: version)
        case .check(let path, let version): return .check(path: NodePath(path), version: version)
        case .multi(let parts): return .multi(parts.map { wire($0, watches: false) })
        case .get(let path): return .getData(path: NodePath(path), watch: watches)
        case .exists(let path): return .exists(path: NodePath(path), watch: watches)
        case .children(let path): return .getChildren2(path: NodePath(path), watch: watches)
        case .bundle(let parts): return .multiRead(parts.map { wire($0, watches: false) })
        case .sync(let path): return .sync(path: NodePath(path))
        }
    }

    private static func bytes(_ value: Int64) -> [UInt8] {
        var writer = ByteWriter()
        writer.writeInt64(value)
        return writer.bytes
    }

    // MARK: Answers

    mutating func completed(_ id: RequestID, _ outcome: RequestOutcome, _ world: inout World) {
        guard !armed(id, outcome, &world) else { return }
        guard let request = asked.removeValue(forKey: id), let (cxid, operation) = request.sent else { return }
        let response: TreeResponse
        switch outcome {
        case .failed: return lost(operation)
        case .refused(let code):
            // That the session is over says nothing about the tree.
            if SessionRefusal.codes.contains(code.rawValue) {
                removeAnswer(cxid)
                return lost(operation)
            }
            response = .error(code.rawValue)
        case .reply(let body): response = Self.response(body, to: request.request)
        }
        guard let zxid = removeAnswer(cxid) else {
            return world.fail("answers have a zxid", "request \(cxid) of session \(session)")
        }
        let operationSession = record.operations[operation].session
        record.answer(operation, response, zxid: zxid, moment: world.moment())
        learn(request.request, response)
        if request.request.isWrite {
            answeredWrites += 1
            world.observe(.answered(operationSession, cxid: cxid, zxid))
        }
        if let key = request.watch, let watcher = request.watcher {
            armed(key, watcher, request, response, zxid, &world)
        }
        proceed(operation, &world)
    }

    @discardableResult
    mutating func removeAnswer(_ cxid: Int32) -> Zxid? {
        guard let index = answers.firstIndex(where: { $0.cxid == cxid }) else { return nil }
        return answers.remove(at: index).zxid
    }

    /// Nobody knows what became of it.
    private mutating func lost(_ operation: Int) {
        switch ending {
        case .wrote(operation), .reading(operation): ending = .asked
        case .not, .asked, .wrote, .reading, .finished: break
        }
    }

    private mutating func proceed(_ operation: Int, _ world: inout World) {
        switch ending {
        case .wrote(operation):
            ending = .asked
            if isEstablished, let read = submit(.get("/p0"), watches: false, &world) { ending = .reading(read) }
        case .reading(operation): ending = .finished
        case .not, .asked, .wrote, .reading, .finished: break
        }
    }

    private mutating func learn(_ request: TreeRequest, _ response: TreeResponse) {
        switch (request, response) {
        case (.get(let path), .data(_, let stat)), (.set(let path, _, _), .stat(let stat)),
            (.exists(let path), .stat(let stat)):
            versions[path] = stat.version
        case (.create(let path, _, _, false), .created): versions[path] = 0
        case (.children(let path), .children(let children, _)):
            names = children.filter { $0.hasPrefix("s-") }.prefix(4).map { path + "/" + $0 }
        default: break
        }
    }

    private mutating func armed(
        _ key: TreeWatchKey, _ watcher: WatcherID, _ request: Asked, _ response: TreeResponse, _ zxid: Zxid,
        _ world: inout World
    ) {
        var isExistence = false
        if case .error(let code) = response {
            guard case .exists = request.request, code == ZooKeeperError.Code.noNode.rawValue else { return }
            isExistence = true
        }
        let watch = record.watch(key, session: session, setAt: zxid, moment: world.moment())
        watching[watcher] = (watch, key, isExistence)
    }

    mutating func fired(_ watcher: WatcherID, _ event: WatchEvent, _ world: inout World) {
        guard !heard(watcher, event, &world) else { return }
        guard let watch = watching.removeValue(forKey: watcher) else {
            return world.fail("no event without a watch", "\(event)")
        }
        record.fire(watch.record, moment: world.moment())
    }

    private static func response(_ body: ReplyBody, to request: TreeRequest) -> TreeResponse {
        switch (body, request) {
        case (.path(let path), .create): .created(path)
        case (.stat(let stat), _): .stat(TreeStat(stat))
        case (.data(let data, let stat), _): .data(value(data), TreeStat(stat))
        case (.children(let names, let stat), _): .children(names.sorted(), TreeStat(stat))
        case (.multi(let results), _): .multi(results.map(Self.response))
        default: .done
        }
    }

    private static func response(_ result: MultiResult) -> TreeResponse {
        switch result {
        case .created(let path, _): .created(path)
        case .dataSet(let stat): .stat(TreeStat(stat))
        case .failed(let code): .error(code.rawValue)
        case .deleted, .checked, .data, .children: .done
        }
    }

    private static func value(_ data: [UInt8]?) -> Int64 {
        var reader = ByteReader(data ?? [])
        return (try? reader.readInt64()) ?? -1
    }
}

extension TreeStat {
    package init(_ stat: Stat) {
        self.init(
            czxid: stat.czxid, mzxid: stat.mzxid, pzxid: stat.pzxid, version: stat.version, cversion: stat.cversion,
            owner: stat.ephemeralOwner, children: stat.numChildren)
    }
}
