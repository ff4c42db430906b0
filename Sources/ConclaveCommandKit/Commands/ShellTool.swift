import ConclaveClient
import ConclaveCore
import ConclaveSystem

/// `conclave shell`: the commands that users of zkCli.sh know.
package enum ShellTool: ToolCommand {
    static let readOnly = OptionSpecification(
        "--read-only", short: "-r",
        help: "make do with a server that has lost its quorum: reads only, and they may be old")

    package static let specification = CommandSpecification(
        "shell", summary: "look at nodes and change them, with the commands of zkCli.sh",
        usage: "[OPTIONS] [COMMAND [ARGUMENTS]]",
        details: """
            Without a command it is interactive: Tab completes commands and paths, the arrow keys bring back earlier lines, \
            watch events appear above the line being typed. Lines are kept in ~/.conclave_history, without credentials. If \
            the standard input is no terminal, every line of it is a command.

            With a command it runs that one, for instance:
              conclave shell ls -R /
              conclave shell --server db1:2181,db2:2181/shop get -s /config/limits

            'conclave shell help' lists the commands.
            """,
        form: .optionsFirst, options: ConnectionOptions.all + [readOnly], arguments: 0...Int.max,
        statuses: ConnectionOptions.statuses + [(ExitCode.commandNotFound, "there is no such shell command")])

    package static func run(_ arguments: Arguments, _ context: ToolContext) async throws -> Int32 {
        var options = try ConnectionOptions.options(arguments, context)
        options.allowsReadOnly = arguments.has(readOnly)
        let server = ConnectionOptions.servers(arguments, context)
        if arguments.positional.isEmpty, FileDescriptor.standardInput.isTerminal, context.console.isTerminal {
            var shell = InteractiveShell(server: server, options: options, context: context)
            return try await shell.run(context)
        }
        let console = context.console
        let session = ShellSession(server: server, options: options, console: console, report: { console.line($0) })
        return try await withShell(session, arguments.positional)
    }

    private static func withShell(_ session: ShellSession, _ words: [String]) async throws -> Int32 {
        // Help needs no server, and a command that does not exist never will.
        if let name = words.first, name == "help" || name == "version" || ShellCommand.find(name) == nil {
            return status(of: await session.execute(words))
        }
        try await session.connect()
        let status = words.isEmpty ? try await runLines(session) : status(of: await session.execute(words))
        await session.close()
        return status
    }

    /// Runs every line of the standard input; the status is that of the last command.
    private static func runLines(_ session: ShellSession) async throws -> Int32 {
        let (pieces, send) = AsyncStream.makeStream(of: [UInt8]?.self)
        try TerminalInput.start { piece in
            send.yield(piece)
            if piece == nil { send.finish() }
        }
        var splitter = LineSplitter()
        var last = ExitCode.success
        for await piece in pieces {
            for line in splitter.take(piece) where !Task.isCancelled {
                let outcome = await session.execute(line: line)
                if outcome == .quit { return last }
                last = status(of: outcome)
            }
        }
        return last
    }

    private static func status(of outcome: ShellSession.Outcome) -> Int32 {
        switch outcome {
        case .status(let status): status
        case .quit: ExitCode.success
        }
    }
}
