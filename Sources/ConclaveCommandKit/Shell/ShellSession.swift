import ConclaveClient
import ConclaveCore

/// What a shell knows between two commands: the connection, the watches, the history.
package actor ShellSession {
    /// What became of a command.
    package enum Outcome: Equatable, Sendable {
        case status(Int32)
        /// The shell is to end.
        case quit
    }

    package nonisolated let console: Console
    private(set) var server: String
    private let options: ZooKeeperClient.Options
    private(set) var client: ZooKeeperClient?
    /// How the last session stands, in the words of the reference.
    package private(set) var state = "CLOSED"
    var printsWatches = true
    /// Every command so far, with the numbers that `history` shows and `redo` takes.
    private(set) var entered: [String] = []
    /// Tasks that wait for watches and for the state of the session.
    private var listeners: [Task<Void, Never>] = []
    /// Shows text that no command has asked for.
    private let report: @Sendable (String) -> Void
    private let stateChanged: @Sendable () -> Void

    /// How many commands are remembered by number.
    private static let historyLimit = 10_000

    /// - Parameters:
    ///   - report: shows lines that arrive while no command runs, or beside one: watch events, changes of the session.
    ///   - stateChanged: called when ``state`` has changed.
    package init(
        server: String, options: ZooKeeperClient.Options, console: Console,
        report: @escaping @Sendable (String) -> Void, stateChanged: @escaping @Sendable () -> Void = {}
    ) {
        self.server = server
        self.options = options
        self.console = console
        self.report = report
        self.stateChanged = stateChanged
    }

    // MARK: Connection

    /// Opens a session, in the place of the one that there may be.
    package func connect(to newServer: String? = nil) async throws(ZooKeeperError) {
        await close()
        if let newServer { server = newServer }
        change(state: "CONNECTING")
        do {
            let client = try await ZooKeeperClient.connect(to: server, options: options)
            self.client = client
            change(state: "CONNECTED")
            listeners.append(Task { [weak self] in await self?.follow(client) })
        } catch {
            change(state: error.code == .authenticationFailed ? "AUTH_FAILED" : "CLOSED")
            throw error
        }
    }

    package func close() async {
        for listener in listeners { listener.cancel() }
        listeners = []
        guard let client else { return }
        self.client = nil
        await client.close()
        change(state: "CLOSED")
    }

    /// The prompt of the reference: host, state and the number of the next command.
    package var prompt: String { "[zk: \(server)(\(state)) \(entered.count)] " }

    private func follow(_ client: ZooKeeperClient) async {
        var isFirst = true
        for await next in client.states {
            defer { isFirst = false }
            guard self.client === client else { return }
            change(state: Self.name(next))
            if !isFirst, printsWatches { report(Self.event(state: Self.eventName(next), type: "None", path: nil)) }
        }
    }

    private func change(state new: String) {
        state = new
        stateChanged()
    }

    private static func name(_ state: SessionState) -> String {
        switch state {
        case .connecting, .suspended: "CONNECTING"
        case .connected, .reconnected: "CONNECTED"
        case .readOnly: "CONNECTEDREADONLY"
        case .expired, .closed: "CLOSED"
        case .authenticationFailed: "AUTH_FAILED"
        }
    }

    private static func eventName(_ state: SessionState) -> String {
        switch state {
        case .connecting, .suspended: "Disconnected"
        case .connected, .reconnected: "SyncConnected"
        case .readOnly: "ConnectedReadOnly"
        case .expired: "Expired"
        case .closed: "Closed"
        case .authenticationFailed: "AuthFailed"
        }
    }

    // MARK: Watches

    /// The lines of the reference for an event.
    static func event(state: String, type: String, path: String?) -> String {
        "\nWATCHER::\n\nWatchedEvent state:\(state) type:\(type) path:\(path ?? "null")"
    }

    /// Waits in the background for a watch to fire, and shows it.
    func listen(for watch: Watch) {
        listeners.append(
            Task { [weak self] in
                // The end of the session is told by `follow(_:)`; a watch has nothing to add.
                guard let event = try? await watch.fired() else { return }
                await self?.show(event)
            })
    }

    /// Shows the events of a persistent watch as they come.
    func listen(for watch: PersistentWatch) {
        listeners.append(
            Task { [weak self] in
                do {
                    for try await event in watch { await self?.show(event) }
                } catch {
                    // As above.
                }
            })
    }

    private func show(_ event: WatchEvent) {
        guard printsWatches else { return }
        let type =
            switch event.kind {
            case .created: "NodeCreated"
            case .deleted: "NodeDeleted"
            case .dataChanged: "NodeDataChanged"
            case .childrenChanged: "NodeChildrenChanged"
            }
        report(Self.event(state: "SyncConnected", type: type, path: event.path))
    }

    // MARK: Commands

    /// Runs a line as the user typed it.
    package func execute(line: String) async -> Outcome {
        let words: [String]
        do {
            words = try ShellLine.split(line)
        } catch {
            console.errorLine("the quotation mark \(error.mark) is not closed")
            return .status(ExitCode.failed)
        }
        guard !words.isEmpty else { return .status(ExitCode.success) }
        remember(line)
        return await execute(words)
    }

    /// Runs a command that is divided into words.
    package func execute(_ words: [String]) async -> Outcome {
        guard let name = words.first else { return .status(ExitCode.success) }
        guard let command = ShellCommand.find(name) else {
            let hint = ShellCommand.suggestion(for: name).map { "; did you mean \($0)?" } ?? ""
            console.errorLine("Command not found: \(name)\(hint)")
            if hint.isEmpty { console.errorLine("'help' lists the commands.") }
            return .status(ExitCode.commandNotFound)
        }
        do {
            let arguments = try command.parse(words.dropFirst())
            if name == "quit" {
                await close()
                return .quit
            }
            if name == "redo" { return try await redo(arguments) }
            try await run(command, arguments)
            return .status(ExitCode.success)
        } catch let error as ShellError {
            console.errorLine(error.message)
            return .status(error.status)
        } catch let error as ZooKeeperError {
            let path = command.takesPath ? words.dropFirst().first { $0.hasPrefix("/") } : nil
            console.errorLine(ShellErrorText.sentence(for: error, path: path))
            switch error.code {
            case .unreachable: return .status(ExitCode.unreachable)
            case .cancelled: return .status(ExitCode.signal(2))
            default: return .status(ExitCode.failed)
            }
        } catch is CancellationError {
            console.errorLine("interrupted")
            return .status(ExitCode.signal(2))
        } catch {
            console.errorLine("\(error)")
            return .status(ExitCode.failed)
        }
    }

    private func remember(_ line: String) {
        guard entered.count < Self.historyLimit else { return }
        entered.append(line)
    }

    private func redo(_ arguments: ShellArguments) async throws -> Outcome {
        guard let number = Int(arguments.positional[0]), entered.indices.contains(number),
            // A redo that redoes itself would never end.
            !entered[number].hasPrefix("redo")
        else { throw ShellError("Command index out of range") }
        return await execute(line: entered[number])
    }

    /// The client, or the reference's sentence when there is none.
    func connected() throws(ShellError) -> ZooKeeperClient {
        guard let client else { throw ShellError("Not connected") }
        return client
    }

    /// The names of the children of a node, for completion; empty if they cannot be had.
    package func childNames(of path: String) async -> [String] {
        guard let client, ShellErrorText.sentence(forPath: path) == nil else { return [] }
        // Completion offers what it can get and is silent about the rest.
        return (try? await client.children(of: path).names) ?? []
    }
}
