import ConclaveClient
import ConclaveCore
import ConclaveServer
import Foundation
import Synchronization
import Testing

@testable import Recipes

/// Gives a suite a server: the one named in `CONCLAVE_TEST_SERVERS` (of whatever make), or a bundled one of its own.
struct LiveServer: SuiteTrait, TestScoping {
    @TaskLocal static var servers = ""

    @concurrent
    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        if let servers = ProcessInfo.processInfo.environment["CONCLAVE_TEST_SERVERS"] {
            return try await Self.$servers.withValue(servers) { try await function() }
        }
        let directory = FileManager.default.temporaryDirectory.appending(path: "conclave-\(UUID().uuidString)").path()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        var configuration = ServerConfiguration.temporary(dataDirectory: directory)
        // A container that goes away in the middle of a test costs requests where requests are counted.
        configuration.containerCheckIntervalMilliseconds = 3_600_000
        let server = try await ZooKeeperServer.start(configuration)
        let result = await Result { try await Self.$servers.withValue(server.connectString) { try await function() } }
        await server.stop()
        try result.get()
    }
}

extension Trait where Self == LiveServer {
    static var onServer: LiveServer { LiveServer() }
}

extension Result where Success == Void, Failure == any Error {
    fileprivate init(_ body: () async throws -> Void) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}

/// The sessions and the path of one test: closed and deleted when it ends.
final class Live: Sendable {
    let path: String
    private let clients = Mutex<[ZooKeeperClient]>([])

    private init() {
        path = "/recipes-" + String(UInt64.random(in: 0 ... .max), radix: 16)
    }

    /// Runs the body and cleans up after it.
    static func run(_ body: @Sendable (Live) async throws -> Void) async throws {
        let live = Live()
        let result = await Result { try await body(live) }
        let clients = live.clients.withLock { $0 }
        for client in clients { await client.close() }
        if let cleaner = try? await ZooKeeperClient.connect(to: LiveServer.servers) {
            try? await cleaner.deleteSubtree(live.path)
            await cleaner.close()
        }
        try result.get()
    }

    /// The path of the test, made, to be put behind the servers: as in `host:port/path`.
    func chroot() async throws -> String {
        let client = try await connect()
        try await client.ensurePath(path)
        return path
    }

    /// What is below the path of the test. Nothing without that node: a server removes an empty container within a minute.
    func names(with client: ZooKeeperClient) async throws -> [String] {
        do {
            return try await client.children(of: path).names
        } catch let error where error.code == .noNode {
            return []
        }
    }

    /// A new session.
    func connect(
        to servers: String = LiveServer.servers, options: ZooKeeperClient.Options = .init()
    ) async throws -> ZooKeeperClient {
        let client = try await ZooKeeperClient.connect(to: servers, options: options)
        clients.withLock { $0.append(client) }
        return client
    }

    /// Ends the session of a client at the server, as an expiry would: another connection takes it over and closes it.
    ///
    /// The client notices that its connection was taken and may take the session back before it is closed, so this is
    /// repeated until the server does not know the session any more.
    static func expire(_ client: ZooKeeperClient) async throws {
        try await ClientStep.$observer.withValue(nil) {
            var options = ZooKeeperClient.Options()
            options.resume = client.ticket
            while true {
                do {
                    await (try await ZooKeeperClient.connect(to: LiveServer.servers, options: options)).close()
                } catch let error as ZooKeeperError where error.code == .sessionExpired {
                    return
                }
            }
        }
    }

    /// Sends requests until one tells the client that its session is over, so that no test waits for the next ping.
    static func poke(_ client: ZooKeeperClient) async {
        while true {
            do {
                _ = try await client.exists("/")
            } catch let error where error.isSessionOver {
                return
            } catch {
                if error.code == .cancelled { return }
                guard await client.isConnectedAgain() else { return }
            }
        }
    }

    /// Returns when so many contenders are in the queue.
    static func waitUntil(_ count: Int, contendAt path: String, with client: ZooKeeperClient) async throws {
        while let change = try await changeUnless(count, contendAt: path, with: client) {
            _ = try await change.fired()
        }
    }

    private static func changeUnless(
        _ count: Int, contendAt path: String, with client: ZooKeeperClient
    ) async throws(ZooKeeperError) -> Watch? {
        let parent = try await client.watchExists(path)
        guard parent.stat != nil else { return parent.change }
        let look = try await client.watchChildren(of: path)
        return look.children.names.count(where: { ContenderName($0) != nil }) == count ? nil : look.change
    }
}

/// Something that tasks of a test share.
final class Shared<Value: Sendable>: Sendable {
    private let state: Mutex<Value>

    init(_ value: Value) { state = Mutex(value) }

    var value: Value { state.withLock { $0 } }

    func change<R: Sendable>(_ body: @Sendable (inout Value) -> R) -> R {
        state.withLock { value in body(&value) }
    }
}

/// Calls something at one of the suspension points of the client.
final class StepTrigger: Sendable {
    private let state = Mutex((count: 0, target: 0))
    private let action: @Sendable () async -> Void

    init(at target: Int, _ action: @escaping @Sendable () async -> Void) {
        state.withLock { $0.target = target }
        self.action = action
    }

    /// How many steps there were.
    var steps: Int { state.withLock { $0.count } }

    /// Whether the step was reached.
    var hasFired: Bool { state.withLock { $0.count >= $0.target } }

    func step() async {
        let isNow = state.withLock { state in
            state.count += 1
            return state.count == state.target
        }
        if isNow { await action() }
    }

    /// Runs a body under the trigger.
    func observe<R>(_ body: () async throws -> R) async rethrows -> R {
        try await ClientStep.$observer.withValue({ [self] _ in await step() }) { try await body() }
    }
}
