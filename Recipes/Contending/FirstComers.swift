import ConclaveClient
import ConclaveCore

/// Those who contend for one ephemeral node: the first to create it holds, the others watch it go and try again.
///
/// The simple form: no queue and so no order, and every release wakes all who wait. Uncontended it costs one request to
/// get and one to give up. The parent is persistent, not a container: its version must never start anew.
struct FirstComers: Sendable {
    let client: ZooKeeperClient
    let path: String
    let identity: [UInt8]
    let acl: [ACL]
    let cleaner: Cleaner

    init(_ client: ZooKeeperClient, at path: String, identity: String, acl: [ACL]) {
        self.client = client
        self.path = path
        self.identity = Array(identity.utf8)
        self.acl = acl
        cleaner = Cleaner(client)
    }

    /// The node that all compete for.
    var lockPath: String { path == "/" ? "/lock" : path + "/lock" }

    /// Competes until it holds; `nil` only if `patience` is `.once` and somebody holds.
    func acquire(patience: AttemptPatience, deadline: Deadline) async throws(ZooKeeperError) -> Hold? {
        try await deadline.limit { (expiry: Expiry) async throws(ZooKeeperError) -> Hold? in
            var generator = SystemRandomNumberGenerator()
            let machine = FirstComeMachine(
                attempt: AttemptID(using: &generator), session: client.sessionID, patience: patience,
                isHeldByTask: !TaskHolds.names(under: path).isEmpty)
            return try await run(machine, expiry: expiry)
        }
    }

    /// Who holds, if anybody does. Cost: one request.
    func holder() async throws(ZooKeeperError) -> Contender? {
        do {
            let node = try await client.data(at: lockPath)
            return Contender(
                identity: String(decoding: node.bytes, as: UTF8.self), position: 0, isShared: false, isHolder: true,
                sinceMilliseconds: node.stat.ctime, session: node.stat.ephemeralOwner,
                token: FencingToken(node.stat.czxid), path: lockPath)
        } catch let error where error.code == .noNode {
            return nil
        }
    }

    // MARK: - Performing the machine's actions

    private func run(_ start: FirstComeMachine, expiry: Expiry) async throws(ZooKeeperError) -> Hold? {
        var machine = start
        var event = FirstComeMachine.Event.start
        var lastError: ZooKeeperError?
        while true {
            var answer: FirstComeMachine.Event?
            for action in machine.handle(event) {
                switch action {
                case .remove(let claim):
                    cleaner.start { _ throws(ZooKeeperError) in try await remove(claim) }
                case .sweep(let attempt):
                    let session = client.sessionID
                    cleaner.start { _ throws(ZooKeeperError) in
                        guard let claim = try await inspect()?.claim(of: attempt, session: session) else { return }
                        try await remove(claim)
                    }
                case .grant(let claim):
                    let hold = Hold(
                        client: client, cleaner: cleaner, parent: path, path: lockPath, token: FencingToken(claim.zxid),
                        isShared: false, removal: .underVersion(claim.version))
                    hold.begin(ownWatch: nil)
                    return hold
                case .end(.busy):
                    return nil
                case .end(let ending):
                    throw Contenders(client, at: path).error(for: ending, last: lastError)
                case .makeParents, .claim, .inspect, .waitForHolder, .awaitConnection:
                    do {
                        answer = try await request(action)
                    } catch {
                        lastError = error
                        answer = error.code == .cancelled && expiry.isSet ? .deadlinePassed : .failed(error.code)
                    }
                }
            }
            guard let answer else { preconditionFailure("the attempt stands still in state \(machine.state)") }
            event = answer
        }
    }

    private func request(_ action: FirstComeMachine.Action) async throws(ZooKeeperError) -> FirstComeMachine.Event {
        switch action {
        case .makeParents:
            try await Parents.make(path, with: client, mode: .persistent, acl: acl)
            return .parentsMade
        case .claim(let attempt):
            return try await claim(attempt)
        case .inspect:
            return .inspected(try await inspect(), isWindowOpen: client.isHolding)
        case .waitForHolder:
            let (stat, change) = try await client.watchExists(lockPath)
            if stat != nil { _ = try await change.fired() }
            return .holderGone
        case .awaitConnection:
            return try await client.connectionEvent(connected: .connected, over: { .sessionOver($0) })
        case .remove, .sweep, .grant, .end:
            preconditionFailure("\(action) is not a request")
        }
    }

    private func claim(_ attempt: AttemptID) async throws(ZooKeeperError) -> FirstComeMachine.Event {
        do throws(ZooKeeperError) {
            let results = try await client.transaction([
                .create(lockPath, identity, mode: .ephemeral, acl: acl),
                .setData(path, Array(attempt.text.utf8), version: nil),
            ])
            guard case .dataSet(let stat) = results.last else {
                throw ZooKeeperError(.protocolViolation, path: path, message: "the transaction's answer is incomplete")
            }
            let claim = FirstComeMachine.Claim(zxid: stat.mzxid, version: stat.version)
            return .claimed(claim, isWindowOpen: client.isHolding)
        } catch let error where error.code == .nodeExists {
            return .taken
        }
    }

    private func inspect() async throws(ZooKeeperError) -> FirstComeMachine.Picture? {
        try await client.sync(path)
        guard let lock = try await client.exists(lockPath) else { return nil }
        let parent = try await client.data(at: path)
        return FirstComeMachine.Picture(
            lockCreated: lock.czxid, lockOwner: lock.ephemeralOwner, parentData: parent.bytes,
            parentModified: parent.stat.mzxid, parentVersion: parent.stat.version)
    }

    private func remove(_ claim: FirstComeMachine.Claim) async throws(ZooKeeperError) {
        do {
            try await client.transaction([.check(path, version: claim.version), .delete(lockPath, version: nil)])
        } catch let error where error.code == .noNode || error.code == .badVersion {
            // It is gone already, or belongs to a later holder.
        }
    }
}
