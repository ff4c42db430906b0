import ConclaveClient
import ConclaveCore
import Recipes

/// `conclave id`: numbers that nobody else gets.
package enum IDTool: ToolCommand {
    static let block = OptionSpecification(
        "--block", value: "SIZE",
        help: "take numbers from a counter in blocks of this size: fast, with gaps; all users of PATH must do the same")

    package static let specification = CommandSpecification(
        "id", summary: "draw numbers that no other client gets", usage: "PATH [COUNT] [OPTIONS]",
        details: "Prints COUNT numbers (1 if not given), one a line, each greater than the one before.",
        options: [block] + ConnectionOptions.all, arguments: 1...2, statuses: ConnectionOptions.statuses)

    private static let countLimit = 1_000_000

    package static func run(_ arguments: Arguments, _ context: ToolContext) async throws -> Int32 {
        let path = arguments.positional[0]
        var count = 1
        if arguments.positional.count > 1 {
            guard let number = Int(arguments.positional[1]), (1...countLimit).contains(number) else {
                throw UsageError(
                    "COUNT must be a whole number from 1 to \(countLimit), not \"\(arguments.positional[1])\"")
            }
            count = number
        }
        let size = try arguments.integer(block, in: 1...countLimit)
        return try await ConnectionOptions.withClient(arguments, context) { client in
            let ids = SequentialIDs(client, at: path, form: size.map { .blocks(of: $0) } ?? .sequentialNodes())
            for _ in 0..<count { context.console.line("\(try await ids.next())") }
            await ids.waitUntilClean()
            return ExitCode.success
        }
    }
}
