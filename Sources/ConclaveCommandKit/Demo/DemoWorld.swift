import ConclaveClient
import ConclaveCore
import ConclaveServer
import ConclaveSystem
import Synchronization

/// The servers of the demonstration and the clients that are connected to them.
final class DemoWorld: Sendable {
    let quorum: LocalQuorum
    private let directory: TemporaryDirectory
    private let clients = Mutex<[ZooKeeperClient]>([])

    private init(_ quorum: LocalQuorum, _ directory: TemporaryDirectory) {
        self.quorum = quorum
        self.directory = directory
    }

    static func start() async throws -> DemoWorld {
        let directory = try TemporaryDirectory(prefix: "conclave-demo")
        do {
            return DemoWorld(try await LocalQuorum.start(servers: 3, dataDirectory: directory.path), directory)
        } catch {
            directory.remove()
            throw error
        }
    }

    var address: String { quorum.connectString }
    var dataDirectory: String { directory.path }

    /// Opens a session of its own, with all servers or with one of them.
    func connect(to server: ServerID? = nil) async throws(ZooKeeperError) -> ZooKeeperClient {
        let servers = if let server { try quorum.connectString(of: server) } else { address }
        let client = try await ZooKeeperClient.connect(to: servers, options: .init(sessionTimeout: .seconds(3)))
        clients.withLock { $0.append(client) }
        return client
    }

    /// Ends a client's session behind its back.
    func killSession(of client: ZooKeeperClient) async throws(ZooKeeperError) {
        try await quorum.expire(client.sessionID)
    }

    /// Closes the sessions opened so far.
    func closeClients() async {
        let clients = clients.withLock { clients in
            defer { clients = [] }
            return clients
        }
        for client in clients { await client.close() }
    }

    /// Whether all servers hold the same, once each has everything that was committed until now.
    func hasEqualTrees() async throws(ZooKeeperError) -> Bool {
        for id in quorum.servers { try await connect(to: id).sync("/") }
        var digests: Set<Int64> = []
        for id in quorum.servers {
            if let found = try await quorum.fingerprint(of: id) { digests.insert(found.digest) }
        }
        return digests.count == 1
    }

    func end() async {
        await closeClients()
        await quorum.stop()
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
