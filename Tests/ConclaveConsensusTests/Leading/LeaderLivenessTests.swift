import ConclaveConsensus
import ConclaveCore
import ConclaveWire
import Testing

/// Time-outs, pings and the loss of the quorum: quorum-protocol 7.5. A tick is 2 s, initLimit 10, syncLimit 5.
struct LeaderLivenessTests {
    private let tick: Int64 = 2000

    /// Lets time pass in steps of half a tick while some learners answer pings.
    private func pass(
        _ leader: inout LeaderHarness, milliseconds: Int64, answering links: [LinkID]
    ) {
        var left = milliseconds
        while left > 0 {
            for link in links {
                leader.deliver(QuorumPacket(.ping, zxid: leader.machine.lastProposed, data: []), on: link)
            }
            let step = min(left, 1000)
            leader.advance(milliseconds: step)
            left -= step
        }
    }

    private func stepsDown(_ leader: inout LeaderHarness) -> Bool {
        leader.actions().contains { if case .stepDown = $0 { true } else { false } }
    }

    // MARK: Whether it still leads

    @Test("A leader is known to have led when it sent the pings that a quorum has answered")
    func followed() throws {
        var leader = try LeaderHarness(voters: [1, 2, 3, 4, 5])
        let links = leader.lead(with: [2, 3, 4])
        #expect(leader.machine.followedAt == nil)
        leader.perform { $0.confirm(now: $1) }
        let first = leader.now
        for link in links { #expect(leader.sent(link).map(\.kind) == [.ping]) }
        // Asked for again at once: not before a few milliseconds have passed.
        leader.perform { $0.confirm(now: $1) }
        #expect(leader.sent(links[0]).isEmpty)
        #expect(leader.machine.nextDeadline == first.advanced(byMilliseconds: 5))
        leader.advance(milliseconds: 5)
        #expect(leader.sent(links[0]).map(\.kind) == [.ping])
        let second = leader.now

        let answer = QuorumPacket(.ping, zxid: leader.machine.lastProposed, data: [])
        leader.deliver(answer, on: links[0])
        #expect(leader.machine.followedAt == nil)
        leader.deliver(answer, on: links[0])
        leader.deliver(answer, on: links[1])
        // Two of four others: the second answer of one and the first of the other.
        #expect(leader.machine.followedAt == first)
        leader.deliver(answer, on: links[2])
        leader.deliver(answer, on: links[2])
        #expect(leader.machine.followedAt == second)
        leader.close(links[2])
        leader.close(links[1])
        #expect(leader.machine.followedAt == nil)
    }

    @Test("Pings in front of UPTODATE are not answered, and are not waited for")
    func earlyPings() throws {
        var leader = try LeaderHarness()
        _ = leader.lead(with: [2])
        let three = leader.join(3)
        leader.advance(milliseconds: 1000)
        leader.ack(three, leader.machine.epochStart)
        #expect(leader.sent(three).suffix(2).map(\.kind) == [.ping, .upToDate])
        leader.advance(milliseconds: 1000)
        let sent = leader.now
        leader.deliver(QuorumPacket(.ping, zxid: leader.machine.lastProposed, data: []), on: three)
        #expect(leader.machine.followedAt == sent)
    }

    @Test("One that decides alone needs nobody's word")
    func alone() throws {
        var leader = try LeaderHarness(voters: [1], observers: [2])
        _ = leader.lead(with: [])
        #expect(leader.machine.followedAt == .distantFuture)
    }

    // MARK: Too late

    @Test("Without a quorum of epochs the leader gives up after initLimit, not a millisecond earlier")
    func noEpochs() throws {
        var leader = try LeaderHarness()
        _ = leader.connect()
        leader.advance(milliseconds: 10 * tick - 1)
        #expect(!stepsDown(&leader))
        leader.advance(milliseconds: 1)
        #expect(stepsDown(&leader))
        #expect(leader.machine.phase == .steppedDown)
        #expect(leader.machine.nextDeadline == .distantFuture)
    }

    @Test("Each step has its own initLimit: epochs, their acknowledgement, NEWLEADER")
    func eachStep() throws {
        var leader = try LeaderHarness()
        leader.advance(milliseconds: 10 * tick - 1)
        let two = leader.introduce(2)
        leader.advance(milliseconds: 10 * tick - 1)
        leader.ackEpoch(two, current: 0, last: .zero)
        leader.advance(milliseconds: 10 * tick - 1)
        #expect(!stepsDown(&leader))
        #expect(leader.machine.phase == .awaitingAcks)
        leader.advance(milliseconds: 1)
        #expect(stepsDown(&leader))
    }

    @Test("A snapshot may take longer than initLimit, as long as it gets on")
    func longSnapshot() throws {
        var leader = try LeaderHarness { $0.forceSnapshotSync = true }
        let two = leader.join(2)
        leader.perform { $0.snapshotReady(two, zxid: .zero, now: $1) }
        for _ in 0..<10 {
            leader.advance(milliseconds: 9 * tick)
            leader.perform { $0.drained(two, now: $1) }
        }
        leader.perform { $0.snapshotSent(two, now: $1) }
        leader.advance(milliseconds: 9 * tick)
        leader.ack(two, zxid(1, 0))
        #expect(leader.machine.phase == .leading)
    }

    @Test("A snapshot that does not get on ends the connection")
    func stuckSnapshot() throws {
        var leader = try LeaderHarness { $0.forceSnapshotSync = true }
        var links: [LinkID] = []
        for number: Int64 in [2, 3] {
            let link = leader.join(number)
            leader.perform { $0.snapshotReady(link, zxid: .zero, now: $1) }
            if number == 2 {
                leader.perform { $0.snapshotSent(link, now: $1) }
                leader.ack(link, zxid(1, 0))
            }
            links.append(link)
        }
        _ = leader.actions()
        pass(&leader, milliseconds: 10 * tick, answering: [links[0]])
        #expect(leader.actions() == [])
        pass(&leader, milliseconds: 1000, answering: [links[0]])
        #expect(leader.actions() == [.close(links[1], .silent(milliseconds: 10 * tick))])
    }

    @Test("While the epoch is open, a voter that looks when the wait is over ends the attempt")
    func lookingVoter() throws {
        var leader = try LeaderHarness()
        leader.advance(milliseconds: 999)
        leader.perform { $0.voterIsLooking(server(2), now: $1) }
        #expect(!stepsDown(&leader), "What comes early may have been said before the election.")
        leader.advance(milliseconds: 1)
        leader.perform { $0.voterIsLooking(server(9), now: $1) }
        #expect(!stepsDown(&leader), "A stranger has no say.")
        leader.perform { $0.voterIsLooking(server(2), now: $1) }
        #expect(stepsDown(&leader))

        var busy = try LeaderHarness()
        _ = busy.introduce(2)
        busy.advance(milliseconds: 1_500)
        busy.perform { $0.voterIsLooking(server(3), now: $1) }
        #expect(!stepsDown(&busy), "The epoch is fixed.")
    }

    @Test("The wait can be of any length, or have no end but that of the phase", arguments: [-1, 0, 3_000])
    func lookingVoterWithLimit(limit: Int64) throws {
        var leader = try LeaderHarness { $0.maximumWaitForEpochMilliseconds = limit }
        leader.advance(milliseconds: 2_999)
        leader.perform { $0.voterIsLooking(server(2), now: $1) }
        #expect(stepsDown(&leader) == (limit == 0))
        leader.advance(milliseconds: 1)
        leader.perform { $0.voterIsLooking(server(2), now: $1) }
        #expect(stepsDown(&leader) == (limit == 3_000))
    }

    @Test("A quorum that leaves while it catches up ends the wait, unless it comes back at once")
    func leftEarly() throws {
        var leader = try LeaderHarness()
        let two = leader.introduce(2)
        leader.close(two)
        leader.advance(milliseconds: 1000)
        let again = leader.introduce(2)
        leader.advance(milliseconds: 1000)
        #expect(!stepsDown(&leader))
        leader.close(again)
        leader.advance(milliseconds: 1000)
        #expect(!stepsDown(&leader))
        leader.advance(milliseconds: 1000)
        #expect(stepsDown(&leader))
    }

    // MARK: Pings

    @Test("Every half tick a ping with the newest proposal goes to all that are streaming")
    func pings() throws {
        var leader = try LeaderHarness(observers: [4])
        let links = leader.lead(with: [2])
        leader.propose()
        _ = leader.packets(links[0])
        let late = leader.join(3)
        let waiting = leader.introduce(4, observer: true)
        _ = leader.packets(late)
        _ = leader.packets(waiting)
        leader.advance(milliseconds: 999)
        #expect(leader.packets(links[0]) == [])
        leader.advance(milliseconds: 1)
        let ping = QuorumPacket(.ping, zxid: zxid(1, 1))
        #expect(leader.packets(links[0]) == [ping])
        #expect(leader.packets(late) == [ping])
        #expect(leader.packets(waiting) == [])
        leader.advance(milliseconds: 1000)
        #expect(leader.packets(links[0]) == [ping])
    }

    @Test("No pings are sent before the leader is active")
    func noEarlyPings() throws {
        var leader = try LeaderHarness()
        let two = leader.join(2)
        _ = leader.packets(two)
        leader.advance(milliseconds: 3000)
        #expect(leader.packets(two) == [])
    }

    @Test("The answer to a ping says which sessions were heard of")
    func touches() throws {
        var leader = try LeaderHarness()
        let links = leader.lead(with: [2])
        let touches = [SessionTouch(SessionID(rawValue: 5), timeoutMilliseconds: 4000)]
        leader.deliver(QuorumPacket(.ping, zxid: .zero, data: SessionTouches.encode(touches)), on: links[0])
        leader.deliver(QuorumPacket(.ping, zxid: .zero, data: []), on: links[0])
        leader.deliver(QuorumPacket(.ping, zxid: .zero), on: links[0])
        #expect(leader.actions() == [.touched(links[0], touches)])
    }

    // MARK: Silence

    @Test("A learner that is silent for syncLimit is dropped; any packet keeps it")
    func silence() throws {
        var leader = try LeaderHarness(voters: [1, 2, 3])
        let links = leader.lead(with: [2, 3])
        pass(&leader, milliseconds: 9000, answering: [links[0]])
        leader.sync(links[1])
        pass(&leader, milliseconds: 10_000, answering: [links[0]])
        #expect(leader.actions() == [])
        pass(&leader, milliseconds: 1000, answering: [links[0]])
        #expect(leader.actions() == [.close(links[1], .silent(milliseconds: 5 * tick))])
    }

    @Test("Whoever does not say who it is, or does not acknowledge the epoch, is dropped after initLimit")
    func silentBeginners() throws {
        var leader = try LeaderHarness()
        let links = leader.lead(with: [2])
        let mute = leader.connect()
        let informed = leader.introduce(3)
        pass(&leader, milliseconds: 10 * tick, answering: links)
        #expect(leader.actions() == [])
        pass(&leader, milliseconds: 1000, answering: links)
        #expect(
            leader.actions() == [
                .close(mute, .silent(milliseconds: 10 * tick)), .close(informed, .silent(milliseconds: 10 * tick)),
            ])
    }

    @Test("Whoever waits for the others to decide is not dropped for it")
    func patience() throws {
        var leader = try LeaderHarness(voters: [1, 2, 3, 4, 5])
        let two = leader.introduce(2)
        leader.advance(milliseconds: 10 * tick - 1)
        _ = leader.introduce(3)
        leader.advance(milliseconds: 1000)
        #expect(!leader.actions().contains { if case .close = $0 { true } else { false } })
        #expect(leader.sent(two).count == 1)
    }

    @Test("A learner that answers pings but does not acknowledge a proposal for syncLimit is dropped")
    func slow() throws {
        var leader = try LeaderHarness(voters: [1, 2, 3])
        let links = leader.lead(with: [2, 3])
        leader.propose()
        leader.ack(links[0], zxid(1, 1))
        pass(&leader, milliseconds: 9000, answering: links)
        #expect(leader.actions() == [])
        pass(&leader, milliseconds: 1000, answering: links)
        #expect(leader.actions() == [.close(links[1], .slow(zxid(1, 1)))])
    }

    @Test("A learner that lags but keeps acknowledging is not slow")
    func lagging() throws {
        var leader = try LeaderHarness(voters: [1, 2, 3])
        let links = leader.lead(with: [2, 3])
        for counter: UInt32 in 1...40 {
            leader.propose()
            leader.ack(links[0], zxid(1, counter))
            if counter > 5 { leader.ack(links[1], zxid(1, counter - 5)) }
            pass(&leader, milliseconds: 1000, answering: links)
        }
        #expect(!leader.actions().contains { if case .close = $0 { true } else { false } })
    }
}
