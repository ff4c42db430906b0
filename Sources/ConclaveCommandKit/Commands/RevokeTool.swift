import ConclaveClient
import ConclaveCore
import Recipes

/// `conclave revoke`: asks those who hold something to give it up.
package enum RevokeTool: ToolCommand {
    package static let specification = CommandSpecification(
        "revoke", summary: "ask whoever holds a lock or a lease to give it up", usage: "PATH [OPTIONS]",
        details: """
            Writes the request into the node of every holder at PATH, as Curator's Revoker does, and says whom it asked. What \
            they do is their own affair: 'conclave lock --revocable' stops its command, a Swift holder hears it by \
            revocationRequested(), a Java holder by makeRevocable.
            """,
        options: ConnectionOptions.all, arguments: 1...1,
        statuses: ConnectionOptions.statuses + [(ExitCode.failed, "nobody holds")])

    package static func run(_ arguments: Arguments, _ context: ToolContext) async throws -> Int32 {
        let path = arguments.positional[0]
        let asked = try await ConnectionOptions.withClient(arguments, context) { client in
            let contenders = Contenders(client, at: path)
            var holders = try await contenders.list().filter(\.isHolder)
            if holders.isEmpty {
                holders = try await Semaphore(client, at: path, limit: 1).contenders().filter(\.isHolder)
            }
            if holders.isEmpty {
                holders = try await DistributedLock(client, at: path, order: .firstCome).contenders()
            }
            var asked: [Contender] = []
            for holder in holders where try await contenders.requestRevocation(of: holder) { asked.append(holder) }
            return asked
        }
        if asked.isEmpty { throw ToolFailure("nobody holds \(path)") }
        for holder in asked {
            let name = holder.identity.isEmpty ? "session \(holder.session)" : holder.identity
            context.console.line("asked \(DataText.text(Array(name.utf8), forTerminal: true))")
        }
        return ExitCode.success
    }
}
