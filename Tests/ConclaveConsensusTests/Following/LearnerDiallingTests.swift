import ConclaveConsensus
import ConclaveCore
import ConclaveWire
import Testing

/// How long and how often the leader is dialled, and what is made of one that looks for a leader itself.
struct LearnerDiallingTests {
    // MARK: Tries

    @Test("Dials again in growing steps, as long as the reference does and its leader may settle later, then gives up")
    func dialling() {
        var talk = LearnerConversation { $0.initLimit = 100 }
        var waits: [Int64] = []
        while waits.count < 20, talk.did() == ["connect"] {
            let start = talk.time
            talk.machine.connectFailed(now: talk.now)
            guard !talk.machine.hasEnded else { break }
            #expect(talk.did() == [])
            talk.pass(talk.machine.nextDeadline.milliseconds(since: talk.now))
            waits.append(talk.time - start)
        }
        #expect(waits == [6, 12, 25, 50, 100, 100, 100, 100, 100])
        #expect(talk.did() == ["look again"])
    }

    @Test("Dialling ends with the limit, whatever the last try is doing")
    func diallingLimit() {
        var talk = LearnerConversation { $0.connectToLeaderLimit = 3 }
        _ = talk.did()
        talk.pass(299)
        #expect(talk.did() == [])
        talk.pass(1)
        #expect(talk.did() == ["look again"])

        talk = LearnerConversation { $0.connectToLeaderLimit = 1 }
        talk.time += 99
        talk.machine.connectFailed(now: talk.now)
        #expect(talk.machine.nextDeadline == Instant(milliseconds: 10_100))
        _ = talk.did()
        talk.pass(1)
        #expect(talk.did() == ["look again"])
    }

    @Test(
        "Dialling works with any numbers in the options",
        arguments: [Int64.min, -1, 0, 1, .max], [Int.min, 0, 1, .max])
    func diallingNumbers(retry: Int64, tries: Int) {
        var talk = LearnerConversation {
            $0.connectRetryMilliseconds = retry
            $0.connectTries = tries
            $0.initLimit = .max
        }
        for _ in 0..<50 where !talk.machine.hasEnded {
            talk.machine.connectFailed(now: talk.now)
            guard !talk.machine.hasEnded else { break }
            #expect(talk.machine.nextDeadline > talk.now)
            talk.pass(talk.machine.nextDeadline.milliseconds(since: talk.now))
        }
        #expect(talk.machine.hasEnded == (tries <= 1 || tries == .max ? tries <= 1 : true))
    }

    @Test("A connection that closes while it is dialled counts as not reached, once")
    func closedWhileDialling() {
        var talk = LearnerConversation()
        _ = talk.did()
        talk.machine.closed(now: talk.now)
        talk.machine.closed(now: talk.now)
        #expect(!talk.machine.hasEnded)
        talk.pass(6)
        #expect(talk.did() == ["connect"])
    }

    @Test("A connection that is closed before the leader says a word counts as not made: it is made again, as often")
    func turnedAway() {
        var talk = LearnerConversation { $0.initLimit = 100 }
        var tries = 0
        while talk.did() == ["connect"], tries < 20 {
            tries += 1
            talk.connect()
            #expect(talk.did() == ["followerInfo 0x100000000"])
            talk.machine.closed(now: talk.now)
            talk.pass(talk.machine.nextDeadline.milliseconds(since: talk.now))
        }
        #expect(tries == 10)
        #expect(talk.machine.hasEnded)

        talk = LearnerConversation()
        talk.connect()
        talk.machine.closed(now: talk.now)
        talk.pass(6)
        talk.connect()
        _ = talk.did()
        talk.leaderInfo(epoch: 2)
        #expect(talk.did() == ["save accepted 2"])
    }

    @Test("A connection that is closed in the middle of the first packet ends it")
    func closedInFirstPacket() {
        var talk = LearnerConversation()
        talk.connect()
        _ = talk.did()
        talk.receive([0, 0])
        talk.machine.closed(now: talk.now)
        #expect(talk.did() == ["look again"])
    }

    // MARK: A leader that looks for one

    @Test("While it is dialled, a leader that looks for one itself is left at once")
    func lookingLeader() {
        var talk = LearnerConversation()
        talk.machine.leaderIsLooking(isLate: false)
        #expect(talk.did() == ["connect", "look again"])
        talk = LearnerConversation()
        talk.machine.connectFailed(now: talk.now)
        talk.machine.leaderIsLooking(isLate: false)
        #expect(talk.did() == ["connect", "look again"])
    }

    @Test(
        "A connection says more than a vote, unless it was closed before, is closed behind it, or the vote comes late")
    func lookingLeaderWithConnection() {
        var talk = LearnerConversation()
        talk.connect()
        talk.machine.leaderIsLooking(isLate: false)
        #expect(!talk.machine.hasEnded)
        talk.machine.closed(now: talk.now)
        #expect(talk.machine.hasEnded)

        talk = LearnerConversation()
        talk.connect()
        talk.machine.closed(now: talk.now)
        talk.pass(6)
        talk.connect()
        talk.machine.leaderIsLooking(isLate: false)
        #expect(talk.machine.hasEnded)

        talk = LearnerConversation()
        talk.connect()
        talk.machine.leaderIsLooking(isLate: true)
        #expect(talk.machine.hasEnded)
    }

    @Test("Once the leader has said something there, votes do not count")
    func lookingLeaderThatSpoke() {
        var talk = LearnerConversation()
        talk.connect()
        talk.receive([0, 0])
        talk.machine.leaderIsLooking(isLate: true)
        #expect(!talk.machine.hasEnded)
        talk = LearnerConversation()
        talk.discover()
        talk.machine.leaderIsLooking(isLate: true)
        #expect(!talk.machine.hasEnded)
        talk = LearnerConversation()
        talk.serve()
        talk.machine.leaderIsLooking(isLate: true)
        #expect(talk.machine.isServing)
    }
}
