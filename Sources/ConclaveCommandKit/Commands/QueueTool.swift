import ConclaveClient
import ConclaveCore
import Recipes

/// `conclave queue`: puts and takes items, and runs a command for each.
package enum QueueTool: ToolCommand {
    static let form = OptionSpecification(
        "--form", value: "FORM", help: "fifo, priority or delay; all users of PATH must say the same, fifo")
    static let priority = OptionSpecification(
        "--priority", value: "NUMBER", help: "put: into a queue with priorities, lower ones first")
    static let delay = OptionSpecification(
        "--delay", value: "TIME", help: "put: into a queue with delays, to be taken after this time")
    static let layout = OptionSpecification(
        "--layout", value: "LAYOUT",
        help: "put: name nodes as zookeeper, curator or kazoo do; without it as zookeeper, with priorities as curator")
    static let limit = OptionSpecification(
        "--limit", value: "NUMBER", help: "put: wait while there are so many items; list: show so many, 1000")
    static let lines = OptionSpecification("--lines", help: "put: every line of the standard input is an item")
    static let count = OptionSpecification("--count", value: "NUMBER", help: "take, consume: so many items; take: 1")
    static let timeout = OptionSpecification(
        "--timeout", short: "-t", value: "TIME",
        help: "wait no longer than this (500ms, 5s, 2m, 1h) for an item or for room; without it for ever")
    static let try_ = OptionSpecification("--try", help: "do not wait at all")
    static let deliveries = OptionSpecification(
        "--deliveries", value: "NUMBER", help: "consume: how often an item is tried before it goes to PATH-dead, 5")
    static let json = OptionSpecification("--json", help: "one JSON object for each item")

    package static let specification = CommandSpecification(
        "queue", summary: "put items into a queue, take them, or run a command for each",
        usage: "put|take|consume|list|size PATH [ITEM …] [OPTIONS] [-- COMMAND …]",
        details: """
            put appends each ITEM, or the standard input as one item if there is none. take prints the first item and removes \
            it, waiting for one if need be. list shows what is there and who works on it, size how much it is.

            consume runs COMMAND for each item, until it is interrupted or COUNT have been done. COMMAND finds the item in \
            CONCLAVE_ITEM (and, whatever bytes it has, in CONCLAVE_ITEM_BASE64), how often it was tried in CONCLAVE_DELIVERY, \
            and a fencing token in CONCLAVE_FENCING_TOKEN. With status 0 the item is done; else, or when this process dies, it \
            is tried again, here or elsewhere; what failed too often goes to the queue PATH-dead.

              conclave queue put /queues/mail --lines < addresses
              conclave queue consume /queues/mail -- sh -c 'send-mail "$CONCLAVE_ITEM"'

            The nodes are those of DistributedQueue, PriorityQueue and DelayQueue; the last two are Curator's.
            """,
        options: [
            form, priority, delay, layout, limit, lines, count, timeout, try_, deliveries, LockTool.identity, json,
        ]
            + ConnectionOptions.all, arguments: 2...10_000,
        statuses: ConnectionOptions.statuses + [(ExitCode.notAcquired, "no item, or no room, in time")])

    private static let actions = ["put", "take", "consume", "list", "size"]

    package static func run(_ arguments: Arguments, _ context: ToolContext) async throws -> Int32 {
        let action = arguments.positional[0]
        guard actions.contains(action) else {
            let hint = NearestName.suggestion(for: action, among: actions).map { "; did you mean \($0)?" } ?? ""
            throw UsageError("\"\(action)\" is none of \(actions.joined(separator: ", "))\(hint)")
        }
        let rest = Array(arguments.positional.dropFirst(2))
        if action != "put", action != "consume", !rest.isEmpty { throw UsageError("\(action) takes nothing but PATH") }
        if action == "consume", rest.isEmpty { throw UsageError("the command to run is missing; write it after --") }
        let path = try arguments.path(at: 1)
        let form = try QueueForm(arguments)
        let layout = try QueueForm.layout(arguments)
        let limit = try arguments.integer(limit, in: 1...1_000_000)
        let deliveries = try arguments.integer(deliveries, in: 1...1_000_000) ?? 5
        let wait = try LockTool.waitLimit(arguments)
        let count = try arguments.integer(count, in: 1...Int.max)
        let items = action == "put" ? try await items(rest, arguments) : []
        return try await ConnectionOptions.withClient(arguments, context) { client in
            let settings = QueueForm.Settings(
                client: client, path: path, layout: layout, limit: limit, deliveries: deliveries,
                identity: LockTool.identity(arguments))
            switch action {
            case "put": return try await form.put(items, settings, timeout: wait)
            case "take": return try await take(form.queue(settings), count ?? 1, wait, arguments, context)
            case "consume":
                return try await consume(form.queue(settings), rest, count, settings.path, context)
            case "list":
                try await list(form.queue(settings), limit ?? 1_000, arguments, context)
                return ExitCode.success
            default:
                context.console.line("\(try await form.queue(settings).count())")
                return ExitCode.success
            }
        }
    }

    private static func items(_ words: [String], _ arguments: Arguments) async throws -> [[UInt8]] {
        if !words.isEmpty {
            if arguments.has(lines) { throw UsageError("--lines reads the standard input, not ITEM") }
            return words.map { Array($0.utf8) }
        }
        let (pieces, send) = AsyncStream.makeStream(of: [UInt8].self)
        try TerminalInput.start { piece in
            if let piece { send.yield(piece) } else { send.finish() }
        }
        var bytes: [UInt8] = []
        for await piece in pieces { bytes += piece }
        try Task.checkCancellation()
        guard arguments.has(lines) else { return [bytes] }
        var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map { Array($0) }
        if lines.last == [] { lines.removeLast() }
        return lines
    }

    private static func take(
        _ queue: ToolQueue, _ count: Int, _ wait: Duration?, _ arguments: Arguments, _ context: ToolContext
    ) async throws -> Int32 {
        let path = arguments.positional[1]
        let line = WaitingLine(
            console: context.console, path: path, session: .none, isQuiet: wait == .zero)
        for _ in 0..<count {
            let item = try await line.during({ try await next(queue, wait) }) { "waiting for an item at \(path)" }
            guard let item else {
                throw ToolFailure("there is no item at \(path)", status: ExitCode.notAcquired)
            }
            if arguments.has(json) {
                context.console.line(JSON.object([Self.member(item)]).text)
            } else {
                context.console.line(DataText.text(item, forTerminal: context.console.isTerminal))
            }
        }
        return ExitCode.success
    }

    /// The first item; `nil` if there is none in time.
    private static func next(_ queue: ToolQueue, _ wait: Duration?) async throws -> [UInt8]? {
        if wait == .zero { return try await queue.tryTake() }
        do {
            return try await queue.take(wait)
        } catch let error as ZooKeeperError where error.code == .deadlineExceeded {
            return nil
        }
    }

    private static func list(
        _ queue: ToolQueue, _ limit: Int, _ arguments: Arguments, _ context: ToolContext
    ) async throws {
        let entries = try await queue.list(limit)
        guard !arguments.has(json) else {
            for entry in entries {
                var members: [(key: String, value: JSON)] = [("name", .string(entry.name)), member(entry.bytes)]
                members += [
                    ("since", .integer(entry.sinceMilliseconds)), ("deliveries", .integer(Int64(entry.deliveries))),
                ]
                if let rank = entry.rank { members.append(("rank", .integer(rank))) }
                if let consumer = entry.consumer { members.append(("consumer", .string(consumer))) }
                context.console.line(JSON.object(members).text)
            }
            return
        }
        let rows = entries.map { entry in
            let by = entry.consumer.map { DataText.text(Array($0.utf8), forTerminal: true) }
            return [
                entry.name, entry.rank.map { "\($0)" } ?? "", DateText.precise(entry.sinceMilliseconds),
                entry.deliveries == 0 ? "" : "tried \(entry.deliveries)×", by.map { "with \($0)" } ?? "",
                DataText.preview(entry.bytes, limit: 60),
            ]
        }
        for line in Columns.table(rows) { context.console.line(line) }
    }

    private static func member(_ item: [UInt8]) -> (key: String, value: JSON) {
        if let text = String(validating: item, as: UTF8.self) { return ("item", .string(text)) }
        return ("itemBase64", .string(Base64.encode(item)))
    }
}
