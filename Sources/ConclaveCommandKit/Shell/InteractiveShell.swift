import ConclaveClient
import ConclaveCore
import ConclaveSystem

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The shell at a terminal: one loop takes keys, events and finished commands in turn and owns the screen.
package struct InteractiveShell {
    /// What may happen while the shell waits.
    private enum Input: Sendable {
        case bytes([UInt8]?)
        /// Text that no command has asked for.
        case report(String)
        case stateChanged
        case finished(ShellSession.Outcome)
        case candidates([String], typed: String, range: Range<Int>, line: String)
        case interrupted
        /// The terminal has another size, or the process goes on after it was stopped.
        case terminalChanged
    }

    private let console: Console
    private let session: ShellSession
    private let inputs: AsyncStream<Input>
    private let send: AsyncStream<Input>.Continuation
    private let historyFile: HistoryFile?
    private var editor: LineEditor
    private var decoder = KeyDecoder()
    /// Keys pressed while a command runs.
    private var waitingKeys: [Key] = []
    private var running: Task<Void, Never>?
    private var prompt = LineEditor.Prompt("")

    package init(server: String, options: ZooKeeperClient.Options, context: ToolContext) {
        console = context.console
        let (inputs, send) = AsyncStream.makeStream(of: Input.self)
        self.inputs = inputs
        self.send = send
        session = ShellSession(
            server: server, options: options, console: context.console,
            report: { send.yield(.report($0)) }, stateChanged: { send.yield(.stateChanged) })
        historyFile = HistoryFile(environment: context.environment)
        editor = LineEditor(history: LineHistory(historyFile?.load() ?? []))
    }

    /// Runs until the user has had enough.
    package mutating func run(_ context: ToolContext) async throws -> Int32 {
        do { try TerminalMode.makeRaw() } catch { throw ToolFailure("the terminal cannot be set up: \(error)") }
        defer { TerminalMode.restore() }
        let send = send
        try TerminalInput.start { send.yield(.bytes($0)) }
        // Without them the line is drawn anew at the next key.
        try? Signals.handle([.windowChanged, .resume]) { _ in send.yield(.terminalChanged) }
        defer { Signals.restoreDefault([.windowChanged, .resume]) }
        return await context.interrupts.handled(by: { _ in send.yield(.interrupted) }) { await loop() }
    }

    private mutating func loop() async -> Int32 {
        let session = session
        console.line("Connecting to \(await session.server)")
        start { [console] in
            do {
                try await session.connect()
                console.line("Welcome! 'help' lists the commands, Tab completes, 'quit' or Ctrl-D ends.")
                return .status(ExitCode.success)
            } catch {
                let sentence = Tool.failure(error).message
                console.errorLine(sentence + "; 'connect HOST:PORT' tries again")
                return .status(ExitCode.unreachable)
            }
        }
        var status = ExitCode.success
        for await input in inputs {
            switch input {
            case .bytes(let bytes?):
                guard await take(decoder.decode(bytes)) else { return await end(status) }
            case .bytes(nil):
                return await end(status)
            case .report(let text):
                erase()
                console.line(text)
                await redraw()
            case .stateChanged:
                await redraw()
            case .finished(.status(let number)):
                status = number
                running = nil
                let keys = waitingKeys
                waitingKeys = []
                await redraw()
                guard await take(keys) else { return await end(status) }
            case .finished(.quit):
                running = nil
                return await end(ExitCode.success)
            case .candidates(let candidates, let typed, let range, let line):
                // The user has typed on: the answer is of no use any more.
                guard line == editor.line, running == nil else { continue }
                await complete(candidates, typed: typed, range: range)
            case .interrupted:
                return await end(ExitCode.signal(SIGTERM))
            case .terminalChanged:
                // Whoever stopped the process may have changed the modes of the terminal.
                TerminalMode.restore()
                try? TerminalMode.makeRaw()
                await redraw()
            }
        }
        return status
    }

    private mutating func end(_ status: Int32) async -> Int32 {
        running?.cancel()
        await session.close()
        return status
    }

    /// Runs something in the background while keys go on arriving.
    private mutating func start(_ body: @escaping @Sendable () async -> ShellSession.Outcome) {
        let send = send
        running = Task { send.yield(.finished(await body())) }
    }

    // MARK: Keys

    /// - Returns: `false` when the shell is to end.
    private mutating func take(_ keys: [Key]) async -> Bool {
        for (index, key) in keys.enumerated() {
            if let running {
                if key == .control("c") {
                    waitingKeys = []
                    running.cancel()
                } else if waitingKeys.count < 1000 {
                    waitingKeys.append(contentsOf: keys[index...index])
                }
                continue
            }
            guard await take(key) else { return false }
        }
        return true
    }

    private mutating func take(_ key: Key) async -> Bool {
        if key == .control("z") {
            await suspend()
            return true
        }
        switch editor.handle(key) {
        case .none: break
        case .redraw: await redraw()
        case .bell: console.write("\u{07}")
        case .submit(let line): await submit(line)
        case .complete: await requestCompletion()
        case .interrupt:
            console.write("^C\r\n")
            await redraw()
        case .clearScreen:
            console.write("\u{1B}[H\u{1B}[2J")
            await redraw()
        case .endOfInput:
            console.write("\r\n")
            return false
        }
        return true
    }

    private mutating func submit(_ line: String) async {
        // The line stays on the screen as it was typed.
        console.write(editorDrawing(of: line) + "\r\n")
        if editor.history.add(line), HistoryFile.isSafe(line) { historyFile?.append(line) }
        let session = session
        start { await session.execute(line: line) }
    }

    private func editorDrawing(of line: String) -> String {
        "\r" + prompt.text + DataText.text(Array(line.utf8), forTerminal: true) + "\u{1B}[K"
    }

    /// Ctrl-Z: hands the terminal back to the user's shell until it says to go on.
    private mutating func suspend() async {
        erase()
        TerminalMode.restore()
        JobControl.stop()
        // The signal that lets it go on arrives as `terminalChanged`.
    }

    // MARK: Completion

    private mutating func requestCompletion() async {
        let line = editor.line
        switch ShellCompletion.request(line: editor.characters, cursor: editor.cursor) {
        case .nothing:
            console.write("\u{07}")
        case .words(let words, let range):
            await complete(words, typed: String(editor.characters[range.clamped(to: 0..<editor.cursor)]), range: range)
        case .children(let parent, let prefix, let range):
            let typed = parent == "/" ? "/" + prefix : "\(parent)/\(prefix)"
            let (session, send) = (session, send)
            // Answers arrive as inputs; the editor stays usable while a slow server thinks.
            Task {
                let names = await session.childNames(of: parent)
                let paths = ShellCompletion.paths(names, of: parent, prefix: prefix)
                send.yield(.candidates(paths, typed: typed, range: range, line: line))
            }
        }
    }

    private mutating func complete(_ candidates: [String], typed: String, range: Range<Int>) async {
        let (text, choices) = ShellCompletion.outcome(candidates, typed: typed)
        if let text, text != String(editor.characters[range.clamped(to: 0..<editor.characters.count)]) {
            editor.replace(range, with: text)
        } else if choices.isEmpty {
            console.write("\u{07}")
        } else {
            show(choices)
        }
        await redraw()
    }

    private static let shownChoices = 200

    private func show(_ choices: [String]) {
        erase()
        let width = TerminalMode.windowSize()?.columns ?? 80
        for row in Columns.layout(Array(choices.prefix(Self.shownChoices)), width: width - 1) { console.line(row) }
        if choices.count > Self.shownChoices { console.line("… and \(choices.count - Self.shownChoices) more") }
    }

    // MARK: Screen

    private func erase() {
        if running == nil { console.write("\r\u{1B}[K") }
    }

    private mutating func redraw() async {
        guard running == nil else { return }
        let text = await session.prompt
        prompt = LineEditor.Prompt(console.style.dim(text), columns: TextWidth.columns(text))
        console.write(editor.drawing(prompt: prompt, width: TerminalMode.windowSize()?.columns ?? 80))
    }
}
