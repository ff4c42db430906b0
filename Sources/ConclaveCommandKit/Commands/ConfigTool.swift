import ConclaveClient
import ConclaveCore
import ConclaveSystem
import Recipes

/// `conclave config`: reads, publishes and follows a value.
package enum ConfigTool: ToolCommand {
    static let json = OptionSpecification("--json", help: "one JSON object for each value, with its version and time")
    static let expect = OptionSpecification(
        "--expect", value: "VERSION", help: "set: only if this is the version now; 'none' if there is no value yet")
    static let count = OptionSpecification(
        "--count", value: "NUMBER", help: "watch: end after so many values; history: show at most so many, 100")
    static let history = OptionSpecification(
        "--history", value: "NUMBER", help: "set, rollback: keep so many versions; all who set should agree")

    private static let actions = ["get", "set", "watch", "history", "rollback", "answers"]

    package static let specification = CommandSpecification(
        "config", summary: "get, set, watch or roll back a value of configuration",
        usage: "get|set|watch|history|rollback|answers PATH [VALUE|VERSION] [OPTIONS]",
        details: """
            get prints the value at PATH. set writes VALUE, or the standard input if VALUE is - or missing, and prints the new \
            version. watch prints the value and then each newer one as it is published, until it is interrupted; values that \
            come faster than they can be printed are skipped, the newest never is. history prints the versions that were set \
            with --history, the newest first; rollback sets VERSION of them once more. answers prints which subscriber has \
            applied which version.

              conclave config set /config/limits '{"rate": 100}'
              conclave config watch /config/limits --json | while read -r line; do ./reload "$line"; done
            """,
        options: [json, expect, count, history] + ConnectionOptions.all, arguments: 2...3,
        statuses: ConnectionOptions.statuses)

    private typealias Value = Configuration<[UInt8]>

    package static func run(_ arguments: Arguments, _ context: ToolContext) async throws -> Int32 {
        let action = arguments.positional[0]
        guard actions.contains(action) else {
            let hint = NearestName.suggestion(for: action, among: actions).map { "; did you mean \($0)?" } ?? ""
            throw UsageError("\"\(action)\" is neither get, set, watch, history, rollback nor answers\(hint)")
        }
        let isWriting = action == "set" || action == "rollback"
        if !isWriting, arguments.positional.count > 2 { throw UsageError("\(action) takes no value") }
        if !isWriting, arguments.has(expect) { throw UsageError("--expect is for set and rollback") }
        if !isWriting, arguments.has(history) { throw UsageError("--history is for set and rollback") }
        if action != "watch", action != "history", arguments.has(count) {
            throw UsageError("--count is for watch and history")
        }
        let kept = try arguments.integer(history, in: 1...1_000)
        let version = try action == "rollback" ? version(arguments) : 0
        let expectation = try expectation(arguments)
        let shown = try arguments.integer(count, in: 1...Int.max)
        let new = action == "set" ? try await newValue(arguments) : []
        return try await ConnectionOptions.withClient(arguments, context) { client in
            // Going back must not cost what one could go back to.
            let limit = kept ?? (action == "rollback" ? 1_000 : 0)
            let value = Value(client, at: arguments.positional[1], options: .init(historyLimit: limit))
            switch action {
            case "get": try await get(value, arguments, context)
            case "set": try await set(value, to: new, expectation, arguments, context)
            case "history":
                for revision in try await value.history(limit: shown ?? 100) { list(revision, arguments, context) }
            case "rollback":
                report(try await value.rollBack(to: version, expecting: expectation), arguments, context)
            case "answers": try await answers(value, arguments, context)
            default: try await watch(value, limit: shown, arguments, context)
            }
            return ExitCode.success
        }
    }

    private static func expectation(_ arguments: Arguments) throws(UsageError) -> Value.Expectation {
        guard let text = arguments.text(expect) else { return .anything }
        if text == "none" { return .nothing }
        guard let version = Int32(text), version >= 0 else {
            throw UsageError("--expect must be a version or 'none', not \"\(text)\"")
        }
        return .version(version)
    }

    private static func newValue(_ arguments: Arguments) async throws -> [UInt8] {
        if arguments.positional.count > 2, arguments.positional[2] != "-" { return Array(arguments.positional[2].utf8) }
        let (pieces, send) = AsyncStream.makeStream(of: [UInt8].self)
        try TerminalInput.start { piece in
            if let piece { send.yield(piece) } else { send.finish() }
        }
        var bytes: [UInt8] = []
        for await piece in pieces { bytes += piece }
        try Task.checkCancellation()
        return bytes
    }

    private static func get(_ value: Value, _ arguments: Arguments, _ context: ToolContext) async throws {
        guard let revision = try await value.current() else {
            throw ToolFailure("there is no value at \(arguments.positional[1])")
        }
        show(revision, arguments, context)
    }

    private static func set(
        _ value: Value, to bytes: [UInt8], _ expectation: Value.Expectation, _ arguments: Arguments,
        _ context: ToolContext
    ) async throws {
        report(try await value.publish(bytes, expecting: expectation), arguments, context)
    }

    private static func version(_ arguments: Arguments) throws(UsageError) -> Int32 {
        guard arguments.positional.count == 3, let version = Int32(arguments.positional[2]) else {
            throw UsageError("rollback takes the version to go back to")
        }
        return version
    }

    private static func answers(_ value: Value, _ arguments: Arguments, _ context: ToolContext) async throws {
        for answer in try await value.acknowledgements() {
            guard arguments.has(json) else {
                let what = answer.refusal.map { "refused version \(answer.version): \($0)" }
                context.console.line("\(answer.subscriber) \(what ?? "applied version \(answer.version)")")
                continue
            }
            let object = JSON.object([
                ("subscriber", .string(answer.subscriber)), ("version", .integer(Int64(answer.version))),
                ("zxid", .string(answer.zxid.description)), ("refusal", answer.refusal.map { .string($0) } ?? .null),
            ])
            context.console.line(object.text)
        }
    }

    private static func report(
        _ revision: ConfigurationRevision<[UInt8]>, _ arguments: Arguments, _ context: ToolContext
    ) {
        if arguments.has(json) {
            show(revision, arguments, context)
        } else {
            context.console.line("version \(revision.version)")
        }
    }

    private static func list(
        _ revision: ConfigurationRevision<[UInt8]>, _ arguments: Arguments, _ context: ToolContext
    ) {
        guard !arguments.has(json) else { return show(revision, arguments, context) }
        let head = "version \(revision.version), \(DateText.precise(revision.writtenMilliseconds)): "
        context.console.line(head + DataText.text(revision.value, forTerminal: context.console.isTerminal))
    }

    private static func watch(
        _ value: Value, limit: Int?, _ arguments: Arguments, _ context: ToolContext
    ) async throws {
        var shown = 0
        for try await revision in value.updates {
            if context.console.isTerminal, !arguments.has(json) {
                var head = "version \(revision.version), \(DateText.precise(revision.writtenMilliseconds))"
                if revision.skipped > 0 { head += ", \(revision.skipped) skipped" }
                context.console.line(context.console.style.dim(head))
            }
            show(revision, arguments, context)
            shown += 1
            if shown == limit { return }
        }
    }

    private static func show(
        _ revision: ConfigurationRevision<[UInt8]>, _ arguments: Arguments, _ context: ToolContext
    ) {
        guard arguments.has(json) else {
            return context.console.line(DataText.text(revision.value, forTerminal: context.console.isTerminal))
        }
        var members: [(key: String, value: JSON)] = [
            ("version", .integer(Int64(revision.version))), ("zxid", .string(revision.zxid.description)),
            ("time", .integer(revision.writtenMilliseconds)), ("skipped", .integer(Int64(revision.skipped))),
        ]
        if let text = String(validating: revision.value, as: UTF8.self) {
            members.append(("value", .string(text)))
        } else {
            members.append(("valueBase64", .string(Base64.encode(revision.value))))
        }
        context.console.line(JSON.object(members).text)
    }
}
