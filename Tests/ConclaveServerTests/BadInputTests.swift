import ConclaveCore
import ConclaveServer
import ConclaveSystem
import ConclaveWire
import Foundation
import TestLanes
import Testing

/// Whatever comes, it gets what the protocol says, and the other clients go on undisturbed.
@Suite(.live) struct BadInputTests {
    private func withServer(_ body: (ZooKeeperServer, RawClient) async throws -> Void) async throws {
        let server = try await ZooKeeperServer.startTemporary()
        // Silent for as long as a busy machine takes over the rest.
        let bystander = try RawClient.connected(port: server.port, timeout: 60_000)
        try bystander.create("/bystander", [7])
        do {
            try await body(server, bystander)
            #expect(try bystander.data(at: "/bystander") == [7])
        } catch {
            await server.stop()
            throw error
        }
        await server.stop()
    }

    private func header(xid: Int32, _ code: Int32) -> ByteWriter {
        var writer = ByteWriter()
        writer.writeInt32(xid)
        writer.writeInt32(code)
        return writer
    }

    private func framed(_ writer: ByteWriter) -> [UInt8] {
        var frame = ByteWriter()
        frame.writeBuffer(writer.bytes)
        return frame.bytes
    }

    @Test(
        "Frames that are negative, too long or too short for a header end the connection",
        arguments: [
            [0xFF, 0xFF, 0xFF, 0xFF], [0x80, 0, 0, 0], [0x00, 0x10, 0x00, 0x00], [0x7F, 0xFF, 0xFF, 0xFF],
            [0, 0, 0, 3, 1, 2, 3], [0, 0, 0, 0],
        ] as [[UInt8]])
    func badFrames(bytes: [UInt8]) async throws {
        try await withServer { server, _ in
            let client = try RawClient.connected(port: server.port)
            try client.send(bytes)
            #expect(try client.isClosedWithoutAnswer())
            let fresh = try RawClient(port: server.port)
            try fresh.send(bytes)
            #expect(try fresh.isClosedWithoutAnswer())
        }
    }

    @Test("An unknown operation is answered and then closed")
    func unknownOperation() async throws {
        try await withServer { server, _ in
            let client = try RawClient.connected(port: server.port)
            try client.send(framed(header(xid: 5, 999)))
            var reader = ByteReader(try client.frame())
            let reply = try ReplyHeader(from: &reader)
            #expect(reply == ReplyHeader(xid: 5, zxid: Zxid(rawValue: -1), error: .unimplemented))
            #expect(try client.isClosedWithoutAnswer())
        }
    }

    @Test("Bodies cut at every length are marshalling errors, and the connection goes on")
    func cutBodies() async throws {
        try await withServer { server, _ in
            let client = try RawClient.connected(port: server.port)
            let requests: [ClientRequest] = [
                .create(
                    CreateRequest(
                        operation: .create2, path: "/x", data: [1, 2], acl: .open, flags: 0, timeToLiveMilliseconds: 0)),
                .setData(path: "/x", data: [1], version: 0), .getData(path: "/x", watch: true),
                .multi([.delete(path: "/x", version: -1)]), .setACL(path: "/x", acl: .open, version: 0),
                .addWatch(path: "/x", mode: 1), .sync(path: "/x"),
            ]
            for request in requests {
                var body = ByteWriter()
                request.encodeBody(into: &body)
                for length in 0..<body.count {
                    var message = header(xid: 9, request.operation.rawValue)
                    message.writeRaw(body.bytes[..<length])
                    try client.send(framed(message))
                    let (reply, _) = try client.reply(to: 9, request.operation)
                    #expect(reply.error == .marshallingError, "\(request.operation.rawValue) cut at \(length)")
                }
            }
        }
    }

    @Test("Paths that are none are refused")
    func badPaths() async throws {
        try await withServer { server, _ in
            let client = try RawClient.connected(port: server.port)
            let paths: [NodePath] = ["a", "/a/", "//", "/.", "/..", "/bystander/./x", "/a\u{1}", "/\u{E000}", ""]
            for path in paths {
                let create = CreateRequest(
                    operation: .create, path: path, data: [], acl: .open, flags: 0, timeToLiveMilliseconds: 0)
                let created = try client.perform(.create(create)).header.error
                #expect([.badArguments, .noNode].contains(created), "\(path)")
                #expect(try client.perform(.setData(path: path, data: [], version: -1)).header.error == .badArguments)
                #expect([.noNode, .ok].contains(try client.perform(.getData(path: path, watch: false)).header.error))
            }
            #expect(try client.perform(.exists(path: "/a\0b", watch: false)).header.error == .badArguments)
            #expect(try client.perform(.delete(path: "/", version: -1)).header.error == .badArguments)
        }
    }

    @Test("Random bytes never disturb anybody", arguments: 0..<8 as Range<UInt64>)
    func garbage(seed: UInt64) async throws {
        try await withServer { server, _ in
            var random = SeededRandom(seed: seed)
            for _ in 0..<20 {
                let client =
                    try Bool.random(using: &random)
                    ? RawClient.connected(port: server.port) : RawClient(port: server.port)
                var bytes = (0..<Int.random(in: 1...2000, using: &random)).map { _ in
                    UInt8.random(in: 0...255, using: &random)
                }
                if Bool.random(using: &random) {
                    bytes.replaceSubrange(0..<1, with: [0, 0, 0, UInt8(min(200, bytes.count))])
                }
                try? client.send(bytes)
            }
        }
    }

    @Test("A client that asks for much and reads nothing is held back; the others are served")
    func neverReads() async throws {
        try await withServer { server, bystander in
            try bystander.create("/big", [UInt8](repeating: 1, count: 900_000))
            let before = ProcessStatistics.current().residentBytes ?? 0
            let greedy = try RawClient.connected(port: server.port)
            var request = ByteWriter()
            for xid in 1...500 { request.writeRequestFrame(xid: Int32(xid), .getData(path: "/big", watch: false)) }
            try greedy.send(request.bytes)
            for _ in 0..<50 { #expect(try bystander.data(at: "/bystander") == [7]) }
            let grown = (ProcessStatistics.current().residentBytes ?? 0) - before
            #expect(grown < 64 << 20, "grew by \(grown) bytes")
            // Once it reads, it gets everything, in order.
            for xid in 1...500 {
                var reader = ByteReader(try greedy.frame())
                let header = try ReplyHeader(from: &reader)
                #expect(header.xid == Int32(xid) && header.error == .ok)
            }
        }
    }

    @Test("A thousand connections opened and dropped leave nothing behind")
    func openedAndDropped() async throws {
        try await withServer { server, bystander in
            for round in 0..<1000 {
                let client = try RawClient(port: server.port)
                if round % 3 == 0 { try client.send([0, 0]) } else if round % 7 == 0 { try client.handshake() }
                if round % 100 == 0 { #expect(try bystander.data(at: "/bystander") == [7]) }
            }
            var connections = Int.max
            for _ in 0..<1000 where connections > 2 {
                let statistics = try ask("srvr", port: server.port)
                let line = try #require(statistics.split(separator: "\n").first { $0.hasPrefix("Connections: ") })
                connections = Int(line.dropFirst("Connections: ".count)) ?? .max
            }
            #expect(connections == 2)
        }
    }

    @Test("More connections from one address than allowed are closed; the allowed ones go on")
    func connectionsPerAddress() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "conclave-\(UUID().uuidString)").path()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        var configuration = ServerConfiguration.temporary(dataDirectory: directory)
        configuration.maximumConnectionsPerAddress = 2
        let server = try await ZooKeeperServer.start(configuration)
        let first = try RawClient.connected(port: server.port)
        let second = try RawClient.connected(port: server.port)
        #expect(try RawClient(port: server.port).isClosedWithoutAnswer())
        try first.create("/a")
        try second.create("/b")
        await server.stop()
    }
}
