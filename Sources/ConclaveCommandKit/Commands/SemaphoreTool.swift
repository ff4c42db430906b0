import ConclaveClient
import ConclaveCore
import Recipes

/// `conclave semaphore`: runs a command while it has leases of a semaphore.
package enum SemaphoreTool: ToolCommand {
    static let limit = OptionSpecification(
        "--limit", short: "-n", value: "NUMBER",
        help: "how many leases there are; all users of PATH must say the same, unless --limit-node is given")
    static let limitNode = OptionSpecification(
        "--limit-node", value: "NODE",
        help: "the node in which the number stands; made with --limit, or 1, if it is missing")
    static let setLimit = OptionSpecification(
        "--set-limit", help: "write --limit into --limit-node before anything else; waiters are let in at once")
    static let permits = OptionSpecification("--permits", value: "NUMBER", help: "how many leases to take, 1")

    package static let specification = CommandSpecification(
        "semaphore", summary: "run a command while a semaphore lets one more in",
        usage: "PATH --limit NUMBER [OPTIONS] -- COMMAND …",
        details: """
            Waits for a lease of the semaphore at PATH, runs COMMAND, gives the lease back and ends with the status of \
            COMMAND. If the lease is lost meanwhile, COMMAND gets SIGTERM, and SIGKILL after a grace period. Signals sent to \
            this process are passed on to COMMAND, which finds a fencing token in CONCLAVE_FENCING_TOKEN and the path in \
            CONCLAVE_LOCK_PATH.

            The semaphore is the same as that of Semaphore and of Curator's InterProcessSemaphoreV2, the limit's node that of \
            its SharedCount. For instance, no more than four imports at once in the whole cluster:
              conclave semaphore /imports --limit 4 -- ./import.sh file-17
              conclave semaphore /imports --limit-node /imports-limit --limit 6 --set-limit -- true
            """,
        form: .runsCommand,
        options: [
            limit, limitNode, setLimit, permits, LockTool.timeout, LockTool.try_, LockTool.revocable, LockTool.identity,
            LockTool.grace, LockTool.quiet,
        ] + ConnectionOptions.all, arguments: 1...1, statuses: ConnectionOptions.statuses + LockTool.statuses)

    package static func run(_ arguments: Arguments, _ context: ToolContext) async throws -> Int32 {
        let number = try arguments.integer(limit, in: 0...1_000_000)
        let node = arguments.text(limitNode)
        if number == nil, node == nil { throw UsageError("--limit or --limit-node is missing") }
        if arguments.has(setLimit), number == nil || node == nil {
            throw UsageError("--set-limit needs --limit and --limit-node")
        }
        let permits = try arguments.integer(permits, in: 1...Semaphore.permitLimit) ?? 1
        let wait = try LockTool.waitLimit(arguments)
        let grace = try arguments.duration(LockTool.grace) ?? .seconds(5)
        let path = arguments.positional[0]
        return try await ConnectionOptions.withClient(arguments, context) { client in
            let identity = LockTool.identity(arguments)
            let semaphore =
                if let node {
                    Semaphore(client, at: path, limitAt: node, initially: Int32(number ?? 1), identity: identity)
                } else {
                    Semaphore(client, at: path, limit: number ?? 1, identity: identity)
                }
            if arguments.has(setLimit) { try await semaphore.setLimit(Int32(number ?? 1)) }
            let grant = try await acquire(semaphore, permits, path, client, arguments, context, wait)
            let command = HeldCommand(words: arguments.command ?? [], path: path, token: grant.token, grace: grace)
            return try await LockTool.run(
                command, while: grant, isRevocable: arguments.has(LockTool.revocable), context)
        }
    }

    private static func acquire(
        _ semaphore: Semaphore, _ permits: Int, _ path: String, _ client: ZooKeeperClient, _ arguments: Arguments,
        _ context: ToolContext, _ wait: Duration?
    ) async throws -> LockGrant {
        let line = WaitingLine(
            console: context.console, path: path, session: client.sessionID, isQuiet: arguments.has(LockTool.quiet))
        do {
            return try await line.during({ try await semaphore.acquire(permits: permits, timeout: wait) }) {
                try await semaphore.contenders()
            }
        } catch let error as ZooKeeperError where error.code == .deadlineExceeded {
            let leases = try await semaphore.contenders().count(where: \.isHolder)
            let most = try await semaphore.currentLimit()
            throw ToolFailure(
                "no lease of \(path) was to be had, \(leases) of \(most) are out", status: ExitCode.notAcquired)
        }
    }
}
