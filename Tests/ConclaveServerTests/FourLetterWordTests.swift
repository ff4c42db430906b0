import ConclaveCore
import ConclaveServer
import ConclaveWire
import Foundation
import TestLanes
import Testing

@Suite(.live) struct FourLetterWordTests {
    @Test("Every word answers in the reference's form")
    func answers() async throws {
        let server = try await ZooKeeperServer.startTemporary()
        let client = try RawClient.connected(port: server.port)
        try client.create("/e", flags: 1)
        try client.perform(.getData(path: "/e", watch: true))
        let session = client.session.session.description
        let answers = try Dictionary(
            uniqueKeysWithValues: [
                "ruok", "isro", "srvr", "stat", "mntr", "conf", "cons", "envi", "wchs", "wchc", "wchp", "dump", "dirs",
            ].map { ($0, try ask($0, port: server.port)) })
        #expect(answers["ruok"] == "imok")
        #expect(answers["isro"] == "rw")
        #expect(answers["wchs"] == "1 connections watching 1 paths\nTotal watches:1\n")
        #expect(answers["wchc"] == "\(session)\n\t/e\n\n")
        #expect(answers["wchp"] == "/e\n\t\(session)\n\n")
        let statistics = answers["srvr"]?.split(separator: "\n").map { String($0.prefix { $0 != ":" }) }
        #expect(
            statistics == [
                "Zookeeper version", "Latency min/avg/max", "Received", "Sent", "Connections", "Outstanding", "Zxid",
                "Mode", "Node count",
            ])
        #expect(answers["stat"]?.contains("Clients:\n /127.0.0.1:") == true)
        #expect(answers["mntr"]?.contains("zk_server_state\tstandalone\n") == true)
        #expect(answers["mntr"]?.contains("zk_ephemerals_count\t1\n") == true)
        #expect(answers["conf"]?.hasPrefix("clientPort=\(server.port)\nsecureClientPort=-1\n") == true)
        #expect(answers["cons"]?.contains("sid=\(session),lop=GETD,") == true)
        #expect(answers["envi"]?.hasPrefix("Environment:\nzookeeper.version=3.8.0") == true)
        #expect(answers["dump"]?.contains("Sessions with Ephemerals (1):\n\(session):\n\t/e\n") == true)
        #expect(answers["dirs"]?.hasPrefix("datadir_size: ") == true)
        #expect(try ask("crst", port: server.port) == "Connection stats reset.\n")
        #expect(try ask("srst", port: server.port) == "Server stats reset.\n")
        await server.stop()
    }

    @Test("Words outside of the whitelist are refused by name, srvr never")
    func whitelist() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "conclave-\(UUID().uuidString)").path()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        var configuration = ServerConfiguration.temporary(dataDirectory: directory)
        configuration.fourLetterWords = .only(["ruok"])
        let server = try await ZooKeeperServer.start(configuration)
        #expect(try ask("ruok", port: server.port) == "imok")
        #expect(try ask("mntr", port: server.port) == "mntr is not executed because it is not in the whitelist.\n")
        #expect(try ask("srvr", port: server.port).hasPrefix("Zookeeper version: "))
        await server.stop()
    }
}
