import ConclaveClient
import ConclaveCore
import Testing

@testable import Recipes

/// The machines of barriers against a toy ensemble, thousands of interleavings from seeds.
@Suite("Machines of barriers")
struct BarrierMachineTests {
    private final class Ledger {
        var entered: [Int] = []
        var left: [Int] = []
        var failures: [StepFailure] = []
        var rounds: [[Int32]] = []
    }

    @Test("Double barrier: nobody is in before all are there, nobody is out before all have left")
    func doubleBarrier() {
        for seed in 0..<200 as Range<UInt64> { doubleBarrier(seed) }
    }

    private func doubleBarrier(_ seed: UInt64) {
        var world = ToyClients(seed: seed)
        let breaks = seed.isMultiple(of: 2)
        let members = (0..<2 + Int(seed % 4)).map { _ in world.addClient() }
        for round in 0..<3 {
            doubleBarrier(&world, members, breaks, "seed \(seed) round \(round)")
            // The server removes an empty container at any time, and its counts begin anew.
            if seed.isMultiple(of: 3) { world.ensemble.removeIfPresent("/b") }
        }
    }

    private func doubleBarrier(
        _ world: inout ToyClients, _ members: [Int], _ breaks: Bool, _ comment: Comment
    ) {
        let ledger = Ledger()
        let count = members.count
        let nodes = members.map { _ in DoubleBarrierNodes(path: "/b", member: AttemptID(using: &world.random).text) }
        var begun = 0
        for (place, index) in members.enumerated() {
            for _ in 0..<Int.random(in: 0..<10, using: &world.random) { _ = world.step() }
            begun += 1
            let machine = EnterMachine(
                nodes: nodes[place], count: count, identity: [], breaks: breaks, session: world.clients[index].session)
            world.run(machine, in: index) { result in
                switch result {
                case .success: ledger.entered.append(place)
                case .failure(let error): ledger.failures.append(error.failure)
                }
            }
            #expect(begun == count || ledger.entered.isEmpty, comment)
        }
        world.step(upTo: 10_000)
        #expect(ledger.entered.count == count && ledger.failures.isEmpty, "\(comment): \(ledger.failures)")
        begun = 0
        for (place, index) in members.enumerated() {
            for _ in 0..<Int.random(in: 0..<10, using: &world.random) { _ = world.step() }
            begun += 1
            world.run(LeaveMachine(nodes: nodes[place]), in: index) { result in
                switch result {
                case .success: ledger.left.append(place)
                case .failure(let error): ledger.failures.append(error.failure)
                }
            }
            #expect(begun == count || ledger.left.isEmpty, comment)
        }
        world.step(upTo: 10_000)
        #expect(ledger.left.count == count && ledger.failures.isEmpty, "\(comment): \(ledger.failures)")
        #expect(world.ensemble.children(of: "/b") == [])
    }

    @Test("Count barrier: each round opens once, for all who are in it")
    func countBarrier() {
        for seed in 0..<200 as Range<UInt64> { countBarrier(seed) }
    }

    private func countBarrier(_ seed: UInt64) {
        var world = ToyClients(seed: seed)
        let ledger = Ledger()
        let count = 2 + Int(seed % 4)
        let members = (0..<count).map { _ in world.addClient() }
        ledger.rounds = Array(repeating: [], count: count)
        for _ in 0..<100_000 {
            for (place, index) in members.enumerated()
            where world.clients[index].running == nil && ledger.rounds[place].count < 3 {
                let machine = CountBarrierMachine(
                    path: "/c/barrier", id: AttemptID(using: &world.random), count: count, identity: [],
                    breaks: seed.isMultiple(of: 2), session: world.clients[index].session)
                world.run(machine, in: index) { result in
                    switch result {
                    case .success(let round):
                        ledger.rounds[place].append(round)
                        // Whoever is past a round knows that all others have come to it.
                        #expect(ledger.rounds.allSatisfy { $0.count >= ledger.rounds[place].count - 1 }, "seed \(seed)")
                    case .failure(let error): ledger.failures.append(error.failure)
                    }
                }
            }
            if !world.step() { break }
        }
        #expect(ledger.failures.isEmpty, "seed \(seed): \(ledger.failures)")
        #expect(ledger.rounds.allSatisfy { $0 == [0, 1, 2] }, "seed \(seed): \(ledger.rounds)")
        #expect(world.ensemble.children(of: "/c/barrier") == [])
    }

    @Test("Latch: lost answers count nobody twice, and those who wait are told even if the last to count dies")
    func latch() {
        for seed in 0..<100 as Range<UInt64> { latch(seed) }
    }

    private func latch(_ seed: UInt64) {
        var world = ToyClients(seed: seed)
        let ledger = Ledger()
        let counters = (0..<3).map { _ in world.addClient() }
        let waiters = (0..<2).map { _ in world.addClient() }
        for (place, index) in waiters.enumerated() {
            world.run(LatchMachine(path: "/l/latch", count: 3, goal: .wait), in: index) { result in
                if case .success = result { ledger.left.append(place) }
            }
        }
        for (place, index) in counters.enumerated() {
            for _ in 0..<Int.random(in: 0..<6, using: &world.random) { _ = world.step() }
            world.run(LatchMachine(path: "/l/latch", count: 3, goal: .countDown("c\(place)")), in: index) { _ in }
        }
        world.step(upTo: 10_000) { $0.ensemble.children(of: "/l/latch").count >= 3 }
        #expect(ledger.left.isEmpty || world.ensemble.children(of: "/l/latch").count == 3)
        if seed.isMultiple(of: 2) { for index in counters { world.expire(index) } }
        world.step(upTo: 10_000)
        #expect(ledger.left.sorted() == [0, 1], "seed \(seed)")
        #expect(world.ensemble.children(of: "/l/latch").count == 3)
    }

    @Test("Gate: what has been done already is done, parents are made, lost answers are asked for again")
    func gate() {
        let create = Operation.create("/g/a", [7], mode: .persistent, acl: .open)
        var close = GateMachine(path: "/g/a", goal: .close([7], whileSessionLasts: false))
        #expect(close.handle(.start).requests == [.write([create])])
        #expect(close.handle(.failed(.noNode, at: "/g/a")).requests == [.makeParents("/g", .container)])
        #expect(close.handle(.answered(.done, isWindowOpen: true)).requests == [.write([create])])
        #expect(close.handle(.failed(.connectionLoss, at: nil)).requests == [])
        #expect(close.handle(.connected).requests == [.write([create])])
        #expect(close.handle(.failed(.nodeExists, at: "/g/a")).isFinished)
        #expect(close.handle(.connected).isEmpty)

        var open = GateMachine(path: "/g/a", goal: .open)
        #expect(open.handle(.start).requests == [.write([.delete("/g/a", version: nil)])])
        #expect(open.handle(.failed(.noNode, at: "/g/a")).isFinished)

        var passing = GateMachine(path: "/g/a", goal: .pass)
        #expect(passing.handle(.start).requests == [.exists("/g/a", watch: true)])
        #expect(passing.handle(.answered(.exists(ToyEnsemble().stat("/")), isWindowOpen: true)).requests == [])
        #expect(passing.handle(.changed("/g/a")).requests == [.exists("/g/a", watch: true)])
        #expect(passing.handle(.answered(.exists(nil), isWindowOpen: true)).isFinished)
    }

    @Test("The node of a count barrier is read and written, damaged ones are refused")
    func values() {
        for text in ["", "0", "-1", "x", "3\nfoo", "3 "] {
            #expect(CountBarrierValue(Array(text.utf8)) == nil, "\(text)")
        }
        var value = CountBarrierValue(count: 3)
        #expect(value.bytes == Array("3".utf8))
        for round in 0..<20 as Range<Int32> { value.markBroken(round) }
        #expect(value.brokenRounds == Array(4..<20))
        #expect(CountBarrierValue(value.bytes) == value)
    }
}

extension [StepAction<Void>] {
    fileprivate var requests: [StepRequest] {
        compactMap { if case .request(let request) = $0 { request } else { nil } }
    }

    fileprivate var isFinished: Bool {
        if case .finish = last { true } else { false }
    }
}
