public import ConclaveClient
public import ConclaveCore

/// Commands from a console to many clients, in order, each acknowledged by each client.
///
/// ```swift
/// let channel = CommandChannel(client, at: "/control")
/// try await channel.run(as: "host-7") { command in            // at every client
///     try await carryOut(command.text)
///     return CommandOutcome("done")
/// }
///
/// let number = try await channel.publish("reload")            // at the console
/// for try await status in channel.progress(of: number) { show(status.acknowledged, status.pending) }
/// ```
///
/// - **Guarantee**: every client gets the commands in one order. A command is carried out once by each client that does
///   not die over it; one that was begun and not acknowledged is given out again, marked
///   ``Command/isRepeated``: at least once. What it changes through ``CommandOutcome/operations`` happens exactly once,
///   for it is one transaction with the acknowledgement. Two processes cannot work under one client's name.
/// - **Layout**: `path/commands/_c_<uuid>-cmd-<n>`, persistent, the command as data; acknowledgements are its children,
///   named by the client, JSON. `path/clients/<client>`, persistent: how far it is. `path/online/<client>`: a ``Group``.
/// - **Cancellation**: a client that is cancelled while it carries out a command leaves it unacknowledged unless its
///   handler returns. A cancelled publication is withdrawn unless somebody has acknowledged it.
/// - **Session loss**: ``run(as:startingAt:timeout:_:)`` throws `holdLost`; with a new session the client goes on after
///   the last command that it acknowledged.
/// - **Cost**: 1 request to publish; a client pays 4 for each command. Every client is told of each command.
/// - **Source**: ZooKeeper's queue, read by everybody; the number applied beside the acknowledgement as in replicated
///   state machines.
public struct CommandChannel: Sendable {
    /// With which command a client begins that has never been there.
    public enum Start: Hashable, Sendable {
        /// With the first that is published from now on.
        case next
        /// With the oldest that is still kept.
        case oldest
    }

    let client: ZooKeeperClient
    let path: String
    let acl: [ACL]
    private let limit: Int
    let cleaner: Cleaner

    var commandsPath: String { path + "/commands" }
    var clientsPath: String { path + "/clients" }
    var online: Group { Group(client, at: path + "/online", acl: acl) }

    /// After so many commands old ones are removed.
    private static let pruningInterval: Int32 = 100

    /// A channel at a path, which is made when it is first used.
    ///
    /// - Parameters:
    ///   - limit: how many commands are kept; older ones are removed with their acknowledgements, after every hundredth
    ///     command.
    ///   - acl: the access control list of the nodes that are made.
    public init(_ client: ZooKeeperClient, at path: String, keeping limit: Int = 1_000, acl: [ACL] = .open) {
        self.client = client
        self.path = path
        self.acl = acl
        self.limit = max(1, limit)
        cleaner = Cleaner(client)
    }

    // MARK: - Publishing

    /// Publishes a command.
    ///
    /// - Returns: its number, greater than those of all before.
    /// - Throws: `sequenceExhausted` after two thousand million commands at one path.
    /// - Cost: one request.
    @discardableResult
    public func publish(_ data: [UInt8], timeout: Duration? = nil) async throws(ZooKeeperError) -> Int32 {
        let name = try await Deadline(after: timeout).limit { [self] (expiry: Expiry) async throws(ZooKeeperError) in
            var generator = SystemRandomNumberGenerator()
            let machine = CommandPublication(
                parent: commandsPath, attempt: AttemptID(using: &generator), data: data, acl: acl)
            var runner = StepRunner(machine, client: client, cleaner: cleaner, path: path, acl: acl)
            return try await runner.run(expiry: expiry)
        }
        if name.sequence % Self.pruningInterval == Self.pruningInterval - 1 {
            cleaner.start { [self] _ throws(ZooKeeperError) in _ = try await prune(keeping: limit) }
        }
        return name.sequence
    }

    /// Publishes a command that is text.
    @discardableResult
    public func publish(_ text: String, timeout: Duration? = nil) async throws(ZooKeeperError) -> Int32 {
        try await publish(Array(text.utf8), timeout: timeout)
    }

    // MARK: - Carrying out

    /// Carries out the commands one by one until the task is cancelled.
    ///
    /// An error that the handler throws is acknowledged as a failure with the error's description, and the next command
    /// follows.
    ///
    /// - Parameters:
    ///   - name: the client's name: a node's name.
    ///   - timeout: how long to wait for another process of that name to go; `nil` for ever, zero not at all.
    /// - Throws: `badVersion` if another process has taken over the name, `holdLost` when the session is over; what the
    ///   ensemble says of a handler's operations, whose command stays unacknowledged then.
    public func run(
        as name: String, startingAt start: Start = .next, timeout: Duration? = nil,
        _ handler: @escaping @Sendable (Command) async throws -> CommandOutcome
    ) async throws {
        try await online.withMembership(as: name, timeout: timeout) { [self] _ in
            let machine = CommandMachine(
                commands: commandsPath, clients: clientsPath, client: name, startsWithOldest: start == .oldest,
                acl: acl)
            var runner = StepRunner(machine, client: client, cleaner: cleaner, path: path, acl: acl)
            while true {
                let command = try await runner.run(expiry: Expiry())
                let outcome: CommandOutcome
                do {
                    outcome = try await handler(command)
                } catch {
                    try Task.checkCancellation()
                    outcome = CommandOutcome("\(error)", failed: true)
                }
                let result = CommandResult(outcome.text, failed: outcome.failed)
                runner.machine.finished(with: try result.configurationBytes(), operations: outcome.operations)
                guard Task.isCancelled, let closing = runner.machine.closing else { continue }
                // The work was done: that is still said, and not by the task that is cancelled.
                await cleaner.start { client throws(ZooKeeperError) in try await client.transaction(closing) }.value
                try Task.checkCancellation()
            }
        }
    }

    /// Returns when what goes on in the background has been done, or the session is over.
    package func waitUntilClean() async { await cleaner.waitUntilIdle() }
}

/// What a client's handler has made of a command.
public struct CommandOutcome: Sendable {
    /// What the console is told.
    public var text: String
    /// Whether it could not be done.
    public var failed: Bool
    /// What is changed in the ensemble in the same transaction as the acknowledgement: exactly once, or not at all.
    public var operations: [Operation]

    /// An outcome.
    public init(_ text: String = "", failed: Bool = false, operations: [Operation] = []) {
        self.text = text
        self.failed = failed
        self.operations = operations
    }
}
