import ConclaveCore
import ConclaveServer
import ConclaveSystem
import ConclaveWire
import Foundation
import TestLanes
import Testing

@Suite(.live) struct LifecycleTests {
    private let directory = FileManager.default.temporaryDirectory.appending(path: "conclave-\(UUID().uuidString)")
        .path()

    private func configuration(port: Int = 0) -> ServerConfiguration {
        var configuration = ServerConfiguration.temporary(dataDirectory: directory)
        configuration.clientPort = port
        return configuration
    }

    private func remove() { try? FileManager.default.removeItem(atPath: directory) }

    @Test("One call starts a server, one stops it, and its temporary directory goes")
    func temporary() async throws {
        let server = try await ZooKeeperServer.startTemporary()
        let place = server.configuration.dataDirectory
        #expect(FileManager.default.fileExists(atPath: place))
        let client = try RawClient.connected(port: server.port)
        try client.create("/a", [1])
        #expect(try client.data(at: "/a") == [1])
        await server.stop()
        await server.stop()
        #expect(!FileManager.default.fileExists(atPath: place))
    }

    @Test("Several servers run in one process, each with its own data")
    func several() async throws {
        let first = try await ZooKeeperServer.startTemporary()
        let second = try await ZooKeeperServer.startTemporary()
        try RawClient.connected(port: first.port).create("/only-here")
        let stranger = try RawClient.connected(port: second.port)
        #expect(try stranger.perform(.exists(path: "/only-here", watch: false)).header.error == .noNode)
        await first.stop()
        try stranger.create("/still-here")
        await second.stop()
    }

    @Test("Nodes, sessions and ephemerals are there after a restart")
    func restart() async throws {
        defer { remove() }
        var server = try await ZooKeeperServer.start(configuration())
        let client = try RawClient.connected(port: server.port, timeout: 60_000)
        try client.create("/kept", Array("value".utf8))
        try client.create("/kept/e", flags: 1)
        let session = client.session
        await server.stop()
        server = try await ZooKeeperServer.start(configuration())
        let again = try RawClient(port: server.port)
        try again.handshake(timeout: 60_000, session: session)
        #expect(again.session.session == session.session)
        #expect(try again.data(at: "/kept") == Array("value".utf8))
        #expect(try again.perform(.exists(path: "/kept/e", watch: false)).header.error == .ok)
        #expect(try again.perform(.closeSession).header.error == .ok)
        let other = try RawClient.connected(port: server.port)
        #expect(try other.perform(.exists(path: "/kept/e", watch: false)).header.error == .noNode)
        await server.stop()
    }

    @Test("Snapshots are written while the server works, and a restart uses them")
    func snapshots() async throws {
        defer { remove() }
        var small = configuration()
        small.snapshotEvery = 20
        var server = try await ZooKeeperServer.start(small)
        let client = try RawClient.connected(port: server.port)
        for index in 0..<200 { try client.create("/n\(index)", [UInt8](repeating: UInt8(index), count: 100)) }
        await server.stop()
        let names = try FileManager.default.contentsOfDirectory(atPath: directory + "/version-2")
        #expect(names.filter { $0.hasPrefix("snapshot.") && !$0.hasSuffix(".tmp") }.count > 2)
        server = try await ZooKeeperServer.start(small)
        #expect(server.startWarnings.isEmpty, "\(server.startWarnings)")
        let reader = try RawClient.connected(port: server.port)
        for index in 0..<200 {
            #expect(try reader.data(at: "/n\(index)") == [UInt8](repeating: UInt8(index), count: 100))
        }
        #expect(try ask("mntr", port: server.port).contains("zk_digest_mismatches_count\t0"))
        await server.stop()
    }

    @Test("A server that is asked to end leaves the next one little to replay")
    func snapshotAtEnd() async throws {
        defer { remove() }
        var small = configuration()
        small.snapshotEvery = 1_000
        let server = try await ZooKeeperServer.start(small)
        let client = try RawClient.connected(port: server.port)
        for index in 0..<150 { try client.create("/n\(index)") }
        await server.stop()
        let next = try await ZooKeeperServer.start(small)
        let facts = try ask("mntr", port: next.port)
        #expect(facts.contains("zk_max_startup_txns_loaded\t0\n"), "\(facts)")
        #expect(try RawClient.connected(port: next.port).data(at: "/n149") == [])
        await next.stop()
    }

    @Test("Stopped in the middle of writes and snapshots, a server has lost nothing that it acknowledged")
    func stoppedUnderLoad() async throws {
        defer { remove() }
        var small = configuration()
        small.snapshotEvery = 50
        for round in 0..<5 {
            let server = try await ZooKeeperServer.start(small)
            #expect(server.startWarnings.isEmpty, "\(server.startWarnings)")
            let client = try RawClient.connected(port: server.port)
            try client.create("/round\(round)")
            var sent: [Int32] = []
            for index in 0..<2000 {
                let create = CreateRequest(
                    operation: .create2, path: "/round\(round)/n\(index)", data: [1], acl: .open, flags: 0,
                    timeToLiveMilliseconds: 0)
                sent.append(try client.post(.create(create)))
            }
            for xid in sent.prefix(300) { #expect(try client.reply(to: xid, .create2).header.error == .ok) }
            await server.stop()
        }
        let server = try await ZooKeeperServer.start(small)
        let client = try RawClient.connected(port: server.port)
        for round in 0..<5 {
            for index in 0..<300 { #expect(try client.data(at: "/round\(round)/n\(index)") == [1]) }
        }
        await server.stop()
    }

    @Test("A second server on the same directory is refused, and the first goes on")
    func directoryInUse() async throws {
        defer { remove() }
        let server = try await ZooKeeperServer.start(configuration())
        let error = await #expect(throws: ZooKeeperError.self) { try await ZooKeeperServer.start(configuration()) }
        #expect(error?.code == .storageFailure && error?.message.contains("another server") == true)
        try RawClient.connected(port: server.port).create("/a")
        await server.stop()
        try await ZooKeeperServer.start(configuration()).stop()
    }

    @Test("A used port is told before anything else happens")
    func portInUse() async throws {
        defer { remove() }
        let server = try await ZooKeeperServer.startTemporary()
        let error = await #expect(throws: ZooKeeperError.self) {
            try await ZooKeeperServer.start(configuration(port: server.port))
        }
        #expect(error?.code == .badConfiguration && error?.message.contains("in use") == true)
        #expect(!FileManager.default.fileExists(atPath: directory))
        await server.stop()
    }

    @Test("A directory that cannot be made is told with its path")
    func unusableDirectory() async throws {
        defer { remove() }
        #expect(FileManager.default.createFile(atPath: directory, contents: Data()))
        let error = await #expect(throws: ZooKeeperError.self) { try await ZooKeeperServer.start(configuration()) }
        #expect(error?.code == .storageFailure && error?.path?.hasPrefix(directory) == true)
    }

    @Test("A log with a flipped bit in front of acknowledged writes stops the start; the message names file and offset")
    func damagedLog() async throws {
        defer { remove() }
        let server = try await ZooKeeperServer.start(configuration())
        let client = try RawClient.connected(port: server.port)
        for index in 0..<50 { try client.create("/n\(index)") }
        await server.stop()
        let folder = directory + "/version-2"
        let names = try FileManager.default.contentsOfDirectory(atPath: folder)
        let log = folder + "/" + (try #require(names.first { $0.hasPrefix("log.") }))
        var bytes = try Data(contentsOf: URL(filePath: log))
        bytes[500] ^= 0x10
        try bytes.write(to: URL(filePath: log))
        let error = await #expect(throws: ZooKeeperError.self) { try await ZooKeeperServer.start(configuration()) }
        #expect(error?.code == .storageFailure)
        #expect(
            error?.message.contains(log) == true && error?.message.contains("byte") == true, "\(error?.message ?? "")")
    }

    @Test("Whoever waits for the end hears of it")
    func untilStopped() async throws {
        let server = try await ZooKeeperServer.startTemporary()
        async let end: Void = server.untilStopped()
        await server.stop()
        try await end
    }
}
