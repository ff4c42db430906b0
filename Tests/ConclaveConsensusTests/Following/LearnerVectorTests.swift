import ConclaveConsensus
import ConclaveCore
import ConclaveWire
import Foundation
import Testing

/// Packets captured between Apache ZooKeeper 3.8.0 servers; see `Tests/Vectors/README.md`.
struct LearnerVectorTests {
    private struct Captured: Decodable {
        let type: String
        let direction: String
        let zxid: String
        let hex: String
    }

    private let packets: [Captured]

    init() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Vectors")
        packets = try JSONDecoder().decode(
            [Captured].self, from: Data(contentsOf: folder.appending(path: "quorum-packets.json")))
    }

    private func bytes(_ type: String, _ zxid: String, fromLeader: Bool, _ index: Int = 0) throws -> [UInt8] {
        let direction = fromLeader ? "leader->learner" : "learner->leader"
        let found = packets.filter { $0.type == type && $0.direction == direction && $0.zxid == zxid }
        try #require(found.count > index, "\(type) \(zxid)")
        let digits = Array(found[index].hex.utf8).map { UInt8($0 > 0x40 ? ($0 & 0x0F) + 9 : $0 & 0x0F) }
        return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    @Test("A follower of a new ensemble says byte for byte what the reference's says")
    func follower() throws {
        var talk = LearnerConversation(accepted: 0, current: 0, last: 0)
        func hear(_ type: String, _ zxid: String) throws { talk.receive(try bytes(type, zxid, fromLeader: true)) }
        func said() -> [UInt8] {
            talk.actions().reduce(into: []) { if case .send(let bytes) = $1 { $0 += bytes } }
        }
        talk.connect()
        #expect(said() == (try bytes("FOLLOWERINFO", "0x0", fromLeader: false)))
        try hear("LEADERINFO", "0x100000000")
        talk.machine.savedAcceptedEpoch(now: talk.now)
        #expect(said() == (try bytes("ACKEPOCH", "0x0", fromLeader: false)))
        try hear("DIFF", "0x0")
        try hear("NEWLEADER", "0x100000000")
        talk.machine.savedCurrentEpoch(now: talk.now)
        let ack = try bytes("ACK", "0x100000000", fromLeader: false)
        #expect(said() == ack)
        try hear("UPTODATE", "0xffffffffffffffff")
        #expect(said() == ack)
        try hear("PING", "0x100000000")
        talk.machine.answerPing([])
        #expect(said() == (try bytes("PING", "0x100000000", fromLeader: false)))

        let session = SessionID(rawValue: 0x0100_0010_AE2B_0000)
        talk.machine.forward(
            ForwardedRequest(session: session, cxid: 0, operation: .createSession, body: [0, 0, 0x1F, 0x40]),
            identities: nil)
        #expect(said() == (try bytes("REQUEST", "0xffffffffffffffff", fromLeader: false)))
        try hear("PROPOSAL", "0x100000001")
        talk.sync(0x1_0000_0001)
        #expect(said() == (try bytes("ACK", "0x100000001", fromLeader: false)))
        try hear("COMMIT", "0x100000001")
        #expect(talk.did() == ["commit 0x100000001"])
        try hear("PROPOSAL", "0x100000002")
        #expect(talk.did() == ["append 0x100000002"])
        talk.machine.revalidate(session, timeoutMilliseconds: 8000)
        #expect(said() == (try bytes("REVALIDATE", "0xffffffffffffffff", fromLeader: false)))
        try hear("SYNC", "0x0")
        #expect(talk.did() == ["synced"])
    }

    @Test("The captured snapshot is loaded")
    func snapshot() throws {
        var talk = LearnerConversation(accepted: 0, current: 0, last: 0x77)
        talk.discover(epoch: 1)
        talk.receive(
            try bytes("SNAP", "0x100000000", fromLeader: true) + bytes("SNAPSHOT", "0x100000000", fromLeader: true)
                + bytes("NEWLEADER", "0x100000000", fromLeader: true))
        #expect(talk.didInAll() == ["begin", "load 5", "end 0x100000000", "write"])
    }

    @Test("The captured truncation is ordered")
    func truncation() throws {
        var talk = LearnerConversation(accepted: 2, current: 2, last: 0x2_0000_0009)
        talk.discover(epoch: 3)
        talk.receive(try bytes("TRUNC", "0x200000007", fromLeader: true))
        #expect(talk.did() == ["truncate 0x200000007"])
    }

    @Test("The captured reconfigurations are activated")
    func reconfiguration() throws {
        // An observer that the configuration does not list is one that is to become a follower.
        var talk = LearnerConversation(role: .observer, accepted: 0, current: 0, last: 0x1_0000_0002) {
            $0.reconfigEnabled = true
        }
        talk.discover(epoch: 1)
        talk.receive(.diff, 0x1_0000_0002)
        talk.receive(.newLeader, 0x1_0000_0000)
        talk.machine.savedCurrentEpoch(now: talk.now)
        talk.receive(.upToDate)
        _ = talk.did()
        talk.receive(try bytes("INFORMANDACTIVATE", "0x100000003", fromLeader: true))
        let words = talk.did()
        #expect(words.starts(with: ["announced 4294967299", "append 0x100000003", "commit 0x100000003"]))
        #expect(words.contains("adopt 4294967299"))
    }
}
