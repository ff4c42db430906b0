import ConclaveConsensus
import ConclaveCore
import ConclaveWire
import Testing

/// When one server settles and what it tells others: one event per line, with what it answers.
struct ElectionSettlingTests: ElectionConversation {
    var machine: ElectionMachine
    var now = Instant(milliseconds: 1_000)

    init() throws { machine = try Self.fourth() }

    // MARK: Settling

    @Test("While others may still vote a quorum waits, at least 20 ms and three times as long as it took")
    mutating func finalWait() {
        start(zxid: 7, round: 5)
        hear(.looking, leader: 4, zxid: 7, round: 5, from: 1)
        hear(.looking, leader: 4, zxid: 7, round: 5, from: 2)
        #expect(machine.nextDeadline == now.advanced(byMilliseconds: 20))
        wait(19)
        #expect(machine.state == .looking)
        wait(1)
        #expect(machine.state == .leading)

        start(zxid: 7, round: 6)
        wait(50)
        hear(.looking, leader: 4, zxid: 7, round: 6, from: 1)
        hear(.looking, leader: 4, zxid: 7, round: 6, from: 2)
        #expect(machine.nextDeadline == now.advanced(byMilliseconds: 150))
        start(zxid: 7, round: 7)
        wait(190)
        hear(.looking, leader: 4, zxid: 7, round: 7, from: 1)
        hear(.looking, leader: 4, zxid: 7, round: 7, from: 2)
        wait(199)
        #expect(machine.state == .looking)
        wait(1)
        #expect(machine.state == .leading)
    }

    @Test("A better vote that comes in time puts the decision off, a worse one does not")
    mutating func votesDuringFinalWait() {
        start(zxid: 7, round: 5)
        hear(.looking, leader: 4, zxid: 7, round: 5, from: 1)
        hear(.looking, leader: 4, zxid: 7, round: 5, from: 2)
        wait(10)
        hear(.looking, leader: 3, zxid: 6, round: 5, from: 3)
        #expect(machine.nextDeadline == now.advanced(byMilliseconds: 10))
        hear(.looking, leader: 5, zxid: 7, round: 5, from: 5)
        wait(100)
        #expect(machine.state == .looking)
        hear(.looking, leader: 5, zxid: 7, round: 5, from: 1)
        wait(400)
        #expect(machine.state == .following)
        #expect(machine.leader == ServerID(rawValue: 5))
    }

    @Test("A decision falls at once when every voter that can be reached agrees")
    mutating func unanimous() {
        start(zxid: 7, round: 5)
        for server in [3, 5] as [Int64] { machine.peerReachable(ServerID(rawValue: server), false, now: now) }
        hear(.looking, leader: 4, zxid: 7, round: 5, from: 1)
        #expect(machine.state == .looking)
        hear(.looking, leader: 4, zxid: 7, round: 5, from: 2)
        #expect(machine.state == .leading)
    }

    @Test("A decision falls at once when the last one that was waited for is gone")
    mutating func lastOneLeaves() {
        start(zxid: 7, round: 5)
        machine.peerReachable(ServerID(rawValue: 3), false, now: now)
        hear(.looking, leader: 4, zxid: 7, round: 5, from: 1)
        hear(.looking, leader: 4, zxid: 7, round: 5, from: 2)
        #expect(machine.state == .looking)
        machine.peerReachable(ServerID(rawValue: 5), false, now: now)
        #expect(machine.state == .leading)
    }

    @Test("Without an answer the vote goes out again after 200, 400, 800 ms and so on up to a minute")
    mutating func resending() {
        start(zxid: 7, round: 5)
        var waits: [Int64] = []
        for _ in 0..<11 {
            let next = machine.nextDeadline
            waits.append(next.milliseconds(since: now))
            now = next
            machine.tick(now: now)
            let actions = machine.takeActions()
            #expect(actions.count == 5)
            #expect(actions.last == .connectAll)
        }
        #expect(waits == [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 51_200, 60_000, 60_000])
        for server in [1, 2, 3, 5] as [Int64] { machine.peerReachable(ServerID(rawValue: server), true, now: now) }
        now = machine.nextDeadline
        machine.tick(now: now)
        #expect(!machine.takeActions().contains(.connectAll))
    }

    @Test("A new leader tells those that voted, which ends their waiting")
    mutating func leaderTells() {
        start(zxid: 7, round: 5)
        hear(.looking, leader: 4, zxid: 7, round: 5, from: 1)
        hear(.looking, leader: 4, zxid: 7, round: 5, from: 2)
        _ = machine.takeActions()
        wait(20)
        let sent = machine.takeActions().filter { if case .send = $0 { true } else { false } }
        #expect(sent == [1, 2].map { message(.leading, leader: 4, zxid: 7, round: 5).to($0) })

        start(zxid: 7, round: 6)
        hear(.looking, leader: 5, zxid: 7, round: 6, from: 5)
        hear(.looking, leader: 5, zxid: 7, round: 6, from: 1)
        #expect(machine.state == .looking)
        hear(.leading, leader: 5, zxid: 7, round: 6, from: 5)
        #expect(machine.state == .following)
    }

    // MARK: Answering

    @Test("A settled server answers who looks, with its state, and says nothing to the others")
    mutating func settledAnswers() {
        settleOnThree()
        hear(.looking, leader: 2, zxid: 99, round: 80, epoch: 80, from: 2)
        #expect(machine.takeActions() == [message(.following, leader: 3, zxid: 9, round: 6, epoch: 4).to(2)])
        hear(.following, leader: 3, zxid: 9, round: 6, from: 1)
        hear(.leading, leader: 5, zxid: 9, round: 6, from: 5)
        #expect(machine.takeActions().isEmpty)
        #expect(machine.round == 6)
    }

    @Test("Who was answered before the leader served is told its epoch when it does, once")
    mutating func epochIsPassedOn() {
        settleOnThree()
        hear(.looking, leader: 2, zxid: 9, round: 1, from: 2)
        _ = machine.takeActions()
        machine.updateVote(peerEpoch: 5, now: now)
        #expect(machine.takeActions() == [message(.following, leader: 3, zxid: 9, round: 6, epoch: 5).to(2)])
        machine.updateVote(peerEpoch: 5, now: now)
        #expect(machine.takeActions().isEmpty)
    }

    @Test("A leader reports voters that look, a follower that its leader looks elsewhere")
    mutating func reports() {
        settleOnThree()
        hear(.looking, leader: 3, zxid: 9, round: 6, from: 3)
        #expect(machine.takeActions().count == 1)
        hear(.looking, leader: 5, zxid: 9, round: 6, from: 3)
        #expect(machine.takeActions().contains(.leaderLooking(isLate: false)))
        // Twice as long as a leader of the reference waits for better votes: it must have heard of its election.
        wait(399)
        hear(.looking, leader: 3, zxid: 9, round: 6, from: 3)
        #expect(machine.takeActions().count == 1)
        wait(1)
        hear(.looking, leader: 3, zxid: 9, round: 6, from: 3)
        #expect(machine.takeActions().contains(.leaderLooking(isLate: true)))
        start(zxid: 7, round: 7)
        for server in [1, 2, 3] as [Int64] { hear(.following, leader: 4, zxid: 7, round: 7, from: server) }
        _ = machine.takeActions()
        hear(.looking, leader: 2, zxid: 9, round: 1, from: 2)
        #expect(machine.takeActions().contains(.lookingSeen(ServerID(rawValue: 2))))
    }

    @Test("Who has no vote is answered, at most ten times a second, and told when the election is over")
    mutating func nonVoters() {
        start(zxid: 7, round: 1)
        _ = machine.takeActions()
        hear(.looking, leader: .min, zxid: .min, round: 1, epoch: .min, from: 9)
        #expect(machine.takeActions() == [message(.looking, leader: 4, zxid: 7, round: 1).to(9)])
        hear(.looking, leader: .min, zxid: .min, round: 1, epoch: .min, from: 9)
        hear(.observing, leader: 3, zxid: 9, round: 1, from: 9)
        #expect(machine.takeActions().isEmpty)
        wait(100)
        hear(.looking, leader: .min, zxid: .min, round: 1, epoch: .min, from: 9)
        #expect(machine.takeActions().count == 1)
        hear(.leading, leader: 3, zxid: 9, round: 6, from: 3)
        hear(.following, leader: 3, zxid: 9, round: 6, from: 1)
        hear(.following, leader: 3, zxid: 9, round: 6, from: 2)
        #expect(machine.takeActions().last == message(.following, leader: 3, zxid: 9, round: 6).to(9))
    }

    @Test("Servers without a vote do not answer each other")
    func observersAreSilent() throws {
        var observer = ElectionMachine(
            options: EnsembleOptions(myID: ServerID(rawValue: 9)),
            configuration: try EnsembleConfiguration(text: Self.five + "\nserver.10=h:1:2:observer"))
        observer.start(zxid: .zero, currentEpoch: 0, now: now)
        let first = observer.takeActions()
        #expect(first.count == 5)
        guard case .send(let message, _) = first[0] else { return #expect(Bool(false)) }
        #expect(message.leader.rawValue == .min && message.zxid.rawValue == .min && message.peerEpoch == .min)
        observer.received(message, from: ServerID(rawValue: 10), now: now)
        #expect(observer.takeActions().isEmpty)
    }

    @Test("No more than 256 servers that ask are remembered")
    mutating func manyAskers() {
        start(zxid: 7, round: 1)
        _ = machine.takeActions()
        for id in 100..<500 as Range<Int64> { hear(.looking, leader: .min, zxid: .min, round: 1, from: id) }
        #expect(machine.takeActions().count == 400)
        for (server, state) in [(3, .leading), (1, .following), (2, .following)] as [(Int64, PeerState)] {
            hear(state, leader: 3, zxid: 9, round: 6, from: server)
        }
        let told = machine.takeActions().filter { if case .send = $0 { true } else { false } }
        #expect(told.count == 256)
    }

    @Test("A designated leader is taken without an election")
    mutating func designated() {
        start(zxid: 7, round: 3)
        _ = machine.takeActions()
        machine.designate(leader: ServerID(rawValue: 4), zxid: Zxid(rawValue: 7), peerEpoch: 2, now: now)
        #expect(machine.takeActions().contains(.decided(leader: ServerID(rawValue: 4), state: .leading)))
        #expect(machine.nextDeadline == .distantFuture)
    }
}
