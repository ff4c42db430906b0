import ConclaveCore
import ConclaveNode
import ConclaveTree
import ConclaveWire
import Testing

/// `leaderServes=no`: clients of an ensemble are left to those that do not lead.
struct LeaderServesTests {
    @Test("A leader that is told so turns clients away, its followers serve them, and it serves them when it follows")
    func leaderTurnsAway() throws {
        var pair = LeaderAndLearner(leader: { $0.leaderServesClients = false }, learner: { _ in })
        let refused = pair.leader.open()
        pair.leader.handshake(refused, .new())
        #expect(pair.leader.closed[refused] == .leaderDoesNotServe)
        let served = try pair.connect()
        #expect(try pair.perform(.create("/a", [7]), on: served.id).header.error == .ok)
        #expect(pair.leader.machine.tree.sessions.count == 1)

        pair.leader.machine.stopServing(now: pair.leader.now, wall: pair.leader.wall)
        let start = Zxid(epoch: pair.leader.machine.tree.lastProcessed.epoch + 1, counter: 0)
        pair.leader.machine.startServing(as: .follower, epochStart: start, now: pair.leader.now, wall: pair.leader.wall)
        pair.leader.drain()
        let welcome = pair.leader.open()
        pair.leader.handshake(welcome, .new())
        #expect(pair.leader.closed[welcome] == nil)
    }

    @Test("Sessions that come from elsewhere are no exception")
    func leaderTurnsSessionsAway() throws {
        var pair = LeaderAndLearner(leader: { $0.leaderServesClients = false }, learner: { _ in })
        let (_, session) = try pair.connect()
        let refused = pair.leader.open()
        pair.leader.handshake(refused, .again(session))
        #expect(pair.leader.closed[refused] == .leaderDoesNotServe)
    }

    @Test("A server that stands alone serves whatever is said about leaders")
    func alone() throws {
        var options = ServerOptions()
        options.leaderServesClients = false
        var harness = MachineHarness(options)
        let id = harness.open()
        harness.handshake(id, .new())
        #expect(harness.closed[id] == nil)
    }
}
