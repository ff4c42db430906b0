import ConclaveCore

/// The tool: finds the command, runs it and turns what it throws into a sentence and an exit status.
package struct Tool: Sendable {
    package static let name = "conclave"
    package static let version = "0.1.0"
    private static let about = "Conclave: coordination for Swift, compatible with Apache ZooKeeper."

    private let commands: [any ToolCommand.Type]
    private let context: ToolContext

    package init(commands: [any ToolCommand.Type] = Tool.commands, context: ToolContext) {
        self.commands = commands
        self.context = context
    }

    /// Runs the command that the words ask for.
    /// - Parameter words: the command line without the name of the program.
    package func run(_ words: [String]) async -> Int32 {
        guard let first = words.first else {
            context.console.errors.write(overview(context.console.errorStyle))
            return ExitCode.usage
        }
        switch first {
        case "--version", "version":
            context.console.line("\(Self.name) \(Self.version)")
            return ExitCode.success
        case "--help", "-h", "help":
            return help(words.dropFirst().first)
        default: break
        }
        guard let command = find(first) else { return unknown(first) }
        return await run(command, Array(words.dropFirst()))
    }

    private func run(_ command: any ToolCommand.Type, _ words: [String]) async -> Int32 {
        let name = command.specification.name
        do {
            let arguments = try ArgumentParser(command.specification).parse(words)
            if arguments.has(.help) {
                context.console.write(text(command.specification))
                return ExitCode.success
            }
            let context = context
            let task = Task { try await command.run(arguments, context) }
            context.interrupts.cancelling { task.cancel() }
            let status = try await task.value
            return interruptedStatus ?? status
        } catch let error as UsageError {
            complain(name, error.message)
            context.console.errorLine("'\(Self.name) \(name) --help' explains the command.")
            return ExitCode.usage
        } catch {
            if let status = interruptedStatus { return status }
            let failure = Self.failure(error)
            complain(name, failure.message)
            return failure.status
        }
    }

    /// A command that was asked to end reports that, whatever it returned or threw on its way out.
    private var interruptedStatus: Int32? { context.interrupts.received.map(ExitCode.signal) }

    /// The sentence and the status for an error.
    static func failure(_ error: any Error) -> ToolFailure {
        switch error {
        case let failure as ToolFailure: return failure
        case let error as ZooKeeperError:
            var message = error.message
            if let path = error.path, !message.contains(path) { message += ": " + path }
            if let cause = error.underlying { message += " (\(cause))" }
            switch error.code {
            case .unreachable, .connectionLoss, .sessionExpired:
                return ToolFailure(message, status: ExitCode.unreachable)
            case .holdLost: return ToolFailure(message, status: ExitCode.holdLost)
            case .deadlineExceeded: return ToolFailure(message, status: ExitCode.notAcquired)
            default: return ToolFailure(message)
            }
        default: return ToolFailure("\(error)")
        }
    }

    private func complain(_ name: String, _ message: String) {
        context.console.errorLine("\(Self.name) \(name): " + context.console.errorStyle.red(message))
    }

    private func find(_ name: String) -> (any ToolCommand.Type)? {
        commands.first { $0.specification.name == name }
    }

    private func unknown(_ name: String) -> Int32 {
        let names = commands.map { $0.specification }.filter { !$0.isHidden }.map(\.name)
        let hint = NearestName.suggestion(for: name, among: names).map { "; did you mean \($0)?" } ?? ""
        context.console.errorLine("\(Self.name): unknown command \(name)\(hint)")
        context.console.errorLine("'\(Self.name) --help' lists the commands.")
        return ExitCode.usage
    }

    private func help(_ name: String?) -> Int32 {
        guard let name else {
            context.console.write(overview(context.console.style))
            return ExitCode.success
        }
        guard let command = find(name) else { return unknown(name) }
        context.console.write(text(command.specification))
        return ExitCode.success
    }

    private func overview(_ style: Style) -> String {
        HelpText.overview(
            commands.map { $0.specification }, tool: Self.name, about: Self.about, style: style,
            width: context.console.width)
    }

    private func text(_ specification: CommandSpecification) -> String {
        HelpText.command(
            specification, tool: Self.name, style: context.console.style, width: min(110, context.console.width))
    }
}
