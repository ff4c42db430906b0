import ConclaveClient
import ConclaveCore
import ConclaveSystem
import Recipes

/// `conclave inspect`: who holds, who waits, since when.
package enum InspectTool: ToolCommand {
    static let json = OptionSpecification("--json", help: "one JSON object")
    static let limit = OptionSpecification("--limit", value: "NUMBER", help: "show at most so many, 1000")

    package static let specification = CommandSpecification(
        "inspect", summary: "show who holds a lock or a lease, or leads, and who waits", usage: "PATH [OPTIONS]",
        details: """
            Works for the locks, semaphores and elections of this project, of Curator and of kazoo. Times are those of the server that \
            created the nodes, compared with this machine's clock.
            """,
        options: [json, limit] + ConnectionOptions.all, arguments: 1...1, statuses: ConnectionOptions.statuses)

    package static func run(_ arguments: Arguments, _ context: ToolContext) async throws -> Int32 {
        let path = arguments.positional[0]
        let limit = try arguments.integer(limit, in: 1...1_000_000) ?? Contenders.defaultListLimit
        let queue = try await ConnectionOptions.withClient(arguments, context) { client in
            let queue = try await Contenders(client, at: path).list(limit: limit)
            guard queue.isEmpty else { return queue }
            let leases = try await Semaphore(client, at: path, limit: 1).contenders(limit: limit)
            guard leases.isEmpty else { return leases }
            return try await DistributedLock(client, at: path, order: .firstCome).contenders()
        }
        let now = SystemClock.wallTime().milliseconds
        if arguments.has(json) {
            context.console.line(json(path, queue).text)
        } else {
            for line in lines(path, queue, now: now, style: context.console.style) { context.console.line(line) }
        }
        return ExitCode.success
    }

    /// A sentence, and a row for each of them.
    package static func lines(_ path: String, _ queue: [Contender], now: Int64, style: Style) -> [String] {
        guard !queue.isEmpty else { return ["\(path): nobody holds, nobody waits"] }
        let holders = queue.filter(\.isHolder)
        let waiting = queue.count - holders.count
        let by = holders.count == 1 ? "held by \(name(holders[0]))" : "shared by \(holders.count)"
        let behind = waiting == 0 ? "nobody waits" : waiting == 1 ? "1 waits" : "\(waiting) wait"
        let head = ["#", "", "in the queue for", "identity", "session", "token", "mode"].map(style.dim)
        let rows = queue.map { contender in
            [
                "\(contender.position)", contender.isHolder ? style.green("holds") : style.yellow("waits"),
                DurationText.format(.milliseconds(max(0, now - contender.sinceMilliseconds))), name(contender),
                "\(contender.session)", "\(contender.token)", contender.isShared ? "shared" : "exclusive",
            ]
        }
        return [style.bold("\(path): \(by), \(behind)")] + Columns.table([head] + rows)
    }

    private static func name(_ contender: Contender) -> String {
        contender.identity.isEmpty ? "(no name)" : DataText.text(Array(contender.identity.utf8), forTerminal: true)
    }

    private static func json(_ path: String, _ queue: [Contender]) -> JSON {
        let contenders = queue.map { contender in
            JSON.object([
                ("position", .integer(Int64(contender.position))), ("holds", .bool(contender.isHolder)),
                ("shared", .bool(contender.isShared)), ("identity", .string(contender.identity)),
                ("since", .integer(contender.sinceMilliseconds)), ("session", .string(contender.session.description)),
                ("token", .string(contender.token.description)), ("path", .string(contender.path)),
            ])
        }
        return .object([("path", .string(path)), ("contenders", .array(contenders))])
    }
}
