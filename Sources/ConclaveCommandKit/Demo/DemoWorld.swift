import ConclaveClient
import ConclaveCore
import ConclaveServer
import ConclaveSystem
import Synchronization

/// The server of the demonstration and the clients that are connected to it.
final class DemoWorld: Sendable {
    private struct State {
        var server: ZooKeeperServer
        var clients: [ZooKeeperClient] = []
    }

    private let directory: TemporaryDirectory
    private let state: Mutex<State>

    private init(_ server: ZooKeeperServer, _ directory: TemporaryDirectory) {
        state = Mutex(State(server: server))
        self.directory = directory
    }

    static func start() async throws -> DemoWorld {
        let directory = try TemporaryDirectory(prefix: "conclave-demo")
        do {
            let server = try await ZooKeeperServer.start(.temporary(dataDirectory: directory.path))
            return DemoWorld(server, directory)
        } catch {
            directory.remove()
            throw error
        }
    }

    var address: String { state.withLock(\.server).connectString }
    var dataDirectory: String { directory.path }

    /// Opens a session of its own.
    func connect() async throws(ZooKeeperError) -> ZooKeeperClient {
        let client = try await ZooKeeperClient.connect(to: address, options: Self.options)
        state.withLock { $0.clients.append(client) }
        return client
    }

    private static var options: ZooKeeperClient.Options {
        var options = ZooKeeperClient.Options()
        options.sessionTimeout = .seconds(3)
        return options
    }

    /// Ends a client's session behind its back.
    func killSession(of client: ZooKeeperClient) async throws(ToolFailure) {
        let port = state.withLock(\.server).port
        try await SessionKiller.kill(client.ticket, at: .loopback(port: UInt16(clamping: port)))
    }

    /// Closes the sessions opened so far.
    func closeClients() async {
        let clients = state.withLock { state in
            defer { state.clients = [] }
            return state.clients
        }
        for client in clients { await client.close() }
    }

    /// Stops the server and starts another one on its data.
    func restart() async throws(ZooKeeperError) {
        await closeClients()
        await state.withLock(\.server).stop()
        let server = try await ZooKeeperServer.start(.temporary(dataDirectory: directory.path))
        state.withLock { $0.server = server }
    }

    func end() async {
        await closeClients()
        await state.withLock(\.server).stop()
        directory.remove()
    }

    /// Runs a body that must be done in time.
    func within<R: Sendable>(
        _ limit: Duration, _ what: String, _ body: @escaping @Sendable () async throws -> R
    ) async throws -> R {
        try await withThrowingTaskGroup(of: R.self) { group in
            group.addTask { try await body() }
            group.addTask {
                try await Task.sleep(for: limit)
                throw ToolFailure("\(what) took more than \(DurationText.format(limit))")
            }
            defer { group.cancelAll() }
            guard let result = try await group.next() else { preconditionFailure("a group of two tasks was empty") }
            return result
        }
    }
}
