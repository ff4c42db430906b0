import ConclaveClient
import ConclaveCore
import ConclaveServer
import TestLanes
import Testing

/// Read-only mode and local sessions with real sockets, disks and clients.
@Suite("Modes of a local quorum", .live)
struct LocalQuorumModesTests {
    private static let readOnly: ZooKeeperClient.Options = {
        var options = ZooKeeperClient.Options(sessionTimeout: .seconds(60))
        options.allowsReadOnly = true
        options.connectTimeout = .seconds(60)
        return options
    }()

    // MARK: Read-only

    @Test(
        "One of three that is left serves reads to a client that wants them; the same client writes when the others are back"
    )
    func twoOfThreeKilled() async throws {
        try await withQuorum(modes: .readOnly) { quorum in
            try await withZooKeeperClient(connectedTo: quorum.connectString) { client in
                _ = try await client.create("/kept", [1, 2, 3])
                // On every server's disk, so that whoever is left has it.
                for id in quorum.servers {
                    try await withZooKeeperClient(connectedTo: try quorum.connectString(of: id)) {
                        try await $0.sync("/")
                    }
                }
            }
            for id: ServerID in [1, 2] { try await quorum.kill(id) }
            try await quorum.untilReadOnly(3)
            #expect(try !quorum.isServing(3))
            let client = try await ZooKeeperClient.connect(to: quorum.connectString, options: Self.readOnly)
            #expect(client.state == .readOnly && !client.isHolding)
            let (node, change) = try await client.watchData(at: "/kept")
            #expect(node.data == [1, 2, 3])
            let refusal = await #expect(throws: ZooKeeperError.self) { try await client.setData(at: "/kept", to: [4]) }
            #expect(refusal?.code == .notReadOnly)
            await #expect(throws: ZooKeeperError.self) { _ = try await client.create("/e", mode: .ephemeral) }
            #expect(client.state == .readOnly)
            let before = client.sessionID

            for id: ServerID in [1, 2] { try await quorum.restart(id) }
            await wait(for: client, until: { $0 == .connected })
            // Nobody but the read-only server knew the session.
            #expect(client.sessionID != before)
            _ = try await client.setData(at: "/kept", to: [4])
            #expect(try await change.fired().kind == .dataChanged)
            await client.close()
        }
    }

    @Test("A client at a server that is cut off finds the others by asking them, and is nowhere shown an older state")
    func movesOver() async throws {
        try await withQuorum(modes: .readOnly) { quorum in
            for id: ServerID in [1, 2] { try await quorum.kill(id) }
            try await quorum.untilReadOnly(3)
            let client = try await ZooKeeperClient.connect(to: quorum.connectString, options: Self.readOnly)
            let known = try await client.exists("/")
            #expect(client.state == .readOnly && known != nil)
            // It goes on alone while the others make up a quorum.
            try await quorum.partition([3])
            for id: ServerID in [1, 2] { try await quorum.restart(id) }
            await wait(for: client, until: { $0 == .connected })
            #expect(try quorum.isReadOnly(3))
            _ = try await client.create("/moved")
            // The one left behind must not take it, and must not tell it that its session has ended.
            var options = Self.readOnly
            options.connectTimeout = .milliseconds(500)
            options.resume = client.ticket
            let alone = try quorum.connectString(of: 3)
            let chosen = options
            let refusal = await #expect(throws: ZooKeeperError.self) {
                _ = try await ZooKeeperClient.connect(to: alone, options: chosen)
            }
            #expect(refusal?.code == .unreachable)
            await quorum.heal()
            try await quorum.untilServing()
            #expect(try await client.exists("/moved") != nil)
            await client.close()
        }
    }

    @Test("A session that all servers know outlives the loss of the quorum; a read-only server says nothing about it")
    func globalSession() async throws {
        try await withQuorum(modes: .readOnly) { quorum in
            let client = try await ZooKeeperClient.connect(to: quorum.connectString, options: Self.readOnly)
            _ = try await client.create("/mine", mode: .ephemeral)
            let session = client.sessionID
            for id: ServerID in [1, 2] { try await quorum.kill(id) }
            try await quorum.untilReadOnly(3)
            await wait(for: client, until: { $0 == .suspended })
            for id: ServerID in [1, 2] { try await quorum.restart(id) }
            await wait(for: client, until: { $0 == .reconnected })
            #expect(client.sessionID == session)
            let owned = try await client.exists("/mine")
            #expect(owned?.ephemeralOwner == session)
            await client.close()
        }
    }

    @Test("Clients that do not ask for it are refused, and words tell how things stand")
    func refusedAndTold() async throws {
        try await withQuorum(servers: 2, modes: .readOnly, configure: { $0.fourLetterWords = .only(["stat", "mntr"]) })
        {
            quorum in
            let port = try #require(Int(try quorum.connectString(of: 2).split(separator: ":").last ?? ""))
            #expect(try ask("isro", port: port) == "rw")
            try await quorum.kill(1)
            try await quorum.untilReadOnly(2)
            #expect(try ask("isro", port: port) == "ro")
            var options = ZooKeeperClient.Options()
            options.connectTimeout = .milliseconds(300)
            let (servers, chosen) = (quorum.connectString, options)
            await #expect(throws: ZooKeeperError.self) {
                _ = try await ZooKeeperClient.connect(to: servers, options: chosen)
            }
            try await withZooKeeperClient(connectedTo: quorum.connectString, options: Self.readOnly) { client in
                _ = try await client.children(of: "/")
                for word in ["srvr", "stat"] {
                    let lines = try ask(word, port: port).split(separator: "\n")
                    #expect(lines.dropFirst().first == "READ-ONLY mode; serving only read-only clients")
                    #expect(lines.contains("Mode: read-only"))
                }
                let metrics = try ask("mntr", port: port)
                #expect(metrics.contains("zk_server_state\tread-only\n"))
                #expect(metrics.contains("zk_peer_state\tlooking\n"))
                #expect(metrics.contains("zk_local_sessions\t1\n"))
            }
        }
    }

    @Test("Without the mode a server that is left alone serves nobody")
    func off() async throws {
        try await withQuorum(servers: 2) { quorum in
            try await quorum.kill(1)
            try await quorum.untilNotServing(2)
            var options = Self.readOnly
            options.connectTimeout = .milliseconds(2500)
            let (servers, chosen) = (quorum.connectString, options)
            await #expect(throws: ZooKeeperError.self) {
                _ = try await ZooKeeperClient.connect(to: servers, options: chosen)
            }
        }
    }

    // MARK: Local sessions

    @Test(
        "Local sessions cost no transaction, write through every server, own no ephemeral nodes and end where they began"
    )
    func localSessions() async throws {
        try await withQuorum(modes: .localSessions, configure: { $0.fourLetterWords = .all }) { quorum in
            for id in quorum.servers {
                let servers = try quorum.connectString(of: id)
                let port = try #require(Int(servers.split(separator: ":").last ?? ""))
                let client = try await ZooKeeperClient.connect(to: servers)
                let zxid = try await client.create("/from-\(id)", [7]).stat.czxid
                let refusal = await #expect(throws: ZooKeeperError.self) {
                    _ = try await client.create("/e", mode: .ephemeral)
                }
                #expect(refusal?.code == .ephemeralOnLocalSession)
                let metrics = try ask("mntr", port: port)
                #expect(metrics.contains("zk_local_sessions\t1\n") && metrics.contains("zk_global_sessions\t0\n"))
                let dump = try ask("dump", port: port)
                #expect(dump.contains("Local Session Sets (1)/(1):\n1 expire at "))
                #expect(dump.contains("\n\t\(client.sessionID)\n"))
                let title = quorum.leader == id ? "Global Session Sets (0)/(0):" : "Global Sessions(0):"
                #expect(dump.contains(title))
                // The creates of the servers so far, and nothing else.
                #expect(zxid.counter == UInt32(id.rawValue))
                try await quorum.expire(client.sessionID)
                await wait(for: client, until: { $0 == .expired })
            }
        }
    }

    @Test("A local session comes back to its server, and has ended at any other")
    func moving() async throws {
        try await withQuorum(modes: .localSessions) { quorum in
            let here = try quorum.connectString(of: 1)
            let patient = ZooKeeperClient.Options(sessionTimeout: .seconds(60))
            let client = try await ZooKeeperClient.connect(to: here, options: patient)
            let session = client.sessionID
            try await quorum.cutClients(of: 1)
            await wait(for: client, until: { $0 == .reconnected })
            #expect(client.sessionID == session)
            var options = ZooKeeperClient.Options()
            options.resume = client.ticket
            let (there, chosen) = (try quorum.connectString(of: 2), options)
            let refusal = await #expect(throws: ZooKeeperError.self) {
                _ = try await ZooKeeperClient.connect(to: there, options: chosen)
            }
            #expect(refusal?.code == .sessionExpired)
            // A leader's end is not the end of those who come back to their server.
            if let leader = quorum.leader, leader != 1 {
                try await quorum.kill(leader)
            } else {
                try await quorum.kill(2)
                try await quorum.kill(3)
                try await quorum.untilNotServing(1)
                try await quorum.restart(2)
            }
            while true {
                do throws(ZooKeeperError) {
                    _ = try await client.create("/after")
                    break
                } catch {
                    // Whether it was done is unknown.
                    if error.code == .nodeExists { break }
                    guard error.isOutcomeUnknown else { throw error }
                }
            }
            #expect(client.sessionID == session)
            await client.close()
        }
    }

    @Test("With upgrading the first ephemeral node makes a session that every server knows")
    func upgrading() async throws {
        try await withQuorum(modes: [.localSessions, .localSessionsUpgrading]) { quorum in
            for id in quorum.servers {
                let client = try await ZooKeeperClient.connect(to: try quorum.connectString(of: id))
                let session = client.sessionID
                _ = try await client.create("/e-\(id)", mode: .ephemeral)
                #expect(try await client.exists("/e-\(id)")?.ephemeralOwner == session)
                // Everybody sees it, and it goes with the session.
                let other = quorum.servers[Int(id.rawValue) % 3]
                try await withZooKeeperClient(connectedTo: try quorum.connectString(of: other)) { observer in
                    try await observer.sync("/")
                    let (stat, change) = try await observer.watchExists("/e-\(id)")
                    #expect(stat?.ephemeralOwner == session)
                    try await quorum.expire(session)
                    #expect(try await change.fired().kind == .deleted)
                }
                await wait(for: client, until: { $0 == .expired })
            }
        }
    }

    /// Returns when the client is in such a state; records an issue if it never will be.
    private func wait(for client: ZooKeeperClient, until isDone: (SessionState) -> Bool) async {
        for await state in client.states where isDone(state) { return }
        Issue.record("the client has ended: \(client.state)")
    }
}

private func withQuorum(
    servers: Int = 3, modes: LocalQuorum.Modes = [],
    configure: @escaping @Sendable (inout ServerConfiguration) -> Void = { _ in },
    _ body: (LocalQuorum) async throws -> Void
) async throws {
    let quorum = try await LocalQuorum.start(servers: servers, modes: modes, configure: configure)
    do {
        try await body(quorum)
    } catch {
        await quorum.stop()
        throw error
    }
    await quorum.stop()
}
