import ConclaveClient
import ConclaveCore
import Testing

@testable import Recipes

/// How numbers are taken, as conversations.
@Suite("Worker slots, the machine")
struct WorkerSlotMachineTests {
    typealias Action = StepAction<WorkerSlotMachine.Slot?>

    static let attempt = AttemptID(high: 1, low: 2)
    static let session = SessionID(rawValue: 77)

    static func machine(count: Int = 2, _ patience: AttemptPatience = .wait) -> WorkerSlotMachine {
        WorkerSlotMachine(
            at: "/s", count: count, attempt: attempt, session: session, identity: [9], patience: patience)
    }

    static func children(_ names: [String], version: Int32 = 4) -> StepEvent {
        var stat = CounterMachineTests.node([], version: version).stat
        stat.mzxid = Zxid(rawValue: 50)
        return .answered(.children(Children(names: names, stat: stat)), isWindowOpen: true)
    }

    static func name(_ number: Int) -> String { WorkerSlotMachine.name(of: number, attempt) }

    static func written(isWindowOpen: Bool = true) -> StepEvent {
        var stat = Stat.fresh
        stat.mzxid = Zxid(rawValue: 51)
        return .answered(
            .written([.dataSet(stat), .created(path: "/s/x", stat: nil)]), isWindowOpen: isWindowOpen)
    }

    static func exists(owner: Int64 = 77, isWindowOpen: Bool = true) -> StepEvent {
        var stat = CounterMachineTests.node([], version: 0, czxid: 51).stat
        stat.ephemeralOwner = SessionID(rawValue: owner)
        return .answered(.exists(stat), isWindowOpen: isWindowOpen)
    }

    static let list = [Action.request(.children("/s", watch: true))]

    static func take(_ number: Int, version: Int32 = 4) -> [Action] {
        [
            .request(
                .write([
                    .setData("/s", [], version: version), .create("/s/" + name(number), [9], mode: .ephemeral),
                ]))
        ]
    }

    static func granted(_ number: Int) -> [Action] {
        [.finish(.init(number: number, name: name(number), czxid: Zxid(rawValue: 51)))]
    }

    @Test("The lowest number that nobody has is taken, under the version of the listing")
    func lowest() {
        for (names, number) in [
            ([], 0), (["0_a"], 1), (["1_a", "x", "00_b", "7_c"], 0), (["0_a", "1_b", "3_c"], 2),
        ] {
            var machine = Self.machine(count: 4)
            #expect(machine.handle(.start) == Self.list)
            #expect(machine.handle(Self.children(names)) == Self.take(number))
            #expect(machine.handle(Self.written()) == Self.granted(number))
        }
    }

    @Test("Somebody else was faster: it lists again")
    func overtaken() {
        var machine = Self.machine()
        _ = machine.handle(.start)
        _ = machine.handle(Self.children([]))
        #expect(machine.handle(.failed(.badVersion, at: "/s")) == Self.list)
        #expect(machine.handle(Self.children(["0_a"], version: 5)) == Self.take(1, version: 5))
    }

    @Test("When none is free a try gives up, a waiter waits for a change of the listing")
    func full() {
        var attempt = Self.machine(.once)
        #expect(attempt.handle(.start) == [.request(.children("/s"))])
        #expect(attempt.handle(Self.children(["0_a", "1_b"])) == [.finish(nil)])
        var waiter = Self.machine()
        _ = waiter.handle(.start)
        #expect(waiter.handle(Self.children(["0_a", "1_b"])) == [.wait(upTo: nil)])
        #expect(waiter.handle(.changed("/s")) == Self.list)
        #expect(waiter.handle(Self.children(["0_a"])) == Self.take(1))
    }

    @Test("The parent is made when it is missing")
    func parents() {
        var machine = Self.machine()
        _ = machine.handle(.start)
        #expect(machine.handle(.failed(.noNode, at: "/s")) == [.request(.makeParents("/s", .persistent))])
        #expect(machine.handle(.answered(.done, isWindowOpen: true)) == Self.list)
    }

    @Test("A number whose taking went unanswered is found again by its id and its owner, or taken anew")
    func lostAnswer() {
        for isMade in [true, false] {
            var machine = Self.machine()
            _ = machine.handle(.start)
            _ = machine.handle(Self.children([]))
            #expect(machine.handle(.failed(.connectionLoss, at: nil)) == [.awaitConnection])
            #expect(machine.handle(.connected) == [.request(.sync("/s"))])
            #expect(machine.handle(.answered(.done, isWindowOpen: true)) == [.request(.children("/s"))])
            let actions = machine.handle(Self.children(isMade ? [Self.name(0)] : ["0_other"]))
            guard isMade else {
                #expect(actions == Self.list)
                continue
            }
            #expect(actions == [.request(.exists("/s/" + Self.name(0)))])
            #expect(machine.handle(Self.exists()) == Self.granted(0))
        }
    }

    @Test("Nothing is given while the hold window is closed")
    func window() {
        var machine = Self.machine()
        _ = machine.handle(.start)
        _ = machine.handle(Self.children([]))
        let examine = [Action.request(.exists("/s/" + Self.name(0)))]
        #expect(machine.handle(Self.written(isWindowOpen: false)) == examine)
        #expect(machine.handle(Self.exists(isWindowOpen: false)) == examine)
        #expect(machine.handle(Self.exists()) == Self.granted(0))
    }

    @Test("Whoever leaves while a number may have been taken has it removed")
    func leaving() {
        for (event, code) in [
            (StepEvent.cancelled, ZooKeeperError.Code.cancelled), (.deadlinePassed, .deadlineExceeded),
            (.sessionOver(.sessionExpired), .sessionExpired), (.failed(.noAuth, at: "/s"), .noAuth),
        ] {
            var machine = Self.machine()
            _ = machine.handle(.start)
            _ = machine.handle(Self.children([]))
            #expect(
                machine.handle(event) == [
                    .sweep(below: "/s", mark: Self.attempt.text), .fail(StepFailure(code, at: "/s")),
                ])
            #expect(machine.handle(Self.written()) == [])
            var early = Self.machine()
            _ = early.handle(.start)
            #expect(early.handle(event) == [.fail(StepFailure(code, at: "/s"))])
        }
    }
}

/// How registrations are made and kept, as conversations.
@Suite("Registrations, the machine")
struct RegistrationMachineTests {
    typealias Action = StepAction<RegistrationMachine.Output>

    static func machine(isStanding: Bool = false) -> RegistrationMachine {
        RegistrationMachine(
            at: "/s/orders/7", data: [1], session: SessionID(rawValue: 77), isStanding: isStanding)
    }

    static let create = [Action.request(.write([.create("/s/orders/7", [1], mode: .ephemeral)]))]
    static let written = StepEvent.answered(.written([]), isWindowOpen: true)
    static let examine = [Action.request(.exists("/s/orders/7"))]
    static let look = [Action.request(.exists("/s/orders/7", watch: true))]
    static let gone = StepEvent.answered(.exists(nil), isWindowOpen: true)

    @Test("The node is made, with what is missing above it")
    func made() {
        var machine = Self.machine()
        #expect(machine.handle(.start) == Self.create)
        #expect(machine.handle(.failed(.noNode, at: nil)) == [.request(.makeParents("/s/orders", .container))])
        #expect(machine.handle(.answered(.done, isWindowOpen: true)) == Self.create)
        #expect(machine.handle(Self.written) == [.finish(.created)])
    }

    @Test("A node that this session made is refreshed, one of another session is replaced")
    func exists() {
        var own = Self.machine()
        _ = own.handle(.start)
        #expect(own.handle(.failed(.nodeExists, at: nil)) == Self.examine)
        #expect(
            own.handle(WorkerSlotMachineTests.exists()) == [
                .request(.write([.setData("/s/orders/7", [1], version: 0)]))
            ])
        #expect(own.handle(Self.written) == [.finish(.created)])
        var other = Self.machine()
        _ = other.handle(.start)
        _ = other.handle(.failed(.nodeExists, at: nil))
        #expect(
            other.handle(WorkerSlotMachineTests.exists(owner: 5)) == [
                .request(
                    .write([
                        .delete("/s/orders/7", version: 0), .create("/s/orders/7", [1], mode: .ephemeral),
                    ]))
            ])
        #expect(other.handle(.failed(.noNode, at: nil)) == Self.create)
    }

    @Test("After a lost answer it looks before it writes again")
    func lostAnswer() {
        var machine = Self.machine()
        _ = machine.handle(.start)
        #expect(machine.handle(.failed(.connectionLoss, at: nil)) == [.awaitConnection])
        #expect(machine.handle(.connected) == [.request(.sync("/s/orders/7"))])
        #expect(machine.handle(.answered(.done, isWindowOpen: true)) == Self.examine)
        #expect(machine.handle(Self.gone) == Self.create)
    }

    @Test("A node that stands is watched, made again when it goes, and given up when another session has it")
    func upkeep() {
        for event in [StepEvent.changed("/s/orders/7"), .failed(.connectionLoss, at: nil)] {
            var machine = Self.machine(isStanding: true)
            #expect(machine.handle(.start) == Self.look)
            #expect(machine.handle(WorkerSlotMachineTests.exists()) == [.wait(upTo: nil)])
            if case .failed = event {
                #expect(machine.handle(event) == [.awaitConnection])
                #expect(machine.handle(.connected) == Self.look)
            } else {
                #expect(machine.handle(event) == Self.look)
            }
            #expect(machine.handle(Self.gone) == Self.create)
        }
        var replaced = Self.machine(isStanding: true)
        _ = replaced.handle(.start)
        #expect(replaced.handle(WorkerSlotMachineTests.exists(owner: 5)) == [.finish(.replaced)])
    }

    @Test("Whoever leaves while it is being made has it removed")
    func leaving() {
        var machine = Self.machine()
        _ = machine.handle(.start)
        #expect(
            machine.handle(.cancelled) == [.disown("/s/orders/7"), .fail(StepFailure(.cancelled, at: "/s/orders/7"))])
        #expect(machine.handle(Self.written) == [])
    }

    @Test("Rivals for one id do not go on for ever")
    func rivals() {
        var machine = Self.machine()
        var actions = machine.handle(.start)
        for _ in 0...(2 * RegistrationMachine.retryLimit) where actions == Self.create {
            _ = machine.handle(.failed(.nodeExists, at: nil))
            actions = machine.handle(Self.gone)
        }
        #expect(actions == [.disown("/s/orders/7"), .fail(StepFailure(.nodeExists, at: "/s/orders/7"))])
    }
}

@Suite("Picks")
struct PickOrderTests {
    static let now = ContinuousClock.now

    static func picks(_ strategy: PickStrategy, _ rounds: [[String]]) -> [String?] {
        var order = PickOrder(strategy)
        var random = SplitMix(seed: 1)
        return rounds.map { ids in order.pick(from: ids, now: now, using: &random).map { ids[$0] } }
    }

    @Test("Round robin takes one after the other, whoever comes and goes")
    func roundRobin() {
        let all = ["a", "b", "c"]
        #expect(Self.picks(.roundRobin, [all, all, all, all]) == ["a", "b", "c", "a"])
        #expect(Self.picks(.roundRobin, [all, ["a", "c"], ["a", "b", "c", "d"], all]) == ["a", "c", "d", "a"])
        #expect(Self.picks(.roundRobin, [[], ["x"]]) == [nil, "x"])
    }

    @Test("Random reaches all, sticky stays as long as it can")
    func randomAndSticky() {
        let all = ["a", "b", "c"]
        #expect(Set(Self.picks(.random, Array(repeating: all, count: 60))) == ["a", "b", "c"])
        let sticky = Self.picks(.sticky, Array(repeating: all, count: 20))
        #expect(Set(sticky).count == 1)
        let without = all.filter { $0 != sticky[0] }
        let moved = Self.picks(.sticky, [all, without, all])
        #expect(moved[1] == moved[2])
    }

    @Test("Least used counts what is under way, and takes turns among equals")
    func leastUsed() {
        var order = PickOrder(.leastUsed)
        var random = SplitMix(seed: 1)
        let ids = ["a", "b", "c"]
        func next() -> String? { order.pick(from: ids, now: Self.now, using: &random).map { ids[$0] } }
        #expect([next(), next(), next(), next()] == ["a", "b", "c", "a"])
        order.begin("b")
        order.begin("b")
        order.begin("c")
        #expect([next(), next()] == ["a", "a"])
        order.begin("a")
        order.begin("a")
        #expect(next() == "c")
        order.end("b")
        order.end("b")
        order.end("b")
        #expect(next() == "b")
        #expect(order.uses == ["a": 2, "c": 1])
    }

    @Test("Who is avoided is picked only if there is no other, and again when the time is over")
    func avoided() {
        var order = PickOrder(.roundRobin)
        var random = SplitMix(seed: 1)
        let later = Self.now.advanced(by: .seconds(1))
        order.avoid("a", until: later)
        #expect(order.pick(from: ["a", "b"], now: Self.now, using: &random) == 1)
        #expect(order.pick(from: ["a"], now: Self.now, using: &random) == 0)
        #expect(order.pick(from: ["a", "b"], now: later, using: &random) == 1)
        #expect(order.pick(from: ["a", "b"], now: later, using: &random) == 0)
    }
}
