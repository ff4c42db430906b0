import ConclaveCore
import ConclaveWire
import Testing

@testable import ConclaveConsensus

/// Strangers that come under the number of a follower: they must not make the leader doubt for good what the follower has
/// acknowledged (found by `Tests/Interop/run peers-fire`: writes stood still until the next one).
struct LeaderStrangerTests {
    @Test("One blind packet in the manner of an old release, under a follower's number, changes nothing")
    func blindPacket() throws {
        var leader = try LeaderHarness()
        let two = leader.lead(with: [2])[0]
        leader.propose()
        leader.ack(two, zxid(1, 1))
        let stranger = leader.connect()
        let info = LearnerInfo(serverID: server(2), configurationVersion: 0)
        leader.deliver(QuorumPacket(.followerInfo, zxid: .zero, data: Array(info.data.prefix(8))), on: stranger)
        #expect(leader.actions() == [.close(stranger, .numberInUse(server(2)))])
        leader.synced(zxid(1, 1))
        #expect(leader.actions() == [.commit(through: zxid(1, 1))])
    }

    @Test("Whoever answers a ping over the earlier connection is no other than before, and its word counts again")
    func doubted() throws {
        var leader = try LeaderHarness()
        let two = leader.lead(with: [2])[0]
        leader.propose()
        leader.ack(two, zxid(1, 1))
        _ = leader.packets(two)
        _ = leader.join(2)
        leader.synced(zxid(1, 1))
        #expect(leader.actions() == [])
        // At once.
        #expect(leader.sent(two).map(\.kind) == [.ping])
        leader.deliver(QuorumPacket(.ping, zxid: zxid(1, 1), data: []), on: two)
        #expect(leader.actions() == [.commit(through: zxid(1, 1))])
    }

    @Test("A ping that was on its way when the other connection came proves nothing")
    func earlierPing() throws {
        var leader = try LeaderHarness()
        let two = leader.lead(with: [2])[0]
        leader.propose()
        leader.ack(two, zxid(1, 1))
        leader.advance(milliseconds: 1000)
        #expect(leader.sent(two).contains { $0.kind == .ping })
        _ = leader.join(2)
        leader.synced(zxid(1, 1))
        leader.deliver(QuorumPacket(.ping, zxid: zxid(1, 1), data: []), on: two)
        #expect(leader.actions() == [])
    }
}
