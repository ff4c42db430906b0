import ConclaveClient
import ConclaveCore

/// Performs the actions of a ``StepMachine`` with a client, in the task of whoever runs it.
struct StepRunner<Machine: StepMachine>: ~Copyable {
    let client: ZooKeeperClient
    let cleaner: Cleaner
    /// The path of the recipe, for errors that concern no other.
    let path: String
    /// The access control list of parents that are made.
    let acl: [ACL]
    var machine: Machine
    /// Is shown the machine after each of its steps.
    var observer: (@Sendable (Machine) -> Void)?
    private var watches = ArmedWatches()
    private var lastError: ZooKeeperError?

    init(_ machine: Machine, client: ZooKeeperClient, cleaner: Cleaner, path: String, acl: [ACL] = .open) {
        self.machine = machine
        self.client = client
        self.cleaner = cleaner
        self.path = path
        self.acl = acl
    }

    /// Runs the machine to its end, or to a deadline.
    static func run(
        _ machine: Machine, client: ZooKeeperClient, cleaner: Cleaner, path: String, acl: [ACL],
        deadline: Deadline = .never
    ) async throws(ZooKeeperError) -> Machine.Output {
        try await deadline.limit { (expiry: Expiry) async throws(ZooKeeperError) -> Machine.Output in
            var runner = StepRunner(machine, client: client, cleaner: cleaner, path: path, acl: acl)
            return try await runner.run(expiry: expiry)
        }
    }

    /// Starts the machine and feeds answers to it until it has finished.
    ///
    /// - Parameter expiry: tells a deadline, which cancels the task, from the caller's cancellation.
    mutating func run(expiry: Expiry) async throws(ZooKeeperError) -> Machine.Output {
        var event = StepEvent.start
        while true {
            var next: StepEvent?
            // Not kept while waiting: a list of a thousand names in each of a thousand waiters would be felt.
            let actions = machine.handle(consume event)
            observer?(machine)
            for action in actions {
                switch action {
                case .clean(let operations): clean(operations)
                case .sweep(let parent, let mark): sweep(below: parent, mark: mark)
                case .disown(let path): cleaner.disown(path)
                case .finish(let output): return output
                case .fail(let failure): throw error(for: failure)
                case .request, .wait, .awaitConnection: next = await perform(action, expiry: expiry)
                }
            }
            guard let next else { preconditionFailure("the machine of \(path) stands still: \(machine)") }
            event = next
        }
    }

    /// Hands over the watch that is armed on a node's existence, if there is one.
    mutating func takeWatch(onExistenceOf path: String) -> Watch? { watches.take(path, .existence) }

    private mutating func perform(_ action: StepAction<Machine.Output>, expiry: Expiry) async -> StepEvent {
        do {
            return switch action {
            case .request(let request):
                .answered(try await answer(to: request), isWindowOpen: client.isHolding)
            case .wait(let limit):
                try await watches.wait(upTo: limit)
            case .awaitConnection:
                try await client.connectionEvent(connected: .connected, over: { .sessionOver($0) })
            case .clean, .sweep, .disown, .finish, .fail:
                preconditionFailure("nothing answers \(action)")
            }
        } catch {
            lastError = error
            if error.code == .cancelled { return expiry.isSet ? .deadlinePassed : .cancelled }
            if error.code.endsSession { return .sessionOver(error.code) }
            return .failed(error.code, at: error.path)
        }
    }

    private mutating func answer(to request: StepRequest) async throws(ZooKeeperError) -> StepAnswer {
        switch request {
        case .data(let path, watch: false):
            return .data(try await client.data(at: path))
        case .data(let path, watch: true):
            let (node, watch) = try await client.watchData(at: path)
            watches.arm(watch, .data)
            return .data(node)
        case .exists(let path, watch: false):
            return .exists(try await client.exists(path))
        case .exists(let path, watch: true):
            let (stat, watch) = try await client.watchExists(path)
            watches.arm(watch, .existence)
            return .exists(stat)
        case .children(let path, watch: false):
            return .children(try await client.children(of: path))
        case .children(let path, watch: true):
            let (children, watch) = try await client.watchChildren(of: path)
            watches.arm(watch, .children)
            return .children(children)
        case .dataOfMany(let paths):
            return .dataOfMany(try await client.dataOfMany(paths))
        case .watchDataOfMany(let paths):
            return .dataOfMany(try await watchData(of: paths))
        case .read(let reads):
            return .read(try await client.read(reads).map(StepReading.init))
        case .sync(let path):
            try await client.sync(path)
            return .done
        case .write(let operations):
            return .written(try await client.perform(operations))
        case .makeParents(let path, let mode):
            try await Parents.make(path, with: client, mode: mode, acl: acl)
            return .done
        }
    }

    /// Reads nodes and arms a watch on each, at most ``readsAtOnce`` under way at a time.
    private mutating func watchData(of paths: [String]) async throws(ZooKeeperError) -> [NodeData?] {
        let client = client
        typealias Look = Result<(node: NodeData, change: Watch)?, ZooKeeperError>
        var nodes = [NodeData?](repeating: nil, count: paths.count)
        let looks = await withTaskGroup(of: (Int, Look).self, returning: [(Int, Look)].self) { group in
            var looks: [(Int, Look)] = []
            for place in paths.indices {
                if place >= Self.readsAtOnce, let look = await group.next() { looks.append(look) }
                group.addTask { (place, await client.look(at: paths[place])) }
            }
            for await look in group { looks.append(look) }
            return looks
        }
        for (place, look) in looks {
            guard let (node, watch) = try look.get() else { continue }
            watches.arm(watch, .data)
            nodes[place] = node
        }
        return nodes
    }

    private static var readsAtOnce: Int { 100 }

    // MARK: - In the background

    private func clean(_ operations: [Operation]) {
        for operation in operations {
            cleaner.start { client throws(ZooKeeperError) in try await client.performIfPossible(operation) }
        }
    }

    private func sweep(below parent: String, mark: String) {
        cleaner.start { client throws(ZooKeeperError) in try await client.sweep(below: parent, mark: mark) }
    }

    // MARK: - Errors

    private func error(for failure: StepFailure) -> ZooKeeperError {
        if failure.message == nil, let lastError, lastError.code == failure.code { return lastError }
        return ZooKeeperError(failure.code, path: failure.path ?? path, message: failure.message)
    }
}

extension ZooKeeperClient {
    /// One operation by itself, several as a transaction.
    func perform(_ operations: [Operation]) async throws(ZooKeeperError) -> [OperationResult] {
        guard operations.count == 1, let operation = operations.first else {
            return try await transaction(operations)
        }
        switch operation {
        case .create(let path, let data, let mode, let acl):
            let node = try await create(path, data, mode: mode, acl: acl)
            return [.created(path: node.path, stat: node.stat)]
        case .delete(let path, let version):
            try await delete(path, version: version)
            return [.deleted]
        case .setData(let path, let data, let version):
            return [.dataSet(try await setData(at: path, to: data, version: version))]
        case .check:
            return try await transaction(operations)
        }
    }

    /// As one operation; content if the node is gone, or somebody else's by now.
    func performIfPossible(_ operation: Operation) async throws(ZooKeeperError) {
        do {
            _ = try await perform([operation])
        } catch let error where error.code == .noNode || error.code == .badVersion {
            // That is what was wanted.
        }
    }

    /// Deletes every child whose name contains the mark, after a sync.
    func sweep(below parent: String, mark: String) async throws(ZooKeeperError) {
        do {
            try await sync(parent)
            for name in try await children(of: parent).names where name.contains(mark) {
                try await deleteIfPresent(NodePath.text(of: name, below: parent))
            }
        } catch let error where error.code == .noNode {
            // Without the parent there is nothing below it.
        }
    }

    /// The data of nodes, at most a hundred to a request; `nil` for those that are missing or must not be read.
    func dataOfMany(_ paths: [String]) async throws(ZooKeeperError) -> [NodeData?] {
        var nodes: [NodeData?] = []
        nodes.reserveCapacity(paths.count)
        while nodes.count < paths.count {
            let chunk = paths[nodes.count..<min(nodes.count + 100, paths.count)]
            for answer in try await read(chunk.map { .data($0) }) {
                if case .data(let node) = answer { nodes.append(node) } else { nodes.append(nil) }
            }
        }
        return nodes
    }
}

extension ZooKeeperClient {
    /// The data of a node and a watch; `nil` if it is missing or must not be read.
    fileprivate func look(at path: String) async -> Result<(node: NodeData, change: Watch)?, ZooKeeperError> {
        do throws(ZooKeeperError) {
            return .success(try await watchData(at: path))
        } catch {
            return error.code == .noNode || error.code == .noAuth ? .success(nil) : .failure(error)
        }
    }

    /// Deletes a node if it is an ephemeral one of this session, and of this incarnation if one is given; after a sync.
    func disown(_ path: String, incarnation: Zxid?) async throws(ZooKeeperError) {
        try await PathTurns.shared.run(at: path, of: self) { () async throws(ZooKeeperError) in
            try await sync(path)
            guard let stat = try await exists(path), stat.ephemeralOwner == sessionID,
                incarnation == nil || incarnation == stat.czxid
            else { return }
            try await deleteIfPresent(path)
        }
    }
}

extension NodePath {
    /// The path of a child, as text.
    static func text(of name: String, below parent: String) -> String {
        parent == "/" ? "/" + name : parent + "/" + name
    }
}
