import ConclaveClient
import ConclaveCore

/// Performs the actions of a ``ContenderMachine`` with a client, in the task of whoever acquires.
struct ContenderShell: ~Copyable {
    /// The place that the attempt has got: nobody is before it.
    struct Place: Sendable {
        let node: ContenderMachine.Node
        let attempt: AttemptID
        let ownWatch: Watch?
        /// What holds that ended without a release have left.
        let orphans: [HoldMarker]
        /// Whether there is a note of terms that began out of turn.
        let isDated: Bool
    }

    let contenders: Contenders
    let kind: ContenderKind
    var machine: ContenderMachine
    let expiry: Expiry
    /// Who wants to know the place in the queue.
    let report: PositionReport?
    private var orphans: [HoldMarker] = []
    private var isDated = false
    private var lastError: ZooKeeperError?
    private var ownWatch: (name: String, watch: Watch)?
    /// Which writes to the own node a listing has followed.
    private var ownVersion: (name: String, version: Int32)?
    private var removal: Task<Void, Never>?

    init(
        contenders: Contenders, kind: ContenderKind, machine: ContenderMachine, expiry: Expiry,
        report: PositionReport? = nil
    ) {
        self.contenders = contenders
        self.kind = kind
        self.machine = machine
        self.expiry = expiry
        self.report = report
    }

    private var client: ZooKeeperClient { contenders.client }

    /// Feeds answers to the machine until the attempt has ended or is first; `nil` if a try met somebody.
    mutating func run() async throws(ZooKeeperError) -> Place? {
        var event = ContenderMachine.Event.start
        while true {
            // Not kept while waiting: a list of a thousand names in each of a thousand waiters would be felt.
            let actions = machine.handle(consume event)
            var answer: ContenderMachine.Event?
            for action in actions {
                switch action {
                case .remove(let name):
                    let path = contenders.node(name)
                    removal = contenders.cleaner.start { client throws(ZooKeeperError) in
                        try await client.deleteIfPresent(path)
                    }
                case .sweep(let attempt):
                    let contenders = contenders
                    removal = contenders.cleaner.start { _ throws(ZooKeeperError) in
                        try await contenders.sweep(attempt)
                    }
                case .grant(let node):
                    let watch = ownWatch?.name == node.name.text ? ownWatch?.watch : nil
                    return Place(
                        node: node, attempt: machine.attempt, ownWatch: watch, orphans: orphans, isDated: isDated)
                case .end(.busy):
                    // A try leaves nothing behind, not even for a moment after it has returned.
                    await removal?.value
                    return nil
                case .end(let ending):
                    throw error(for: ending)
                case .makeParents, .create, .find, .examine, .list, .wait, .awaitConnection, .takeOver:
                    answer = await perform(action)
                }
            }
            guard let answer else { preconditionFailure("the attempt stands still in state \(machine.state)") }
            event = answer
        }
    }

    private mutating func perform(_ action: ContenderMachine.Action) async -> ContenderMachine.Event {
        do {
            return try await request(action)
        } catch {
            lastError = error
            return error.code == .cancelled && expiry.isSet ? .deadlinePassed : .failed(error.code)
        }
    }

    private mutating func request(
        _ action: ContenderMachine.Action
    ) async throws(ZooKeeperError) -> ContenderMachine.Event {
        let path = contenders.path
        switch action {
        case .makeParents:
            try await Parents.make(path, with: client, mode: .container, acl: contenders.acl)
            return .parentsMade
        case .create(let attempt):
            let node = try await client.create(
                contenders.node("_c_\(attempt.text)-\(kind.rawValue)"), contenders.identity,
                mode: .ephemeralSequential, acl: contenders.acl)
            return .created(
                name: String(decoding: NodePath(node.path).name, as: UTF8.self), czxid: node.stat.czxid,
                owner: node.stat.ephemeralOwner)
        case .find:
            try await client.sync(path)
            return .listed(try await client.children(of: path).names, isWindowOpen: client.isHolding)
        case .examine(let name):
            guard let stat = try await client.exists(contenders.node(name)) else { return .ownNodeGone }
            return .examined(czxid: stat.czxid, owner: stat.ephemeralOwner)
        case .list:
            let names = try await client.children(of: path).names
            if case .listing(let node) = machine.state {
                orphans = HoldMarker.orphans(among: names)
                isDated = names.contains(HandOver.dateName)
                report?.look(at: names, from: node.name, isShared: machine.isShared)
            }
            return .listed(names, isWindowOpen: client.isHolding)
        case .wait(let own, let behind):
            return try await wait(own: own, behind: behind)
        case .awaitConnection:
            return try await client.connectionEvent(connected: .connected, over: { .sessionOver($0) })
        case .takeOver(let own, let first, let attempt):
            return try await contenders.takeOver(own: own, from: first, attempt)
        case .remove, .sweep, .grant, .end:
            preconditionFailure("\(action) is not a request")
        }
    }

    /// Arms watches on the node in the way and on the own node, and waits for either.
    private mutating func wait(own: String, behind: String) async throws(ZooKeeperError) -> ContenderMachine.Event {
        let (stat, change) = try await client.watchExists(contenders.node(behind))
        guard stat != nil else { return .predecessorGone }
        guard let (ownWatch, isWritten) = try await watch(own: own) else { return .ownNodeGone }
        // A leader that handed over between the listing and the watch is heard by neither: listing again tells.
        guard !isWritten else { return .predecessorGone }
        let result = await withTaskGroup(
            of: Result<WatchEvent?, ZooKeeperError>.self, returning: Result<WatchEvent?, ZooKeeperError>.self
        ) { group in
            group.addTask {
                do throws(ZooKeeperError) {
                    _ = try await change.fired()
                    return .success(nil)
                } catch {
                    return .failure(error)
                }
            }
            group.addTask {
                do throws(ZooKeeperError) {
                    return .success(try await ownWatch.fired())
                } catch {
                    return .failure(error)
                }
            }
            if let report, let own = ContenderName(own) {
                let (client, path, isShared) = (client, contenders.path, machine.isShared)
                group.addTask {
                    // Ends when the wait does: a look that fails is left out.
                    while (try? await Task.sleep(for: report.interval, clock: .continuous)) != nil {
                        guard let children = try? await client.children(of: path) else { continue }
                        report.look(at: children.names, from: own, isShared: isShared)
                    }
                    return .failure(ZooKeeperError(.cancelled))
                }
            }
            guard let first = await group.next() else { preconditionFailure("both tasks of the wait have vanished") }
            group.cancelAll()
            return first
        }
        guard let ownEvent = try result.get() else { return .predecessorGone }
        guard ownEvent.kind != .deleted else { return .ownNodeGone }
        // Somebody wrote to the own node: no news of the queue, but listing again does no harm and arms a new watch.
        self.ownWatch = nil
        return .predecessorGone
    }

    /// The watch on the own node, armed once and kept while it has not fired, and whether somebody has written to the
    /// node since the last listing. `nil` if the node has gone.
    private mutating func watch(own name: String) async throws(ZooKeeperError) -> (watch: Watch, isWritten: Bool)? {
        if let ownWatch, ownWatch.name == name { return (ownWatch.watch, false) }
        let (stat, watch) = try await client.watchExists(contenders.node(name))
        guard let stat else { return nil }
        ownWatch = (name, watch)
        // As made the node has version 0.
        let listed = ownVersion?.name == name ? ownVersion?.version : 0
        ownVersion = (name, stat.version)
        return (watch, stat.version != listed)
    }

    private func error(for ending: AttemptEnding) -> ZooKeeperError {
        contenders.error(for: ending, last: lastError)
    }
}
