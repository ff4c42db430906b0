import ConclaveClient
import ConclaveCore
import ConclaveServer
import Foundation
import Testing

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
        let server = try await ZooKeeperServer.startTemporary()
        do {
            try await Self.$servers.withValue(server.connectString) { try await function() }
        } catch {
            await server.stop()
            throw error
        }
        await server.stop()
    }
}

extension Trait where Self == LiveServer {
    static var onServer: LiveServer { LiveServer() }
}

/// A session in a part of the tree of its own, gone afterwards.
func withClient(
    options: ZooKeeperClient.Options = .init(), _ body: (ZooKeeperClient, String) async throws -> Void
) async throws {
    let servers = LiveServer.servers + "/client-" + String(UInt64.random(in: 0 ... .max), radix: 16)
    try await withZooKeeperClient(connectedTo: servers, options: options) { client in
        try await client.ensurePath("/")
        do {
            try await body(client, servers)
        } catch {
            try? await client.deleteSubtree("/")
            throw error
        }
        try await client.deleteSubtree("/")
    }
}
