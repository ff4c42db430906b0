import ConclaveClient
import ConclaveCore
import ConclaveSystem
import Recipes

/// `conclave lock`: runs a command while a lock is held.
package enum LockTool: ToolCommand {
    static let timeout = OptionSpecification(
        "--timeout", short: "-t", value: "TIME",
        help: "wait no longer than this (500ms, 5s, 2m, 1h); without it for ever")
    static let try_ = OptionSpecification("--try", help: "do not wait at all")
    static let shared = OptionSpecification("--shared", help: "share with others who share")
    static let exclusive = OptionSpecification("--exclusive", help: "exclude everybody, readers of others too")
    static let identity = OptionSpecification(
        "--identity", value: "TEXT", help: "what others see of us; else the host's name and the process id")
    static let grace = OptionSpecification(
        "--grace", value: "TIME", help: "after a loss, how long COMMAND gets between SIGTERM and SIGKILL, 5s")
    static let lockDelay = OptionSpecification(
        "--lock-delay", value: "TIME",
        help: "if we lose the lock without giving it up, let the next one wait so long, at most an hour")
    static let revocable = OptionSpecification(
        "--revocable", help: "stop COMMAND, as after a loss, when somebody asks for the lock ('conclave revoke')")
    static let quiet = OptionSpecification("--quiet", short: "-q", help: "do not show for whom we wait")

    package static let specification = CommandSpecification(
        "lock", summary: "run a command while a distributed lock is held", usage: "PATH [OPTIONS] -- COMMAND …",
        details: """
            Waits for the lock at PATH, runs COMMAND, gives the lock up and ends with the status of COMMAND. If the lock is \
            lost meanwhile (no server within the session time-out, or somebody removed the node), COMMAND gets SIGTERM, and \
            SIGKILL after a grace period. Signals sent to this process are passed on to COMMAND.

            COMMAND finds a fencing token in CONCLAVE_FENCING_TOKEN, a number that grows from holder to holder: send it along \
            with what you write, and let the receiver refuse older ones. The path is in CONCLAVE_LOCK_PATH.

            The lock is the same as that of DistributedLock and of Curator's InterProcessMutex; with --shared and --exclusive it \
            is that of ReadWriteLock and of Curator's InterProcessReadWriteLock, whose readers do not see plain locks. Ours do. \
            For instance, once a night in the whole cluster:
              0 3 * * *  conclave lock /jobs/nightly --try -- ./nightly.sh
            """,
        form: .runsCommand,
        options: [timeout, try_, shared, exclusive, lockDelay, revocable, identity, grace, quiet]
            + ConnectionOptions.all, arguments: 1...1,
        statuses: ConnectionOptions.statuses + statuses)

    static let statuses: [(status: Int32, meaning: String)] = [
        (ExitCode.notAcquired, "not acquired in time"), (ExitCode.holdLost, "lost while COMMAND ran; it was stopped"),
        (ExitCode.revoked, "somebody asked for it, and COMMAND was stopped"),
        (ExitCode.notExecutable, "COMMAND cannot be run"), (ExitCode.commandNotFound, "COMMAND was not found"),
    ]

    package static func run(_ arguments: Arguments, _ context: ToolContext) async throws -> Int32 {
        if arguments.has(shared), arguments.has(exclusive) {
            throw UsageError("--shared and --exclusive exclude each other")
        }
        if arguments.has(lockDelay), arguments.has(shared) || arguments.has(exclusive) {
            throw UsageError("--lock-delay is for plain locks, without --shared and --exclusive")
        }
        let limit = try waitLimit(arguments)
        let grace = try arguments.duration(grace) ?? .seconds(5)
        let path = arguments.positional[0]
        return try await ConnectionOptions.withClient(arguments, context) { client in
            let grant = try await acquire(path, client, arguments, context, limit)
            let command = HeldCommand(words: arguments.command ?? [], path: path, token: grant.token, grace: grace)
            return try await run(command, while: grant, isRevocable: arguments.has(revocable), context)
        }
    }

    /// Runs the command, gives up what is held and tells the exit status.
    static func run(
        _ command: HeldCommand, while grant: LockGrant, isRevocable: Bool, _ context: ToolContext
    ) async throws -> Int32 {
        var revoked: (@Sendable () async throws(CancellationError) -> Bool)?
        if isRevocable {
            revoked = { () async throws(CancellationError) in try await grant.revocationRequested() }
        }
        do {
            let result = try await command.run(
                context, lost: { () async throws(CancellationError) in try await grant.lost() }, revoked: revoked)
            await grant.release()
            return status(of: result)
        } catch {
            await grant.release()
            throw error
        }
    }

    static func waitLimit(_ arguments: Arguments) throws(UsageError) -> Duration? {
        guard arguments.has(try_) else { return try arguments.duration(timeout) }
        if arguments.has(timeout) { throw UsageError("--try and --timeout exclude each other") }
        return .zero
    }

    static func identity(_ arguments: Arguments) -> String {
        arguments.text(identity) ?? "\(ProcessEnvironment.hostName):\(ProcessEnvironment.processID)"
    }

    static func status(of result: HeldCommand.Result) -> Int32 {
        switch result {
        case .ended(let status): status
        case .lost: ExitCode.holdLost
        case .revoked: ExitCode.revoked
        }
    }

    private static func acquire(
        _ path: String, _ client: ZooKeeperClient, _ arguments: Arguments, _ context: ToolContext, _ limit: Duration?
    ) async throws -> LockGrant {
        let line = WaitingLine(
            console: context.console, path: path, session: client.sessionID, isQuiet: arguments.has(quiet))
        let delay = try arguments.duration(lockDelay)
        let identity = identity(arguments)
        let contenders = Contenders(client, at: path)
        do {
            if arguments.has(shared) {
                let lock = ReadWriteLock(client, at: path, identity: identity)
                return try await line.during({ try await lock.acquireRead(timeout: limit) }) {
                    try await contenders.list()
                }
            }
            if arguments.has(exclusive) {
                let lock = ReadWriteLock(client, at: path, identity: identity)
                return try await line.during({ try await lock.acquireWrite(timeout: limit) }) {
                    try await contenders.list()
                }
            }
            let lock = DistributedLock(client, at: path, identity: identity, lockDelay: delay)
            return try await line.during({ try await lock.acquire(timeout: limit) }) { try await contenders.list() }
        } catch let error as ZooKeeperError where error.code == .deadlineExceeded {
            throw try await notAcquired(path, "lock", contenders)
        }
    }

    /// Who is in the way, for the message.
    static func notAcquired(_ path: String, _ what: String, _ contenders: Contenders) async throws -> ToolFailure {
        let holder = try await contenders.list(limit: 1).first
        let name = holder.map { $0.identity.isEmpty ? "session \($0.session)" : $0.identity }
        let by = name.map { ", held by \($0)" } ?? ""
        return ToolFailure("the \(what) at \(path) was not acquired\(by)", status: ExitCode.notAcquired)
    }
}
