import ConclaveClient
import ConclaveCommandKit
import ConclaveServer
import Foundation

/// The tool with its outputs in memory.
struct ToolFixture: Sendable {
    let output = MemorySink()
    let errors = MemorySink()
    let interrupts = Interrupts()
    let environment: [String: String]

    /// - Parameter server: where commands connect to unless they say otherwise.
    init(server: String? = nil) {
        var environment = ["PATH": "/usr/local/bin:/usr/bin:/bin"]
        environment["CONCLAVE_SERVER"] = server
        self.environment = environment
    }

    var console: Console { Console(output: output, errors: errors) }
    var context: ToolContext { ToolContext(console: console, environment: environment, interrupts: interrupts) }

    /// Runs a command line.
    func run(_ words: String...) async -> Result { await run(words) }

    func run(_ words: [String]) async -> Result {
        let status = await Tool(context: context).run(words)
        return Result(status: status, output: output.take(), errors: errors.take())
    }

    struct Result: Equatable {
        let status: Int32
        let output: String
        let errors: String
    }
}

/// Runs a body with a server of its own, and stops it.
func withServer<R>(_ body: (ZooKeeperServer) async throws -> R) async throws -> R {
    let server = try await ZooKeeperServer.startTemporary()
    do {
        let result = try await body(server)
        await server.stop()
        return result
    } catch {
        await server.stop()
        throw error
    }
}

extension ZooKeeperClient {
    /// Waits until a node has so many children.
    func waitForChildren(_ count: Int, of path: String) async throws {
        try await ensurePath(path)
        while true {
            let (children, change) = try await watchChildren(of: path)
            if children.names.count == count { return }
            _ = try await change.fired()
        }
    }
}

/// A file by which a command in a test says that it runs.
struct StartMark: Sendable {
    private let path = FileManager.default.temporaryDirectory.appending(path: "conclave-\(UUID().uuidString)").path()

    /// What a shell script does to say so.
    var command: String { ": > '\(path)'; " }

    func wait() async {
        while !FileManager.default.fileExists(atPath: path) { await Task.yield() }
    }

    func remove() { try? FileManager.default.removeItem(atPath: path) }
}
