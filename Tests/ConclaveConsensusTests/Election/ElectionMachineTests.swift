import ConclaveConsensus
import ConclaveCore
import ConclaveWire
import Testing

/// How one server counts votes: one event per line, with what it answers.
struct ElectionMachineTests: ElectionConversation {
    var machine: ElectionMachine
    var now = Instant(milliseconds: 1_000)

    init() throws { machine = try Self.fourth() }

    // MARK: Rounds

    @Test("A new election sends the own vote to every other voter, in order")
    mutating func firstBroadcast() {
        start(zxid: 7, epoch: 2)
        let sent = machine.takeActions()
        #expect(sent == [1, 2, 3, 5].map { message(.looking, leader: 4, zxid: 7, round: 1, epoch: 2).to($0) })
        #expect(machine.nextDeadline == now.advanced(byMilliseconds: 200))
    }

    @Test("A greater round with a worse vote: that round, the own vote, everybody is told, what was counted is void")
    mutating func greaterRoundWorse() {
        start(zxid: 7, round: 5)
        hear(.looking, leader: 5, zxid: 8, round: 5, from: 5)
        hear(.looking, leader: 5, zxid: 8, round: 5, from: 1)
        _ = machine.takeActions()
        hear(.looking, leader: 1, zxid: 6, round: 7, from: 1)
        #expect(machine.round == 7)
        #expect(
            machine.takeActions() == [1, 2, 3, 5].map { message(.looking, leader: 4, zxid: 7, round: 7).to($0) })
        // The two old votes for 5 and one new one are no quorum.
        hear(.looking, leader: 5, zxid: 8, round: 7, from: 3)
        wait(150)
        #expect(machine.state == .looking)
    }

    @Test("A greater round with a better vote: that round and that vote")
    mutating func greaterRoundBetter() {
        start(zxid: 7, round: 5)
        hear(.looking, leader: 2, zxid: 8, round: 7, from: 2)
        #expect(
            machine.takeActions() == [1, 2, 3, 5].map { message(.looking, leader: 2, zxid: 8, round: 7).to($0) })
    }

    @Test("A greater round is compared with the own vote and not with what was adopted before")
    mutating func greaterRoundForgets() {
        start(zxid: 7, round: 5)
        hear(.looking, leader: 5, zxid: 9, round: 5, from: 5)
        _ = machine.takeActions()
        hear(.looking, leader: 3, zxid: 8, round: 7, from: 3)
        #expect(machine.takeActions().first == message(.looking, leader: 3, zxid: 8, round: 7).to(1))
    }

    @Test("A smaller round counts for nothing; its sender is told the own proposal and round")
    mutating func smallerRound() {
        start(zxid: 7, round: 7)
        hear(.looking, leader: 2, zxid: 99, round: 5, from: 2)
        #expect(machine.takeActions() == [message(.looking, leader: 4, zxid: 7, round: 7).to(2)])
    }

    @Test("The same round, better: adopted and told to everybody")
    mutating func sameRoundBetter() {
        start(zxid: 7, round: 5)
        hear(.looking, leader: 2, zxid: 8, round: 5, from: 2)
        #expect(machine.takeActions().count == 4)
    }

    @Test("The same round, worse: recorded, and its sender, which may have missed the first message, told once")
    mutating func sameRoundWorse() {
        start(zxid: 7, round: 5)
        hear(.looking, leader: 2, zxid: 6, round: 5, from: 2)
        #expect(machine.takeActions() == [message(.looking, leader: 4, zxid: 7, round: 5).to(2)])
        hear(.looking, leader: 2, zxid: 6, round: 5, from: 2)
        #expect(machine.takeActions().isEmpty)
    }

    @Test("The last round there can be does not trap")
    mutating func lastRound() {
        start(zxid: 7, round: 5)
        hear(.looking, leader: 2, zxid: 6, round: .max, from: 2)
        #expect(machine.round == .max)
        machine.start(zxid: Zxid(rawValue: 7), currentEpoch: 0, now: now)
        #expect(machine.round == .max)
        hear(.looking, leader: 2, zxid: 6, round: .min, from: 2)
        #expect(machine.round == .max)
    }

    @Test("Votes for somebody without a vote, and votes of servers without a database, count for nothing")
    mutating func votesForNobody() {
        start(zxid: 7, round: 5)
        for candidate in [9, 77, .min] as [Int64] {
            hear(.looking, leader: candidate, zxid: 99, round: 6, from: 2)
        }
        hear(.looking, leader: 2, zxid: -1, round: 6, from: 2)
        #expect(machine.round == 5)
        #expect(machine.takeActions().isEmpty)
    }

    // MARK: Joining

    @Test("Followers of a leader that has not said so itself are not enough")
    mutating func leaderIsSilent() {
        start(zxid: 7, round: 1)
        hear(.following, leader: 3, zxid: 9, round: 6, epoch: 4, from: 1)
        hear(.following, leader: 3, zxid: 9, round: 6, epoch: 4, from: 2)
        hear(.following, leader: 3, zxid: 9, round: 6, epoch: 4, from: 5)
        #expect(machine.state == .looking)
        hear(.leading, leader: 3, zxid: 9, round: 6, epoch: 4, from: 3)
        #expect(machine.state == .following)
        #expect(machine.round == 6)
    }

    @Test("A leader alone is not enough")
    mutating func leaderAlone() {
        start(zxid: 7, round: 1)
        hear(.leading, leader: 3, zxid: 9, round: 6, epoch: 4, from: 3)
        #expect(machine.state == .looking)
    }

    @Test("Settled votes with different rounds and zxids count together, those of different epochs do not")
    mutating func settledVotes() {
        start(zxid: 7, round: 1)
        hear(.following, leader: 3, zxid: 9, round: 6, epoch: 4, from: 1)
        hear(.leading, leader: 3, zxid: 9, round: 6, epoch: 5, from: 3)
        hear(.following, leader: 3, zxid: 9, round: 6, epoch: 5, from: 2)
        #expect(machine.state == .looking)
        hear(.following, leader: 3, zxid: 1, round: 2, epoch: 5, from: 1)
        #expect(machine.leader == ServerID(rawValue: 3))
    }

    @Test("In its own round the epochs of settled votes may differ")
    mutating func sameRoundSettled() {
        start(zxid: 7, round: 6)
        hear(.following, leader: 3, zxid: 9, round: 6, epoch: 4, from: 1)
        hear(.following, leader: 3, zxid: 9, round: 6, epoch: 5, from: 2)
        hear(.leading, leader: 3, zxid: 9, round: 6, epoch: 5, from: 3)
        #expect(machine.leader == ServerID(rawValue: 3))
    }

    @Test("A server that everybody in its round follows leads; in another round it does not")
    mutating func followedUnknowingly() {
        start(zxid: 7, round: 6)
        for server in [1, 2, 3] as [Int64] { hear(.following, leader: 4, zxid: 7, round: 9, from: server) }
        #expect(machine.state == .looking)
        for server in [1, 2, 3] as [Int64] { hear(.following, leader: 4, zxid: 7, round: 6, from: server) }
        #expect(machine.state == .leading)
    }

    @Test("A leader that is gone no longer vouches for itself")
    mutating func leaderGone() {
        start(zxid: 7, round: 1)
        hear(.leading, leader: 3, zxid: 9, round: 6, epoch: 4, from: 3)
        hear(.following, leader: 3, zxid: 9, round: 6, epoch: 4, from: 1)
        machine.peerReachable(ServerID(rawValue: 3), false, now: now)
        hear(.following, leader: 3, zxid: 9, round: 6, epoch: 4, from: 2)
        hear(.following, leader: 3, zxid: 9, round: 6, epoch: 4, from: 5)
        #expect(machine.state == .looking)
    }

    @Test("A server that observes has nothing to say about who leads")
    mutating func observersSayNothing() {
        start(zxid: 7, round: 1)
        hear(.leading, leader: 3, zxid: 9, round: 6, from: 3)
        for server in [1, 2, 5] as [Int64] { hear(.observing, leader: 3, zxid: 9, round: 6, from: server) }
        #expect(machine.state == .looking)
    }
}
