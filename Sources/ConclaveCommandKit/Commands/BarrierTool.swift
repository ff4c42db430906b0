import ConclaveClient
import ConclaveCore
import ConclaveSystem
import Recipes

/// `conclave barrier`: gates, barriers and latches for scripts.
package enum BarrierTool: ToolCommand {
    static let count = OptionSpecification(
        "--count", short: "-n", value: "NUMBER",
        help: "how many there are; the same for all, of a meeting also in the node")
    static let timeout = OptionSpecification(
        "--timeout", short: "-t", value: "TIME",
        help: "wait no longer than this (500ms, 5s, 2m, 1h); without it for ever")
    static let breaks = OptionSpecification(
        "--breaks", help: "meet, together: one that goes before all are there fails the others; all must say so")
    static let identity = OptionSpecification(
        "--identity", value: "TEXT", help: "what others see of us; count-down: counts once, however often it is said")
    static let quiet = OptionSpecification("--quiet", short: "-q", help: "print nothing")
    static let json = OptionSpecification("--json", help: "meet, count-down: one JSON object instead of words")

    package static let specification = CommandSpecification(
        "barrier", summary: "make programs wait for each other: gates, meetings, latches",
        usage: "ACTION PATH [OPTIONS] [-- COMMAND …]",
        details: """
            A gate: close and open it; pass waits while it is closed. It is Curator's DistributedBarrier and kazoo's Barrier.

            A meeting: meet waits until COUNT have come, each time anew.

            A double barrier: together waits until COUNT are there, runs COMMAND, and waits until all of theirs have ended. It \
            is Curator's DistributedDoubleBarrier and kazoo's DoubleBarrier.

            A latch: count-down counts, await waits until COUNT have counted; from then on it stays open.

              conclave barrier together /barriers/load --count 8 -- ./load-generator
              conclave barrier await /latches/loaded --count 12 --timeout 5m && ./start
            """,
        options: [count, timeout, breaks, identity, quiet, json] + ConnectionOptions.all, arguments: 2...10_000,
        statuses: ConnectionOptions.statuses + [
            (ExitCode.notAcquired, "not in time"), (ExitCode.holdLost, "one of those we waited for has gone"),
        ])

    private static let actions = ["close", "open", "pass", "meet", "together", "count-down", "await"]
    private static let counting = ["together", "count-down", "await"]

    package static func run(_ arguments: Arguments, _ context: ToolContext) async throws -> Int32 {
        let action = arguments.positional[0]
        guard actions.contains(action) else {
            let hint = NearestName.suggestion(for: action, among: actions).map { "; did you mean \($0)?" } ?? ""
            throw UsageError("\"\(action)\" is none of \(actions.joined(separator: ", "))\(hint)")
        }
        let words = Array(arguments.positional.dropFirst(2))
        if action == "together" {
            if words.isEmpty { throw UsageError("the command to run is missing; write it after --") }
        } else if !words.isEmpty {
            throw UsageError("\(action) takes nothing but PATH")
        }
        let count = try arguments.integer(count, in: 1...1_000_000)
        if count == nil, counting.contains(action) { throw UsageError("\(action) needs --count") }
        if arguments.has(breaks), action != "meet", action != "together" {
            throw UsageError("--breaks is for meet and together")
        }
        let timeout = try arguments.duration(timeout)
        let wanted = Wanted(
            action: action, path: try arguments.path(at: 1), count: count, breaks: arguments.has(breaks),
            timeout: timeout, identity: arguments.text(identity), words: words, isQuiet: arguments.has(quiet),
            isJSON: arguments.has(json))
        return try await ConnectionOptions.withClient(arguments, context) { client in
            do {
                return try await perform(wanted, client, context)
            } catch let error as ZooKeeperError where error.code == .barrierBroken {
                throw ToolFailure("\(error.message): \(wanted.path)", status: ExitCode.holdLost)
            }
        }
    }

    private struct Wanted: Sendable {
        let action: String
        let path: String
        let count: Int?
        let breaks: Bool
        let timeout: Duration?
        let identity: String?
        let words: [String]
        let isQuiet: Bool
        let isJSON: Bool

        var name: String { identity ?? "\(ProcessEnvironment.hostName):\(ProcessEnvironment.processID)" }

        /// Tells a number.
        func tell(_ number: Int, _ key: String, _ words: String, _ console: Console) {
            guard !isQuiet else { return }
            console.line(isJSON ? JSON.object([(key, .integer(Int64(number)))]).text : words)
        }
    }

    private static func perform(
        _ wanted: Wanted, _ client: ZooKeeperClient, _ context: ToolContext
    ) async throws -> Int32 {
        let path = wanted.path
        let gate = Gate(client, at: path)
        let latch = CountDownLatch(client, at: path, count: wanted.count ?? 1)
        let line = WaitingLine(
            console: context.console, path: path, session: client.sessionID, isQuiet: wanted.isQuiet)
        switch wanted.action {
        case "close": try await gate.close(identity: wanted.name)
        case "open": try await gate.open()
        case "pass":
            try await line.during({ try await gate.pass(timeout: wanted.timeout) }) {
                "waiting at \(path): the gate is closed"
            }
        case "meet":
            let barrier = CountBarrier(
                client, at: path, count: wanted.count, breaks: wanted.breaks, identity: wanted.name)
            let round = try await line.during({ try await barrier.pass(timeout: wanted.timeout) }) {
                let (waiting, count) = try await barrier.waiting() ?? (0, 0)
                return "waiting at \(path): \(waiting) of \(count) are there"
            }
            wanted.tell(Int(round), "round", "round \(round)", context.console)
        case "count-down":
            let rest = try await latch.countDown(as: wanted.identity)
            wanted.tell(rest, "left", "\(rest) left", context.console)
        case "await":
            try await line.during({ try await latch.wait(timeout: wanted.timeout) }) {
                "waiting at \(path): \(try await latch.remaining()) left to count"
            }
        default: return try await together(wanted, client, line, context)
        }
        return ExitCode.success
    }

    private static func together(
        _ wanted: Wanted, _ client: ZooKeeperClient, _ line: WaitingLine, _ context: ToolContext
    ) async throws -> Int32 {
        let count = wanted.count ?? 1
        let barrier = DoubleBarrier(
            client, at: wanted.path, count: count, breaks: wanted.breaks, identity: wanted.name)
        let member = try await line.during({ try await barrier.enter(timeout: wanted.timeout) }) {
            "waiting at \(wanted.path): \(try await barrier.members()) of \(count) are there"
        }
        // From here on a request to end is the command's affair, also one that comes while it is being started.
        let relay = SignalRelay()
        let ending = try await context.interrupts.handled(by: relay.take) {
            try Task.checkCancellation()
            let process = try await ForegroundProcess.start(
                wanted.words, environment: context.environment, guardian: context.executable)
            relay.attach { process.send($0) }
            return await process.ending()
        }
        try await line.during({ try await member.leave(timeout: wanted.timeout) }) {
            "waiting at \(wanted.path): \(try await barrier.members()) have not left"
        }
        return ending.status
    }
}
