import ConclaveClient
import ConclaveCore
import Recipes

/// `conclave elect`: runs a command while this process is the master.
package enum ElectTool: ToolCommand {
    static let repeats = OptionSpecification(
        "--repeat", help: "when mastership is lost, compete again and run COMMAND again")

    package static let specification = CommandSpecification(
        "elect", summary: "run a command while this process is the elected master",
        usage: "PATH [OPTIONS] -- COMMAND …",
        details: """
            Stands as a candidate at PATH and runs COMMAND once elected; ends with the status of COMMAND. If mastership is \
            lost meanwhile, COMMAND gets SIGTERM, and SIGKILL after a grace period; then this process ends, or with --repeat \
            competes again. Signals sent to this process are passed on to COMMAND.

            COMMAND finds the number of its term in CONCLAVE_FENCING_TOKEN: it grows from master to master. The path is in \
            CONCLAVE_LOCK_PATH. Candidates are those of MasterElection and of Curator's LeaderLatch. For instance:
              conclave elect /masters/billing --repeat -- ./billing --node 7
            """,
        form: .runsCommand,
        options: [
            LockTool.timeout, LockTool.try_, repeats, LockTool.identity, LockTool.grace, LockTool.quiet,
        ] + ConnectionOptions.all, arguments: 1...1, statuses: ConnectionOptions.statuses + LockTool.statuses)

    package static func run(_ arguments: Arguments, _ context: ToolContext) async throws -> Int32 {
        while true {
            let result = try await term(arguments, context)
            if case .lost = result, arguments.has(repeats), !Task.isCancelled { continue }
            return LockTool.status(of: result)
        }
    }

    /// One candidacy with a session of its own, from connecting to resigning.
    private static func term(_ arguments: Arguments, _ context: ToolContext) async throws -> HeldCommand.Result {
        let limit = try LockTool.waitLimit(arguments)
        let grace = try arguments.duration(LockTool.grace) ?? .seconds(5)
        let path = arguments.positional[0]
        return try await ConnectionOptions.withClient(arguments, context) { client in
            let term = try await campaign(path, client, arguments, context, limit)
            let command = HeldCommand(words: arguments.command ?? [], path: path, token: term.token, grace: grace)
            do {
                let result = try await command.run(context) { () async throws(CancellationError) in
                    try await term.lost()
                }
                await term.resign()
                return result
            } catch {
                await term.resign()
                throw error
            }
        }
    }

    private static func campaign(
        _ path: String, _ client: ZooKeeperClient, _ arguments: Arguments, _ context: ToolContext, _ limit: Duration?
    ) async throws -> LeadershipTerm {
        let election = MasterElection(client, at: path, identity: LockTool.identity(arguments))
        let line = WaitingLine(
            console: context.console, path: path, session: client.sessionID, isQuiet: arguments.has(LockTool.quiet))
        do {
            return try await line.during({ try await election.campaign(timeout: limit) }) {
                try await election.candidates()
            }
        } catch let error as ZooKeeperError where error.code == .deadlineExceeded {
            throw try await LockTool.notAcquired(path, "mastership", Contenders(client, at: path))
        }
    }
}
