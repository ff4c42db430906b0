import ConclaveClient
import ConclaveCore
import ConclaveSystem
import Recipes

/// `conclave commands`: a console's commands to many clients.
package enum CommandsTool: ToolCommand {
    static let json = OptionSpecification("--json", help: "one JSON object for each line of output")
    static let wait = OptionSpecification("--wait", help: "publish: until every client has acknowledged")
    static let timeout = OptionSpecification(
        "--timeout", value: "TIME", help: "publish --wait, wait: how long at most")
    static let oldest = OptionSpecification(
        "--oldest", help: "follow: a client that was never there begins with the oldest command that is kept")
    static let count = OptionSpecification("--count", value: "NUMBER", help: "follow: end after so many commands")
    static let keep = OptionSpecification("--keep", value: "NUMBER", help: "prune: how many commands stay")

    package static let specification = CommandSpecification(
        "commands", summary: "publish commands to clients and see who has carried them out",
        usage: "publish|status|wait|follow|clients|withdraw|prune|forget PATH [VALUE] [OPTIONS]",
        details: """
            publish publishes a command, the text VALUE, and prints its number. status prints the commands with who has done \
            them and who has not, or the one with the number VALUE. wait returns when every client has acknowledged the \
            command VALUE. follow is a client named VALUE: it prints each command on a line of its own and acknowledges it. \
            clients lists those that have been there. withdraw removes the command VALUE, prune the oldest, forget the client \
            VALUE.

              conclave commands publish /control "reload" --wait --timeout 1m
              conclave commands follow /control host-7 | while read -r line; do ./do "$line"; done
            """,
        options: [json, wait, timeout, oldest, count, keep] + ConnectionOptions.all, arguments: 2...3,
        statuses: ConnectionOptions.statuses + [(ExitCode.notAcquired, "not every client acknowledged in time")])

    package static func run(_ arguments: Arguments, _ context: ToolContext) async throws -> Int32 {
        let action = try Actions.check(
            arguments,
            [
                ("publish", 2...2), ("status", 1...2), ("wait", 2...2), ("follow", 2...2), ("clients", 1...1),
                ("withdraw", 2...2), ("prune", 1...1), ("forget", 2...2),
            ])
        try Actions.allow(wait, for: ["publish"], in: arguments)
        try Actions.allow(timeout, for: ["publish", "wait"], in: arguments)
        for option in [oldest, count] { try Actions.allow(option, for: ["follow"], in: arguments) }
        try Actions.allow(keep, for: ["prune"], in: arguments)
        let limit = try arguments.integer(count, in: 1...Int.max)
        let kept = try arguments.integer(keep, in: 0...Int.max)
        let time = try arguments.duration(timeout)
        let value = arguments.positional.count > 2 ? arguments.positional[2] : ""
        var number: Int32 = 0
        if ["wait", "withdraw"].contains(action) || action == "status" && !value.isEmpty {
            guard let given = Int32(value), given >= 0 else {
                throw UsageError("\(action) takes the number of a command, not \"\(value)\"")
            }
            number = given
        }
        return try await ConnectionOptions.withClient(arguments, context) { [number] client in
            let channel = CommandChannel(client, at: arguments.positional[1])
            switch action {
            case "publish":
                let number = try await channel.publish(value)
                context.console.line("\(number)")
                if arguments.has(wait) { return try await waitUntilDone(number, channel, time, context) }
            case "wait": return try await waitUntilDone(number, channel, time, context)
            case "status":
                let statuses =
                    value.isEmpty
                    ? try await channel.statuses() : try await [channel.status(of: number)].compactMap { $0 }
                guard value.isEmpty || !statuses.isEmpty else { throw ToolFailure("there is no command \(number)") }
                for status in statuses { show(status, arguments, context) }
            case "clients":
                for client in try await channel.clients() { show(client, arguments, context) }
            case "withdraw":
                guard try await channel.withdraw(number) else { throw ToolFailure("there is no command \(number)") }
            case "prune": context.console.line("removed \(try await channel.prune(keeping: kept ?? 1_000))")
            case "forget":
                guard try await channel.forget(value) else { throw ToolFailure("there is no client \(value)") }
            default: try await follow(channel, as: value, limit, arguments, context)
            }
            return ExitCode.success
        }
    }

    private static func follow(
        _ channel: CommandChannel, as name: String, _ limit: Int?, _ arguments: Arguments, _ context: ToolContext
    ) async throws {
        let counter = Counter()
        let task = Task {
            try await channel.run(as: name, startingAt: arguments.has(oldest) ? .oldest : .next) { command in
                if arguments.has(json) {
                    let object = JSON.object([
                        ("number", .integer(Int64(command.number))), ("text", .string(command.text)),
                        ("repeated", .bool(command.isRepeated)), ("missed", .integer(Int64(command.missed))),
                    ])
                    context.console.line(object.text)
                } else {
                    context.console.line(DataText.text(command.data, forTerminal: context.console.isTerminal))
                }
                // The acknowledgement of the last one is still written: its handler returns.
                if await counter.next() == limit { withUnsafeCurrentTask { $0?.cancel() } }
                return CommandOutcome("printed")
            }
        }
        do {
            try await withTaskCancellationHandler {
                try await task.value
            } onCancel: {
                task.cancel()
            }
        } catch {
            guard await counter.count == limit else { throw error }
        }
    }

    private actor Counter {
        private(set) var count = 0

        func next() -> Int {
            count += 1
            return count
        }
    }

    /// Shows on a terminal how many have acknowledged, until all have or the time is over.
    private static func waitUntilDone(
        _ number: Int32, _ channel: CommandChannel, _ time: Duration?, _ context: ToolContext
    ) async throws -> Int32 {
        let last = try await withThrowingTaskGroup(of: CommandStatus?.self, returning: CommandStatus?.self) { group in
            group.addTask {
                var last: CommandStatus?
                for try await status in channel.progress(of: number) {
                    last = status
                    guard context.console.errorsAreTerminal else { continue }
                    context.console.errors.write("\r\u{1B}[K" + line(status))
                }
                if context.console.errorsAreTerminal, last != nil { context.console.errors.write("\r\u{1B}[K") }
                return last
            }
            if let time {
                group.addTask {
                    try await Task.sleep(for: time, clock: .continuous)
                    return nil
                }
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
        try Task.checkCancellation()
        if let last, last.isComplete {
            let failed = last.acknowledged.filter { $0.result?.failed ?? true }
            guard let first = failed.first else { return ExitCode.success }
            let others = failed.count == 1 ? "" : " and \(failed.count - 1) more"
            throw ToolFailure("command \(number) failed at \(first.client)\(others)")
        }
        guard let status = try await channel.status(of: number) else {
            throw ToolFailure("there is no command \(number)")
        }
        throw ToolFailure(line(status), status: ExitCode.notAcquired)
    }

    private static func line(_ status: CommandStatus) -> String {
        var text = "command \(status.number): \(status.acknowledged.count) done, \(status.pending.count) to go"
        let names = status.pending.prefix(5).map { $0.client + ($0.isOnline ? "" : " (offline)") }
        if !names.isEmpty { text += ": " + names.joined(separator: ", ") }
        if status.pending.count > names.count { text += ", …" }
        return text
    }

    private static func show(_ status: CommandStatus, _ arguments: Arguments, _ context: ToolContext) {
        let text = String(decoding: status.data, as: UTF8.self)
        guard arguments.has(json) else {
            context.console.line(line(status) + "  " + DataText.preview(status.data))
            for one in status.acknowledged {
                let result = one.result.map { ($0.failed ? "failed: " : "") + $0.text } ?? "(not readable)"
                context.console.line("  \(one.client)  \(DateText.precise(one.milliseconds))  \(result)")
            }
            return
        }
        let acknowledged = status.acknowledged.map { one in
            JSON.object([
                ("client", .string(one.client)), ("text", one.result.map { .string($0.text) } ?? .null),
                ("failed", .bool(one.result?.failed ?? true)), ("time", .integer(one.milliseconds)),
            ])
        }
        let pending = status.pending.map { one in
            JSON.object([
                ("client", .string(one.client)), ("online", .bool(one.isOnline)), ("started", .bool(one.hasStarted)),
            ])
        }
        let object = JSON.object([
            ("number", .integer(Int64(status.number))), ("text", .string(text)),
            ("published", .integer(status.publishedMilliseconds)), ("acknowledged", .array(acknowledged)),
            ("pending", .array(pending)),
        ])
        context.console.line(object.text)
    }

    private static func show(_ client: CommandChannel.Client, _ arguments: Arguments, _ context: ToolContext) {
        guard arguments.has(json) else {
            let applied = client.applied < 0 ? "nothing yet" : "up to \(client.applied)"
            return context.console.line("\(client.name)  \(client.isOnline ? "online" : "offline")  \(applied)")
        }
        let object = JSON.object([
            ("name", .string(client.name)), ("online", .bool(client.isOnline)),
            ("applied", .integer(Int64(client.applied))), ("started", .integer(Int64(client.started))),
        ])
        context.console.line(object.text)
    }
}
