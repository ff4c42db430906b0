import ConclaveClient
import ConclaveCore

/// What a client of a ``CommandChannel`` does: takes the commands one by one in their order and acknowledges each.
///
/// ```
/// idle ──▶ loading ──noNode──▶ counting ──▶ registering ──▶ listing
///             │                                               ▲ │ none: waiting ──changed──┐
///             └──────────────────────────────────────────────▶│ ▼                          │
///                                                             │ reading ──▶ marking ──▶ finish(command)
///                                                             │                            │ start, with its result
///                                                             └───── acknowledging ◀───────┘
/// ```
///
/// The client's own persistent node says which command was done last and which was begun. It is written under its
/// version: of two processes that use one name the second to write fails. Acknowledgement, number and what the command
/// is to change in the ensemble are one transaction.
package struct CommandMachine: StepMachine {
    package enum State: Hashable, Sendable {
        case idle
        case loading
        case counting
        case registering
        case makingParents(String)
        case listing
        case waiting
        case reading(ContenderName)
        case marking(Command)
        case acknowledging
        case suspended
        case syncing
        /// A command has been given out; the next start brings its result.
        case told
        case over
    }

    /// What is to be written for the command that was given out.
    private struct Outcome {
        let command: Command
        let name: String
        let result: [UInt8]
        let operations: [Operation]
    }

    /// How often parents are made again before it fails.
    package static let retryLimit = 100

    package private(set) var state = State.idle
    private let commands: String
    private let node: String
    private let nodeParent: String
    private let client: String
    private let startsWithOldest: Bool
    private let acl: [ACL]
    /// The own record and its version, once it has been read or made.
    private var record: (progress: CommandProgress, version: Int32)?
    /// Begun by this run: not repeated if its mark is read again.
    private var begun: Int32 = -1
    private var given: (command: Command, name: String)?
    private var outcome: Outcome?
    private var retries = 0

    package init(
        commands: String, clients: String, client: String, startsWithOldest: Bool, acl: [ACL] = .open
    ) {
        self.commands = commands
        self.client = client
        self.startsWithOldest = startsWithOldest
        self.acl = acl
        nodeParent = clients
        node = NodePath.text(of: client, below: clients)
    }

    /// Says what came of the command that was given out last; the next start writes it.
    package mutating func finished(with result: [UInt8], operations: [Operation] = []) {
        guard state == .told, let given else { return }
        outcome = Outcome(command: given.command, name: given.name, result: result, operations: operations)
    }

    /// What the next start would write; for a run that is cancelled after the work was done.
    package var closing: [Operation]? {
        guard state == .told, let outcome else { return nil }
        return acknowledgementOperations(of: outcome, withNode: true)
    }

    package mutating func handle(_ event: StepEvent) -> [StepAction<Command>] {
        switch (state, event) {
        case (.over, _): return []
        case (.idle, .start), (.syncing, .answered(.done, _)): return load()
        case (.told, .start): return outcome == nil ? list() : acknowledge()
        case (.suspended, .connected):
            state = .syncing
            return [.request(.sync(node))]
        case (.loading, .answered(.data(let found), _)): return loaded(found)
        case (.loading, .failed(.noNode, _)):
            // Vanished while it was in use: somebody has forgotten this client on purpose.
            guard record == nil else { return end(.noNode, "the record of this client was removed") }
            state = .counting
            return [.request(.children(commands))]
        case (.counting, .answered(.children(let children), _)):
            let last = startsWithOldest ? nil : children.names.compactMap(ContenderName.init).map(\.sequence).max()
            return register(after: last ?? -1)
        case (.counting, .failed(.noNode, _)): return register(after: -1)
        case (.registering, .answered(.written, _)), (.registering, .failed(.nodeExists, _)): return load()
        case (.registering, .failed(.noNode, _)): return makeParents(nodeParent)
        case (.makingParents(let parent), .answered(.done, _)): return parent == commands ? list() : load()
        case (.listing, .answered(.children(let children), _)): return pick(children.names)
        case (.listing, .failed(.noNode, _)): return makeParents(commands)
        case (.waiting, .changed), (.waiting, .failed(.noWatcher, _)): return list()
        case (.reading(let name), .answered(.data(let found), _)): return read(name, found)
        // Withdrawn between the two looks.
        case (.reading, .failed(.noNode, _)): return list()
        case (.marking(let command), .answered(.written(let results), _)):
            guard case .dataSet(let stat)? = results.first else { return load() }
            record?.progress.started = command.number
            record?.version = stat.version
            return give(command)
        case (.marking, .failed(.badVersion, _)), (.marking, .failed(.noNode, _)): return end(.badVersion, Self.taken)
        case (.acknowledging, .answered(.written(let results), _)):
            guard case .dataSet(let stat)? = results.first, let outcome else { return load() }
            record?.progress.applied = outcome.command.number
            record?.version = stat.version
            return settled()
        case (.acknowledging, .failed(let code, let path)): return acknowledgementFailed(code, at: path)
        case (_, .failed(let code, _)): return failed(code)
        case (_, .cancelled): return end(.cancelled)
        case (_, .deadlinePassed): return end(.deadlineExceeded)
        case (_, .sessionOver(let code)): return end(code)
        default: return []
        }
    }

    private static let taken = "another process applies commands under this client's name"

    // MARK: - The record

    private mutating func load() -> [StepAction<Command>] {
        state = .loading
        return [.request(.data(node))]
    }

    /// Also after a lost answer: then it shows whether the write was done.
    private mutating func loaded(_ found: NodeData) -> [StepAction<Command>] {
        guard let progress = try? CommandProgress(configurationBytes: found.bytes) else {
            return end(.dataInconsistency, "the record of this client cannot be read")
        }
        if let record, found.stat.version != record.version {
            // One write of this run went unanswered; what it would have written is what must be there.
            let isOwn = found.stat.version == record.version &+ 1 && progress == awaited(from: record.progress)
            guard isOwn else { return end(.badVersion, Self.taken) }
        }
        record = (progress, found.stat.version)
        guard let outcome else { return list() }
        return progress.applied >= outcome.command.number ? settled() : acknowledge()
    }

    /// What this run's next write would have made of the record.
    private func awaited(from progress: CommandProgress) -> CommandProgress {
        if let outcome { return CommandProgress(applied: outcome.command.number, started: progress.started) }
        return CommandProgress(applied: progress.applied, started: begun)
    }

    private mutating func register(after number: Int32) -> [StepAction<Command>] {
        guard let bytes = try? CommandProgress(applied: number, started: number).configurationBytes() else {
            return end(.marshallingError)
        }
        state = .registering
        return [.request(.write([.create(node, bytes, acl: acl)]))]
    }

    private mutating func makeParents(_ parent: String) -> [StepAction<Command>] {
        retries += 1
        guard retries <= Self.retryLimit else { return end(.noNode) }
        state = .makingParents(parent)
        return [.request(.makeParents(parent, .persistent))]
    }

    // MARK: - The next command

    private mutating func list() -> [StepAction<Command>] {
        state = .listing
        return [.request(.children(commands, watch: true))]
    }

    private mutating func pick(_ names: [String]) -> [StepAction<Command>] {
        guard let record else { return load() }
        let waiting = names.compactMap(ContenderName.init).filter { $0.sequence > record.progress.applied }
        guard let next = waiting.min() else {
            state = .waiting
            return [.wait(upTo: nil)]
        }
        state = .reading(next)
        return [.request(.data(NodePath.text(of: next.text, below: commands)))]
    }

    private mutating func read(_ name: ContenderName, _ found: NodeData) -> [StepAction<Command>] {
        guard let record else { return load() }
        let isRepeated = record.progress.started >= name.sequence && begun != name.sequence
        let command = Command(
            number: name.sequence, data: found.bytes, publishedMilliseconds: found.stat.ctime, isRepeated: isRepeated,
            missed: Int(name.sequence) - Int(record.progress.applied) - 1)
        given = (command, name.text)
        begun = name.sequence
        guard record.progress.started != name.sequence else { return give(command) }
        let progress = CommandProgress(applied: record.progress.applied, started: name.sequence)
        guard let bytes = try? progress.configurationBytes() else { return end(.marshallingError) }
        state = .marking(command)
        return [.request(.write([.setData(node, bytes, version: record.version)]))]
    }

    private mutating func give(_ command: Command) -> [StepAction<Command>] {
        state = .told
        return [.finish(command)]
    }

    // MARK: - The acknowledgement

    private mutating func acknowledge(withNode: Bool = true) -> [StepAction<Command>] {
        guard let outcome else { return load() }
        guard let write = acknowledgementOperations(of: outcome, withNode: withNode) else {
            return end(.marshallingError)
        }
        state = .acknowledging
        return [.request(.write(write))]
    }

    private func acknowledgementOperations(of outcome: Outcome, withNode: Bool) -> [Operation]? {
        guard let record else { return nil }
        let progress = CommandProgress(applied: outcome.command.number, started: record.progress.started)
        guard let bytes = try? progress.configurationBytes() else { return nil }
        var write: [Operation] = [.setData(node, bytes, version: record.version)]
        if withNode { write.append(.create(acknowledgement(outcome), outcome.result, acl: acl)) }
        return write + outcome.operations
    }

    private func acknowledgement(_ outcome: Outcome) -> String {
        NodePath.text(of: client, below: NodePath.text(of: outcome.name, below: commands))
    }

    private mutating func settled() -> [StepAction<Command>] {
        outcome = nil
        return list()
    }

    private mutating func acknowledgementFailed(
        _ code: ZooKeeperError.Code, at path: String?
    ) -> [StepAction<Command>] {
        guard let outcome, !code.isWorthReconnecting else { return failed(code) }
        // The command was removed while it was carried out, or an acknowledgement is there that nobody expects.
        if path == acknowledgement(outcome), code == .noNode || code == .nodeExists {
            return acknowledge(withNode: false)
        }
        if path == node, code == .badVersion || code == .noNode { return end(.badVersion, Self.taken) }
        // One of the operations that the handler asked for: told with the error of the request.
        return end(code)
    }

    // MARK: - Ends

    private mutating func failed(_ code: ZooKeeperError.Code) -> [StepAction<Command>] {
        guard code.isWorthReconnecting else { return end(code) }
        state = .suspended
        return [.awaitConnection]
    }

    private mutating func end(_ code: ZooKeeperError.Code, _ message: String? = nil) -> [StepAction<Command>] {
        state = .over
        return [.fail(StepFailure(code, at: node, message: message))]
    }
}
