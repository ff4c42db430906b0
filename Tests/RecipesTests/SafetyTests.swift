import ConclaveCore
import Testing

@testable import Recipes

/// The safety statement, promise by promise, on the machines alone; ``LiveSafetyTests`` repeats them on a server.
@Suite("Safety statement, on the machines")
struct SafetyTests {
    static func run(_ seed: UInt64, sharing: Bool = false, steps: Int = 250) -> ToyWorld {
        var world = ToyWorld(seed: seed, clients: 5, sharing: sharing)
        world.start()
        for _ in 0..<steps { world.step(faults: true) }
        world.drain()
        world.checkHistory()
        return world
    }

    @Test("S1, S2, S6, S9: one holder at a time, growing tokens, own nodes only, one end, under every fault")
    func exclusive() {
        var grants = 0
        for seed in 0..<120 as Range<UInt64> {
            let world = Self.run(seed)
            #expect(world.violations.isEmpty, "seed \(seed)")
            grants += world.clients.map(\.grants.count).reduce(0, +)
        }
        #expect(grants > 100, "the simulation must reach what it checks")
    }

    @Test("S1 for readers and writers: a writer is alone, under every fault")
    func shared() {
        for seed in 0..<120 as Range<UInt64> {
            #expect(Self.run(seed, sharing: true).violations.isEmpty, "seed \(seed)")
        }
    }

    @Test("S1, S6, S7, S9 when holders offer their places to others: one holds, nothing is left, under every fault")
    func handingOver() {
        var takeOvers = 0
        for seed in 0..<150 as Range<UInt64> {
            var world = ToyWorld(seed: seed, clients: 5, sharing: false, handingOver: true)
            world.start()
            for _ in 0..<400 { world.step(faults: true) }
            world.drain()
            world.checkHistory()
            #expect(world.violations.isEmpty, "seed \(seed)")
            #expect(world.isQuiet, "seed \(seed)")
            #expect(world.store.names.isEmpty, "seed \(seed)")
            takeOvers += world.takeOvers
        }
        #expect(takeOvers > 20, "the simulation must reach what it checks")
    }

    @Test("S7: when all attempts have ended nothing is left, however they ended")
    func noLitter() {
        for seed in 0..<120 as Range<UInt64> {
            let world = Self.run(seed, sharing: seed % 2 == 0)
            #expect(world.isQuiet, "seed \(seed)")
            #expect(world.store.names.isEmpty, "seed \(seed)")
        }
    }

    @Test("S8: without faults everybody gets it, in order, and a release wakes at most one waiter of an exclusive lock")
    func noLostWakeUp() {
        for seed in 0..<60 as Range<UInt64> {
            var world = ToyWorld(seed: seed, clients: 6, sharing: false)
            world.start()
            for _ in 0..<300 { world.step(faults: false) }
            world.drain()
            #expect(world.clients.allSatisfy { $0.grants.count == 1 && $0.endings == [.released] }, "seed \(seed)")
            #expect(world.wakeUps <= 1, "seed \(seed)")
            world.checkHistory()
            #expect(world.violations.isEmpty, "seed \(seed)")
        }
    }

    @Test("S8: a spurious wake-up lists again and grants nothing")
    func spuriousWakeUp() {
        var machine = ContenderMachineTests.machine()
        let children = [ContenderMachineTests.other(4), ContenderMachineTests.name(5)]
        _ = machine.handle(.start)
        _ = machine.handle(ContenderMachineTests.created(5))
        for _ in 0..<3 {
            let wait = ContenderMachine.Action.wait(own: children[1], behind: children[0])
            #expect(machine.handle(.listed(children, isWindowOpen: true)) == [wait])
            #expect(machine.handle(.predecessorGone) == [.list])
        }
    }

    @Test("S4: a resource with a guard sees no older holder after a newer one, whatever the order of arrival")
    func fenced() {
        for seed in 0..<50 as Range<UInt64> {
            var random = SeededRandom(seed: seed)
            var fence = FenceGuard()
            var applied: [UInt64] = []
            for token in (1...8 as ClosedRange<UInt64>).shuffled(using: &random) {
                if (try? fence.admit(FencingToken(rawValue: token))) != nil { applied.append(token) }
            }
            #expect(applied == applied.sorted())
            #expect(applied.last == 8)
        }
    }

    @Test("S5: a grant waits for an open hold window, and ends when it lapses")
    func holdWindow() {
        var machine = ContenderMachineTests.machine()
        _ = machine.handle(.start)
        _ = machine.handle(ContenderMachineTests.created(5))
        let own = [ContenderMachineTests.name(5)]
        #expect(machine.handle(.listed(own, isWindowOpen: false)) == [.awaitConnection])
        _ = machine.handle(.connected)
        #expect(machine.handle(.listed(own, isWindowOpen: true)) == [.grant(ContenderMachineTests.node(5))])
        #expect(machine.handle(.windowLapsed) == [.remove(own[0]), .end(.lost(.windowLapsed))])
    }

    @Test("S9: whatever else follows, a loss is told once")
    func lossOnce() {
        let losses: [ContenderMachine.Event] = [.windowLapsed, .ownNodeGone, .sessionOver(.sessionExpired), .released]
        for first in losses {
            var machine = ContenderMachineTests.machine()
            _ = machine.handle(.start)
            _ = machine.handle(ContenderMachineTests.created(5))
            _ = machine.handle(.listed([ContenderMachineTests.name(5)], isWindowOpen: true))
            #expect(!machine.handle(first).isEmpty)
            for second in losses { #expect(machine.handle(second).isEmpty) }
        }
    }

    @Test("First come: S6 and S7: a claim is taken back only by the attempt that made it")
    func firstCome() {
        var machine = FirstComeMachineTests.machine()
        _ = machine.handle(.start)
        #expect(machine.handle(.cancelled) == [.sweep(FirstComeMachineTests.id), .end(.cancelled)])
        let mine = FirstComeMachineTests.picture()
        #expect(mine.claim(of: FirstComeMachineTests.id, session: FirstComeMachineTests.session) != nil)
        #expect(mine.claim(of: FirstComeMachineTests.id.next, session: FirstComeMachineTests.session) == nil)
        #expect(mine.claim(of: FirstComeMachineTests.id, session: SessionID(rawValue: 8)) == nil)
    }
}
