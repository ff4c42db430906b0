import ConclaveClient
import ConclaveCore
import Recipes

/// `conclave counter`: a number that everybody sees and changes.
package enum CounterTool: ToolCommand {
    static let timeout = OptionSpecification("--timeout", value: "TIME", help: "add, compare: how long to try, forever")
    static let count = OptionSpecification("--count", value: "NUMBER", help: "watch: end after so many numbers")

    private static let actions: [String: ClosedRange<Int>] = [
        "get": 0...0, "add": 0...1, "set": 1...1, "compare": 2...2, "watch": 0...0,
    ]

    package static let specification = CommandSpecification(
        "counter", summary: "read and change a number that all clients share",
        usage: "get|add|set|compare|watch PATH [NUMBER …] [OPTIONS]",
        details: """
            get prints the number, 0 if there is none. add adds NUMBER, 1 if not given, and prints the sum. set replaces it. \
            compare EXPECTED NEW replaces EXPECTED by NEW, or prints what is there instead and ends with status 4. watch \
            prints the number and then each newer one. Shares its form with Curator's DistributedAtomicLong.

              build=$(conclave counter add /counters/builds)
            """,
        options: [timeout, count] + ConnectionOptions.all, arguments: 2...4,
        statuses: ConnectionOptions.statuses + [
            (ExitCode.notAcquired, "the number was not the expected one, or no time was left")
        ])

    package static func run(_ arguments: Arguments, _ context: ToolContext) async throws -> Int32 {
        let (action, path) = (arguments.positional[0], arguments.positional[1])
        guard let allowed = actions[action] else {
            let hint = NearestName.suggestion(for: action, among: actions.keys.sorted()).map { "; did you mean \($0)?" }
            throw UsageError("\"\(action)\" is neither get, add, set, compare nor watch\(hint ?? "")")
        }
        let numbers = try arguments.positional.dropFirst(2).map { text throws(UsageError) in
            guard let number = Int64(text) else { throw UsageError("\"\(text)\" is no whole number of 64 bits") }
            return number
        }
        guard allowed.contains(numbers.count) else {
            throw UsageError("\(action) takes \(allowed.upperBound == 0 ? "no" : "\(allowed.upperBound)") numbers")
        }
        let timeout = try arguments.duration(timeout)
        let limit = try arguments.integer(count, in: 1...Int.max)
        return try await ConnectionOptions.withClient(arguments, context) { client in
            let counter = SharedCounter(client, at: path)
            switch action {
            case "get": context.console.line("\(try await counter.get())")
            case "set": try await counter.set(numbers[0])
            case "compare":
                guard try await counter.compareAndSet(numbers[0], to: numbers[1], timeout: timeout) else {
                    context.console.line("\(try await counter.get())")
                    return ExitCode.notAcquired
                }
                context.console.line("\(numbers[1])")
            case "watch": try await watch(counter, limit, context)
            default: context.console.line("\(try await counter.add(numbers.first ?? 1, timeout: timeout).after)")
            }
            return ExitCode.success
        }
    }

    private static func watch(_ counter: SharedCounter, _ limit: Int?, _ context: ToolContext) async throws {
        var shown = 0
        for try await revision in counter.updates {
            context.console.line("\(revision.value)")
            shown += 1
            if shown == limit { return }
        }
    }
}
