import ConclaveClient
import ConclaveCore
import Testing

@testable import Recipes

/// The machines of queues against a toy ensemble, thousands of interleavings from seeds.
@Suite("Machines of queues")
struct QueueMachineTests {
    private static let nodes = QueueNodes(items: "/q")

    /// What the tests' clients share; classes, because machines end in closures.
    private final class Ledger {
        var put: Set<String> = []
        var taken: [String] = []
        var handled: [String] = []
        var unknown = 0
        var problems: [StepFailure] = []
    }

    /// One client: what it does next when a machine has ended.
    private final class Worker {
        let index: Int
        var mark: QueueMark
        var plans: [() -> Void] = []
        init(_ index: Int) {
            self.index = index
            mark = QueueMark(path: "/q-state/marks/\(index)")
        }
    }

    private static func text(_ data: [UInt8]) -> String { String(decoding: data, as: UTF8.self) }

    @Test("Requests and answers are lost: what is put is there once, what is taken is got once")
    func exactlyOnce() {
        for seed in 0..<100 as Range<UInt64> { exactlyOnce(seed) }
    }

    private func exactlyOnce(_ seed: UInt64) {
        var world = ToyClients(seed: seed)
        let ledger = Ledger()
        let producers = (0..<2).map { _ in Worker(world.addClient()) }
        let takers = (0..<3).map { _ in Worker(world.addClient()) }
        var putsLeft = [6, 6]
        var candidates = [[QueueCandidate]](repeating: [], count: takers.count)
        let total = 12
        for _ in 0..<200_000 {
            for (place, worker) in producers.enumerated()
            where world.clients[worker.index].running == nil && putsLeft[place] > 0 {
                putsLeft[place] -= 1
                let item = "\(place)-\(putsLeft[place])"
                let machine = QueuePutMachine(
                    nodes: Self.nodes,
                    creates: [.create("/q/qn-", Array(item.utf8), mode: .persistentSequential)], limit: 100,
                    mark: worker.mark, attempt: AttemptID(using: &world.random),
                    session: world.clients[worker.index].session)
                world.run(machine, in: worker.index) { result in
                    switch result {
                    case .success(let output):
                        worker.mark = output.mark
                        ledger.put.insert(item)
                    case .failure(let error): ledger.problems.append(error.failure)
                    }
                }
            }
            for (place, worker) in takers.enumerated() where world.clients[worker.index].running == nil {
                guard ledger.taken.count < total else { continue }
                let chosen = candidates[place]
                guard !chosen.isEmpty else {
                    let plan = QueueFetchPlan(
                        names: [], size: 2, offset: Int.random(in: 0..<2, using: &world.random), excluded: [])
                    let machine = QueueFetchMachine(
                        nodes: Self.nodes, ordering: .arrival, plan: plan, now: 0, asksForClaims: place == 0)
                    var found: [QueueCandidate] = []
                    world.run(machine, in: worker.index) {
                        if case .success(let fetched) = $0 { found = fetched.candidates }
                    }
                    // It ends later; what it found is taken up in the next machine.
                    worker.plans = [{ candidates[place] = found }]
                    continue
                }
                candidates[place] = []
                let machine = QueueTakeMachine(
                    nodes: Self.nodes, candidates: chosen,
                    purpose: .take(worker.mark, AttemptID(using: &world.random)),
                    session: world.clients[worker.index].session)
                world.run(machine, in: worker.index) { result in
                    guard case .success(let output) = result else { return ledger.unknown += 1 }
                    if let mark = output.mark { worker.mark = mark }
                    if case .got = output.outcome { ledger.taken += chosen.map { Self.text($0.data) } }
                }
            }
            let isMoving = world.step()
            for worker in takers where world.clients[worker.index].running == nil {
                for plan in worker.plans { plan() }
                worker.plans = []
            }
            if !isMoving, ledger.taken.count >= total { break }
        }
        #expect(ledger.problems.isEmpty && ledger.unknown == 0, "seed \(seed)")
        #expect(ledger.put.count == total, "seed \(seed)")
        #expect(ledger.taken.sorted() == ledger.put.sorted(), "seed \(seed)")
        #expect(world.ensemble.children(of: "/q").isEmpty)
    }

    @Test("Consumers die and answers are lost: what is claimed is claimed once at a time, and handled in the end")
    func atLeastOnce() {
        for seed in 0..<100 as Range<UInt64> { atLeastOnce(seed) }
    }

    private func atLeastOnce(_ seed: UInt64) {
        var world = ToyClients(seed: seed)
        let ledger = Ledger()
        _ = world.ensemble.perform(.makeParents("/q", .persistent), of: .none)
        for item in 0..<6 {
            _ = world.ensemble.perform(
                .write([.create("/q/qn-", Array("\(item)".utf8), mode: .persistentSequential)]), of: .none)
        }
        var workers = (0..<3).map { _ in Worker(world.addClient()) }
        var found: [Int: [QueueCandidate]] = [:]
        var lives = 4
        for _ in 0..<200_000 {
            for worker in workers where world.clients[worker.index].running == nil {
                if let candidate = found.removeValue(forKey: worker.index)?.first {
                    let data = QueueClaim.data(AttemptID(using: &world.random), identity: "w")
                    let machine = QueueTakeMachine(
                        nodes: Self.nodes, candidates: [candidate], purpose: .claim(data),
                        session: world.clients[worker.index].session)
                    world.run(machine, in: worker.index) { result in
                        guard case .success(let output) = result, case .got(let zxid) = output.outcome else { return }
                        #expect(zxid > .zero, "seed \(seed)")
                        worker.plans = [
                            {
                                // It has the claim for certain: one that another has would refuse this.
                                let answer = world.ensemble.perform(
                                    .write([
                                        .delete(Self.nodes.claim(candidate.name), version: nil),
                                        .delete(Self.nodes.item(candidate.name), version: candidate.version + 1),
                                    ]), of: world.clients[worker.index].session)
                                if case .answered = answer { ledger.handled.append(Self.text(candidate.data)) }
                            }
                        ]
                    }
                    continue
                }
                let plan = QueueFetchPlan(names: [], size: 2, offset: 0, excluded: [])
                let machine = QueueFetchMachine(
                    nodes: Self.nodes, ordering: .arrival, plan: plan, now: 0, asksForClaims: true)
                world.run(machine, in: worker.index) { result in
                    if case .success(let fetched) = result {
                        worker.plans = [{ found[worker.index] = fetched.candidates }]
                    }
                }
            }
            _ = world.step()
            for (place, worker) in workers.enumerated() {
                guard world.clients[worker.index].running == nil else { continue }
                // Some die with a claim in hand.
                if !worker.plans.isEmpty, lives > 0, Int.random(in: 0..<8, using: &world.random) == 0 {
                    lives -= 1
                    world.expire(worker.index)
                    workers[place] = Worker(world.addClient())
                    continue
                }
                for plan in worker.plans { plan() }
                worker.plans = []
            }
            if ledger.handled.count == 6 { break }
        }
        #expect(ledger.handled.sorted() == (0..<6).map { "\($0)" })
    }

    @Test("An item that comes while somebody begins to wait is not overlooked")
    func noLostWakeUp() {
        for seed in 0..<100 as Range<UInt64> { noLostWakeUp(seed) }
    }

    private func noLostWakeUp(_ seed: UInt64) {
        var world = ToyClients(seed: seed)
        let waiter = world.addClient()
        let producer = world.addClient()
        var seen: Int?
        let machine = QueueWaitMachine(
            nodes: Self.nodes, ordering: .arrival, goal: .item(ignoring: ["qn-0000000000"], now: 0))
        world.run(machine, in: waiter) { seen = try? $0.get() }
        for (number, steps) in [
            Int.random(in: 0..<12, using: &world.random), Int.random(in: 0..<6, using: &world.random),
        ]
        .enumerated() {
            for _ in 0..<steps { _ = world.step() }
            let put = QueuePutMachine(
                nodes: Self.nodes, creates: [.create("/q/qn-", [UInt8(number)], mode: .persistentSequential)],
                limit: nil,
                mark: QueueMark(path: "/q-state/marks/x\(number)"), attempt: AttemptID(using: &world.random),
                session: world.clients[producer].session)
            world.run(put, in: producer) { _ in }
            while world.clients[producer].running != nil { _ = world.step() }
        }
        world.step(upTo: 1_000)
        #expect(seen == 1, "seed \(seed)")
    }

    @Test("What is too much to be read at once is read one by one; the others are kept for later")
    func longItems() throws {
        let names = try (0..<3).map { try #require(QueueItemName("qn-000000000\($0)", ordering: .arrival)) }
        let plan = QueueFetchPlan(names: names, size: 3, offset: 0, excluded: [])
        var machine = QueueFetchMachine(nodes: Self.nodes, ordering: .arrival, plan: plan, now: 0, asksForClaims: false)
        let paths = names.map(Self.nodes.item)
        #expect(machine.handle(.start) == [.request(.dataOfMany(paths))])
        #expect(machine.handle(.failed(.marshallingError, at: nil)) == [.request(.dataOfMany([paths[0]]))])
        let node = NodeData(data: [1], stat: .none)
        var fetched = QueueFetched()
        fetched.candidates = [QueueCandidate(name: names[0], data: [1], version: 0)]
        fetched.rest = Array(names[1...])
        #expect(machine.handle(.answered(.dataOfMany([node]), isWindowOpen: true)) == [.finish(fetched)])
    }

    @Test("An item is claimed only while the hold window is open, else the claim is looked for again")
    func claimsWithinTheWindow() throws {
        let name = try #require(QueueItemName("qn-0000000000", ordering: .arrival))
        let stat = try #require(ToyEnsemble().stat("/"))
        let session = stat.ephemeralOwner
        var machine = QueueTakeMachine(
            nodes: Self.nodes, candidates: [QueueCandidate(name: name, data: [1], version: 0)], purpose: .claim([7]),
            session: session)
        _ = machine.handle(.start)
        let results: [OperationResult] = [.created(path: Self.nodes.claim(name), stat: stat), .dataSet(stat)]
        #expect(machine.handle(.answered(.written(results), isWindowOpen: false)) == [.awaitConnection])
        let own = NodeData(data: [7], stat: stat)
        for isOpen in [false, true] {
            #expect(machine.handle(.connected) == [.request(.sync("/q"))])
            let look = machine.handle(.answered(.done, isWindowOpen: true))
            #expect(look == [.request(.data(Self.nodes.claim(name)))])
            let judged = machine.handle(.answered(.data(own), isWindowOpen: isOpen))
            let output = QueueTakeMachine.Output(outcome: .got(stat.czxid), mark: nil)
            #expect(judged == (isOpen ? [.finish(output)] : [.awaitConnection]))
        }
    }

    @Test("Room is waited for as items are, and a delay ends when the next item is due")
    func goals() {
        var room = QueueWaitMachine(nodes: Self.nodes, ordering: .arrival, goal: .room(limit: 2))
        let full = Children(names: ["qn-0000000000", "qn-0000000001"], stat: ToyEnsemble().stat("/") ?? .none)
        #expect(room.handle(.start) == [.request(.children("/q", watch: true))])
        #expect(room.handle(.answered(.children(full), isWindowOpen: true)) == [.wait(upTo: nil)])
        #expect(room.handle(.changed("/q")) == [.request(.children("/q", watch: true))])
        let less = Children(names: ["qn-0000000001"], stat: full.stat)
        #expect(room.handle(.answered(.children(less), isWindowOpen: true)) == [.finish(1)])

        var due = QueueWaitMachine(nodes: Self.nodes, ordering: .due, goal: .item(ignoring: [], now: 1_000))
        let later = Children(names: ["queue-|00000400|0000000000", "queue-|00000500|0000000001"], stat: full.stat)
        #expect(due.handle(.start) == [.request(.children("/q", watch: true))])
        #expect(due.handle(.answered(.children(later), isWindowOpen: true)) == [.wait(upTo: .milliseconds(24))])
        #expect(due.handle(.elapsed) == [.finish(0)])
        #expect(due.handle(.elapsed) == [])
    }
}

extension Stat {
    fileprivate static var none: Stat {
        Stat(
            czxid: .zero, mzxid: .zero, ctime: 0, mtime: 0, version: 0, cversion: 0, aversion: 0, ephemeralOwner: .none,
            dataLength: 0, numChildren: 0, pzxid: .zero)
    }
}
