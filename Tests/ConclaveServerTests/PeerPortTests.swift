import ConclaveClient
import ConclaveConsensus
import ConclaveCore
import ConclaveSystem
import ConclaveWire
import TestLanes
import Testing

@testable import ConclaveServer

/// Strangers on the ports between servers: whatever they send, nobody loses its leader, and elections end.
///
/// `Tests/Interop` does the same with more of everything to servers in processes of their own (`peers-…`).
@Suite("Ports between servers", .live)
struct PeerPortTests {
    /// What no server says to an election port.
    static let votes: [(name: String, bytes: [UInt8])] = [
        ("nothing", []), ("a request for a page", Array("GET / HTTP/1.1\r\n\r\n".utf8)),
        ("zeros", .init(repeating: 0, count: 5_000)), ("ones", .init(repeating: 0xFF, count: 5_000)),
        ("half a handshake", Array(handshake(99).prefix(15))),
        ("a protocol of the future", handshake(99, version: -65_530)),
        ("the id of the server itself", handshake(1)), ("an id that is no server's", handshake(.min)),
        ("no address", handshake(99, length: 0)), ("an endless address", handshake(99, length: .max)),
        ("a negative address", handshake(99, length: -1)),
        ("an endless vote", handshake(99) + [0x7F, 0xFF, 0xFF, 0xFF]),
        ("a negative vote", handshake(99) + [0x80, 0, 0, 0]),
        ("a vote of nothing", handshake(99) + [0, 0, 0, 0]),
        ("a vote that is cut", handshake(99) + [0, 0, 0, 40] + .init(repeating: 1, count: 39)),
        ("the best vote there can be, of a stranger", handshake(99) + bestVote),
    ]

    /// What no learner says to a quorum port.
    static let packets: [(name: String, bytes: [UInt8])] = [
        ("nothing", []), ("a request for a page", Array("GET / HTTP/1.1\r\n\r\n".utf8)),
        ("zeros", .init(repeating: 0, count: 5_000)), ("ones", .init(repeating: 0xFF, count: 5_000)),
        ("half a packet", Array(info(99).prefix(17))), ("a type that does not exist", packet(kind: 99)),
        ("endless data", packet(kind: 11, length: .max)), ("data of negative length", packet(kind: 11, length: -2)),
        ("no data", packet(kind: 11)), ("the leader's id", info(1) + info(2) + info(3)),
        ("an old protocol", info(99, version: 1)), ("a configuration of the future", info(99, configuration: .max)),
        ("the last epoch there is", info(99, accepted: .max)),
        ("an ACK before anything else", packet(kind: 3)), ("a request before anything else", packet(kind: 1)),
        ("packets for leaders only", info(99) + packet(kind: 2) + packet(kind: 10) + packet(kind: 12)),
        ("garbage behind a good beginning", info(99) + .init(repeating: 0xA5, count: 3_000)),
    ]

    @Test(
        "Bytes that make no sense, on connections that stay open, part nobody from the leader and no client from its server"
    )
    func badBytes() async throws {
        try await withQuorum { quorum, client in
            let (leader, epoch) = try await self.leader(of: quorum)
            for id in quorum.servers {
                let ports = try quorum.member(id).ports
                for (port, inputs) in [(ports.election, Self.votes), (ports.quorum, Self.packets)] {
                    var held: [PeerSocket] = []
                    for (name, bytes) in inputs {
                        let stranger = try PeerSocket(port: port.number)
                        // The server may have had enough before all of it is sent.
                        try? stranger.send(bytes)
                        held.append(stranger)
                        _ = try await client.setData(at: "/a", to: Array(name.utf8))
                    }
                    for stranger in held { stranger.close() }
                }
            }
            try await quorum.untilServing()
            let now = try await self.leader(of: quorum)
            #expect(now.leader == leader && now.epoch == epoch)
            #expect(client.state.isOver == false)
        }
    }

    @Test(
        "Elections end while both ports of every server are flooded with strangers that say nothing, or half of something"
    )
    func floodedElections() async throws {
        try await withQuorum { quorum, client in
            var flood: [PeerSocket] = []
            defer { for stranger in flood { stranger.close() } }
            for round in 0..<2 {
                for id in quorum.running {
                    let ports = try quorum.member(id).ports
                    for number in 0..<80 {
                        let election = try PeerSocket(port: ports.election.number)
                        let quorumPort = try PeerSocket(port: ports.quorum.number)
                        if number.isMultiple(of: 3) { try? election.send(Array(handshake(99).prefix(9))) }
                        if number.isMultiple(of: 4) { try? quorumPort.send(info(Int64(100 + number))) }
                        flood += [election, quorumPort]
                    }
                }
                let (leader, epoch) = try await self.leader(of: quorum)
                try await quorum.kill(leader)
                let next = try await quorum.untilLeader(otherThan: leader)
                try await client.setSurely("/a", "\(round)")
                #expect(try await self.leader(of: quorum).epoch > epoch && next != leader)
                try await quorum.restart(leader)
                try await quorum.untilServing()
            }
        }
    }

    // MARK: Parts

    private func withQuorum(_ body: (LocalQuorum, ZooKeeperClient) async throws -> Void) async throws {
        let quorum = try await LocalQuorum.start()
        do {
            // On a busy machine a session must not end because its server was elsewhere.
            try await withZooKeeperClient(
                connectedTo: quorum.connectString, options: .init(sessionTimeout: .seconds(60))
            ) { client in
                _ = try await client.create("/a")
                try await body(quorum, client)
            }
        } catch {
            await quorum.stop()
            throw error
        }
        await quorum.stop()
    }

    private func leader(of quorum: LocalQuorum) async throws -> (leader: ServerID, epoch: Int64) {
        while true {
            let leader = try await quorum.untilLeader()
            if case .running(let server) = try quorum.member(leader).phase, let epoch = await server.epoch() {
                return (leader, epoch)
            }
        }
    }
}

extension ZooKeeperClient {
    /// Writes until an answer comes.
    fileprivate func setSurely(_ path: String, _ text: String) async throws {
        while true {
            do throws(ZooKeeperError) {
                _ = try await setData(at: path, to: Array(text.utf8))
                return
            } catch {
                guard error.isOutcomeUnknown else { throw error }
            }
        }
    }
}

// MARK: Bytes

private func handshake(_ server: Int64, version: Int64 = -65_536, length: Int32? = nil) -> [UInt8] {
    let address = Array("127.0.0.1:1".utf8)
    var writer = ByteWriter()
    writer.writeInt64(version)
    writer.writeInt64(server)
    writer.writeInt32(length ?? Int32(address.count))
    return writer.bytes + address
}

private let bestVote: [UInt8] = {
    var writer = ByteWriter()
    ElectionNotification(
        state: .looking, leader: 99, zxid: Zxid(rawValue: .max), round: .max, peerEpoch: .max, configuration: []
    ).encodeFrame(into: &writer)
    return writer.bytes
}()

private func packet(kind: Int32, length: Int32 = -1) -> [UInt8] {
    var writer = ByteWriter()
    writer.writeInt32(kind)
    writer.writeInt64(0)
    writer.writeInt32(length)
    writer.writeInt32(-1)
    return writer.bytes
}

private func info(
    _ server: Int64, version: Int32 = 0x10000, configuration: Int64 = 0, accepted: Int32 = 0
) -> [UInt8] {
    var data = ByteWriter()
    data.writeInt64(server)
    data.writeInt32(version)
    data.writeInt64(configuration)
    return QuorumPacket(.followerInfo, zxid: Zxid(rawValue: Int64(accepted) << 32), data: data.bytes).bytes
}
