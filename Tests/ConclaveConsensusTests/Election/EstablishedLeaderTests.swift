import ConclaveConsensus
import ConclaveCore
import ConclaveWire
import Testing

/// What a server makes of leaders that are there already, and of the one that it has just lost.
struct EstablishedLeaderTests: ElectionConversation {
    var machine: ElectionMachine
    var now = Instant(milliseconds: 1_000)

    init() throws { machine = try Self.fourth() }

    // MARK: A leader that needs this server

    @Test("A leader that lacks only this server gets it when nobody else was found for 200 ms")
    mutating func leaderInNeed() {
        start(zxid: 7, epoch: 1, round: 6)
        hear(.leading, leader: 5, zxid: 7, round: 5, epoch: 1, from: 5)
        hear(.following, leader: 5, zxid: 7, round: 5, epoch: 1, from: 1)
        wait(199)
        #expect(machine.state == .looking)
        wait(1)
        #expect(machine.state == .following)
        #expect(machine.leader == ServerID(rawValue: 5))
        #expect(machine.round == 5)
    }

    @Test("A leader that lacks more than this server does not get it")
    mutating func leaderWithoutFollowers() {
        start(zxid: 7, epoch: 1, round: 6)
        hear(.leading, leader: 5, zxid: 7, round: 5, epoch: 1, from: 5)
        wait(1_000)
        #expect(machine.state == .looking)
    }

    @Test("Followers alone say nothing about whether their leader is there")
    mutating func followersOfSomebody() {
        start(zxid: 7, epoch: 1, round: 6)
        for server in [1, 2] as [Int64] {
            hear(.following, leader: 5, zxid: 7, round: 5, epoch: 1, from: server)
        }
        wait(1_000)
        #expect(machine.state == .looking)
    }

    @Test(
        "A server that is ahead of such a leader would be sent away, and looks on", arguments: [(8, 1), (7, 2), (1, 2)])
    mutating func aheadOfTheLeader(zxid: Int64, epoch: Int64) {
        start(zxid: zxid, epoch: epoch, round: 6)
        hear(.leading, leader: 5, zxid: 7, round: 5, epoch: 1, from: 5)
        hear(.following, leader: 5, zxid: 7, round: 5, epoch: 1, from: 1)
        wait(1_000)
        #expect(machine.state == .looking)
    }

    @Test("Such a leader that cannot be reached any more is not waited for")
    mutating func leaderInNeedIsGone() {
        start(zxid: 7, epoch: 1, round: 6)
        hear(.leading, leader: 5, zxid: 7, round: 5, epoch: 1, from: 5)
        hear(.following, leader: 5, zxid: 7, round: 5, epoch: 1, from: 1)
        machine.peerReachable(ServerID(rawValue: 5), false, now: now)
        wait(1_000)
        #expect(machine.state == .looking)
    }

    @Test("Servers that look find each other sooner than such a leader")
    mutating func othersComeFirst() {
        start(zxid: 7, epoch: 1, round: 6)
        hear(.leading, leader: 5, zxid: 7, round: 5, epoch: 1, from: 5)
        hear(.following, leader: 5, zxid: 7, round: 5, epoch: 1, from: 1)
        wait(190)
        for server in [2, 3] as [Int64] { hear(.looking, leader: 4, zxid: 7, round: 6, epoch: 1, from: server) }
        wait(10)
        #expect(machine.state == .looking)
        wait(190)
        #expect(machine.state == .leading)
    }

    @Test("Of two that say they lead, the one with the newer history gets this server")
    mutating func twoLeaders() {
        start(zxid: 7, epoch: 1, round: 6)
        hear(.leading, leader: 5, zxid: 8, round: 5, epoch: 1, from: 5)
        hear(.following, leader: 5, zxid: 8, round: 5, epoch: 1, from: 1)
        hear(.leading, leader: 3, zxid: 7, round: 4, epoch: 2, from: 3)
        hear(.following, leader: 3, zxid: 7, round: 4, epoch: 2, from: 2)
        wait(200)
        #expect(machine.leader == ServerID(rawValue: 3))
    }

    @Test("An observer helps nobody to a quorum")
    func observer() throws {
        var observer = ElectionMachine(
            options: EnsembleOptions(myID: ServerID(rawValue: 9)),
            configuration: try EnsembleConfiguration(text: Self.five))
        observer.start(zxid: .zero, currentEpoch: 0, now: now)
        for (server, state) in [(5, .leading), (1, .following)] as [(Int64, PeerState)] {
            let heard = ElectionNotification(
                state: state, leader: ServerID(rawValue: 5), zxid: Zxid(rawValue: 7), round: 5, peerEpoch: 1,
                configuration: [])
            observer.received(heard, from: ServerID(rawValue: server), now: now)
        }
        observer.tick(now: now.advanced(byMilliseconds: 1_000))
        #expect(observer.state == .looking)
    }

    // MARK: A leader that was lost

    /// Four voters that look, this one among them and agreed on it; 5 says nothing.
    private mutating func lose(_ leader: Int64?) {
        for server in [1, 2, 3, 5] as [Int64] { machine.peerReachable(ServerID(rawValue: server), true, now: now) }
        machine.start(
            zxid: Zxid(rawValue: 7), currentEpoch: 1, lostLeader: leader.map { ServerID(rawValue: $0) }, now: now)
        for server in [1, 2, 3] as [Int64] { hear(.looking, leader: 4, zxid: 7, round: 1, epoch: 1, from: server) }
    }

    @Test("The leader that was lost is not waited for, although it seems connected")
    mutating func lostLeader() {
        lose(5)
        #expect(machine.state == .leading)
    }

    @Test("Anybody else that seems connected is waited for")
    mutating func noLostLeader() {
        lose(nil)
        #expect(machine.state == .looking)
        wait(20)
        #expect(machine.state == .leading)
    }

    @Test("A lost leader that is heard counts like any other voter")
    mutating func lostLeaderComesBack() {
        for server in [1, 2, 3, 5] as [Int64] { machine.peerReachable(ServerID(rawValue: server), true, now: now) }
        machine.start(zxid: Zxid(rawValue: 7), currentEpoch: 1, lostLeader: ServerID(rawValue: 5), now: now)
        hear(.looking, leader: 5, zxid: 3, round: 1, epoch: 1, from: 5)
        for server in [1, 2, 3] as [Int64] { hear(.looking, leader: 4, zxid: 7, round: 1, epoch: 1, from: server) }
        // It has not come round to this candidate yet.
        #expect(machine.state == .looking)
        hear(.looking, leader: 4, zxid: 7, round: 1, epoch: 1, from: 5)
        #expect(machine.state == .leading)
    }

    @Test("The next election knows nothing of who was lost before")
    mutating func lostLeaderIsForgotten() {
        lose(5)
        machine.start(zxid: Zxid(rawValue: 7), currentEpoch: 1, now: now)
        for server in [1, 2, 3] as [Int64] { hear(.looking, leader: 4, zxid: 7, round: 2, epoch: 1, from: server) }
        #expect(machine.state == .looking)
    }
}
