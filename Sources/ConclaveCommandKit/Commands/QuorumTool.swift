import ConclaveCore
import ConclaveSystem

/// `conclave quorum`: an ensemble of real processes on this machine.
package enum QuorumTool: ToolCommand {
    static let servers = OptionSpecification("--servers", value: "COUNT", help: "how many servers vote, 3")
    static let observers = OptionSpecification("--observers", value: "COUNT", help: "how many follow without a vote, 0")
    static let basePort = OptionSpecification(
        "--base-port", value: "PORT", help: "the client port of the first server, 2181; 0 picks free ports")
    static let dataDirectory = OptionSpecification(
        "--data-dir", value: "DIRECTORY", help: "where the data is kept; else a temporary directory, removed at the end"
    )
    static let restart = OptionSpecification("--restart", help: "start servers again that die")
    static let verbose = OptionSpecification("--verbose", short: "-v", help: "show what the servers write")

    package static let specification = CommandSpecification(
        "quorum", summary: "run an ensemble of server processes on this machine", usage: "[OPTIONS]",
        details: """
            Starts servers as processes of their own that listen on loopback, and prints "serving clients on \
            HOST:PORT,HOST:PORT,…" when all of them serve: what clients connect to. Ctrl-C or SIGTERM stops them in order; \
            pressed again, at once. No server outlives this command.

            Server N keeps its data in DIRECTORY/N, together with its configuration (zoo.cfg) and what it writes \
            (server.log), so that 'conclave server DIRECTORY/N/zoo.cfg' starts it as well. Its client port is the base port \
            plus N - 1; the ports for followers and for votes are \(QuorumPlan.quorumOffset) and \
            \(QuorumPlan.electionOffset) above. For instance, with a death in between:
              conclave quorum --restart
              kill -9 PROCESS
            """,
        options: [servers, observers, basePort, dataDirectory, restart, verbose],
        statuses: [(ExitCode.failed, "a port is used, a server cannot start, or all have died")])

    package static func run(_ arguments: Arguments, _ context: ToolContext) async throws -> Int32 {
        let limit = QuorumPlan.maximumServers
        let voters = try arguments.integer(servers, in: 1...limit) ?? 3
        let others = try arguments.integer(observers, in: 0...limit) ?? 0
        guard voters + others <= limit else { throw UsageError("at most \(limit) servers, observers included") }
        let base = try arguments.integer(basePort, in: 0...QuorumPlan.maximumBasePort) ?? 2181

        let temporary = arguments.has(dataDirectory) ? nil : try TemporaryDirectory(prefix: "conclave-quorum")
        defer { temporary?.remove() }
        // One of the two is there.
        let directory = FileDisk.absolute(arguments.text(dataDirectory) ?? temporary?.path ?? "")
        var reserved: [ReservedPort] = []
        let plan = try QuorumPlan(servers: voters, observers: others, basePort: base, directory: directory) {
            (server, number, use) throws(ToolFailure) in
            let port = try reserve(base == 0 ? 0 : number, for: "\(use) of server \(server)")
            reserved.append(port)
            return Int(port.number)
        }
        try QuorumFiles.write(plan)
        for port in reserved { port.lend() }
        context.console.errorLine("data in \(directory)" + (temporary == nil ? "" : ", removed at the end"))
        try await QuorumRunner(
            plan, context, restarts: arguments.has(restart), isVerbose: arguments.has(verbose)
        ).run()
        withExtendedLifetime(reserved) {}
        return ExitCode.success
    }

    /// Finds out that a port is used before anything is started, and keeps others from taking it.
    private static func reserve(_ number: Int, for use: String) throws(ToolFailure) -> ReservedPort {
        do throws(SystemError) {
            return try ReservedPort(UInt16(clamping: number))
        } catch {
            switch error.errno {
            case .addressInUse:
                throw ToolFailure("port \(number), for \(use), is in use; choose others with \(basePort.name)")
            case .accessDenied:
                throw ToolFailure("port \(number), for \(use), needs more rights; choose others with \(basePort.name)")
            default: throw ToolFailure("port \(number), for \(use), cannot be used: \(error)")
            }
        }
    }
}
