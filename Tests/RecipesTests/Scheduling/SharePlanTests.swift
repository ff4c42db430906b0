import ConclaveClient
import ConclaveCore
import Testing

@testable import Recipes

@Suite("Plans for shares")
struct SharePlanTests {
    static func names(_ prefix: String, _ count: Int) -> [String] { (0..<count).map { "\(prefix)\($0)" } }

    static func counts(_ plan: [String: String], _ members: [String]) -> [Int] {
        members.map { member in plan.values.count { $0 == member } }
    }

    static func moved(_ before: [String: String], _ after: [String: String]) -> Int {
        after.count { share, member in before[share] != member }
    }

    /// The fewest shares that must move: those without an owner, and what is above the quotas, handed out at best.
    static func fewest(_ shares: [String], _ members: [String], _ before: [String: String]) -> Int {
        let counts = Self.counts(before, members).sorted(by: >)
        let base = shares.count / members.count
        let larger = shares.count % members.count
        let kept = counts.enumerated().reduce(0) { $0 + min($1.element, $1.offset < larger ? base + 1 : base) }
        return shares.count - kept
    }

    @Test(
        "Every share has an owner, nobody has more than one above another, and as few as possible move: all small cases"
    )
    func exhaustive() {
        var cases = 0
        for shareCount in 0...4 {
            let shares = Self.names("s", shareCount)
            for memberCount in 1...3 {
                let members = Self.names("m", memberCount)
                // Owner number `memberCount` has gone, `memberCount + 1` stands for none at all.
                let choices = memberCount + 2
                var number = 0
                var total = 1
                for _ in shares { total *= choices }
                while number < total {
                    var rest = number
                    var before: [String: String] = [:]
                    for share in shares {
                        let owner = rest % choices
                        rest /= choices
                        if owner <= memberCount { before[share] = "m\(owner)" }
                    }
                    let plan = SharePlan.assign(shares, to: members, keeping: before)
                    let counts = Self.counts(plan, members)
                    let isRight =
                        plan.keys.sorted() == shares && (counts.max() ?? 0) - (counts.min() ?? 0) <= 1
                        && Self.moved(before, plan) == Self.fewest(shares, members, before)
                        && SharePlan.assign(shares, to: members.reversed(), keeping: before) == plan
                        // What is right stays.
                        && SharePlan.assign(shares, to: members, keeping: plan) == plan
                    if !isRight { Issue.record("\(members), \(before): \(plan)") }
                    cases += 1
                    number += 1
                }
            }
        }
        #expect(cases == 1_243)
    }

    @Test("Members that come and go at random never move more than they must")
    func random() {
        var random = SplitMix(state: 7)
        let shares = Self.names("s", 30)
        var members = Self.names("m", 5)
        var plan: [String: String] = [:]
        for step in 0..<100 {
            if members.count > 1, random.next() % 2 == 0 {
                members.remove(at: Int(random.next() % UInt64(members.count)))
            } else {
                members.append("n\(step)")
            }
            let next = SharePlan.assign(shares, to: members, keeping: plan)
            #expect(Self.moved(plan, next) == Self.fewest(shares, members, plan))
            let counts = Self.counts(next, members)
            #expect((counts.max() ?? 0) - (counts.min() ?? 0) <= 1)
            plan = next
        }
    }

    @Test("Without members nobody has anything; shares that are no longer there vanish")
    func edges() {
        #expect(SharePlan.assign(["a"], to: [], keeping: ["a": "m"]).isEmpty)
        #expect(SharePlan.assign(["a"], to: ["m"], keeping: ["a": "m", "b": "m"]) == ["a": "m"])
    }

    struct SplitMix {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }
}

@Suite("The elected member assigns, as conversations")
struct AssignerMachineTests {
    typealias Action = StepAction<AssignerMachine.Ending>

    static let load = Action.request(.data("/p/assignment"))
    static let list = Action.request(.children("/p/members", watch: true))
    static let rest = Action.wait(upTo: nil)

    static func machine() -> AssignerMachine {
        AssignerMachine(
            node: "/p/assignment", members: "/p/members", term: "/p/assigner/t", shares: ["x", "y"],
            settle: .seconds(1))
    }

    static func bytes(_ generation: Int64, _ owners: [String: String]) throws -> [UInt8] {
        try ShareAssignment(generation: generation, owners: owners).configurationBytes()
    }

    static func found(_ generation: Int64, _ owners: [String: String], version: Int32) throws -> StepEvent {
        let text = String(decoding: try bytes(generation, owners), as: UTF8.self)
        return Say.answer(.data(Say.node(text, version: version)))
    }

    static func writes(_ operation: Operation) -> Action {
        .request(.write([.check("/p/assigner/t"), operation]))
    }

    static func written(_ version: Int32) -> StepEvent {
        Say.answer(.written([.checked, .dataSet(Say.stat(owner: 0, version: version))]))
    }

    /// Watches over `x` with `a` and `y` with `b`, generation 4, version 3.
    static func watching() throws -> AssignerMachine {
        var machine = machine()
        _ = machine.handle(.start)
        _ = machine.handle(try found(4, ["x": "a", "y": "b"], version: 3))
        #expect(machine.handle(Say.children("a", "b")) == [rest])
        return machine
    }

    @Test("The first assignment is made after newcomers have settled, under the check of the term")
    func first() throws {
        var machine = Self.machine()
        #expect(machine.handle(.start) == [Self.load])
        #expect(machine.handle(Say.failed(.noNode)) == [Self.list])
        #expect(machine.handle(Say.children("a")) == [.wait(upTo: .seconds(1))])
        #expect(machine.handle(.changed("/p/members")) == [Self.list])
        #expect(machine.handle(Say.children("a", "b")) == [.wait(upTo: .seconds(1))])
        #expect(machine.handle(.elapsed) == [Self.list])
        let bytes = try Self.bytes(1, ["x": "a", "y": "b"])
        #expect(machine.handle(Say.children("a", "b")) == [Self.writes(.create("/p/assignment", bytes))])
        // A create in a transaction tells no version.
        #expect(machine.handle(Say.answer(.written([.checked, .created(path: "", stat: nil)]))) == [Self.load])
    }

    @Test("A member that has gone is replaced at once")
    func urgent() throws {
        var machine = try Self.watching()
        #expect(machine.handle(.changed("/p/members")) == [Self.list])
        let bytes = try Self.bytes(5, ["x": "a", "y": "a"])
        #expect(machine.handle(Say.children("a")) == [Self.writes(.setData("/p/assignment", bytes, version: 3))])
        #expect(machine.handle(Self.written(4)) == [Self.rest])
    }

    @Test("Newcomers that never cease to come are waited for three times")
    func settling() throws {
        var machine = AssignerMachine(
            node: "/p/assignment", members: "/p/members", term: "/p/assigner/t",
            shares: ["s1", "s2", "s3", "s4", "s5", "s6"], settle: .seconds(1))
        _ = machine.handle(.start)
        _ = machine.handle(Say.failed(.noNode))
        var names: [String] = []
        func look() -> [Action] {
            names.append("n\(names.count)")
            return machine.handle(Say.answer(.children(Children(names: names, stat: Say.stat(owner: 0)))))
        }
        for _ in 0..<AssignerMachine.settlingLimit {
            #expect(look() == [.wait(upTo: .seconds(1))])
            #expect(machine.handle(.changed("/p/members")) == [Self.list])
        }
        guard case .request(.write)? = look().first else { return #expect(Bool(false), "\(machine.state)") }
    }

    @Test("What was written by another is read anew; without the own term nothing is written any more")
    func overtaken() throws {
        var machine = try Self.watching()
        _ = machine.handle(.changed("/p/members"))
        _ = machine.handle(Say.children("a"))
        #expect(machine.handle(.failed(.badVersion, at: "/p/assignment")) == [Self.load])
        _ = machine.handle(try Self.found(9, ["x": "a", "y": "b"], version: 7))
        let bytes = try Self.bytes(10, ["x": "a", "y": "a"])
        #expect(machine.handle(Say.children("a")) == [Self.writes(.setData("/p/assignment", bytes, version: 7))])
        #expect(machine.handle(.failed(.noNode, at: "/p/assigner/t")) == [.finish(.overtaken)])
        #expect(machine.handle(.changed("/p/members")) == [])
    }

    @Test("After a lost answer everything is read again")
    func lostAnswer() throws {
        var machine = try Self.watching()
        _ = machine.handle(.changed("/p/members"))
        _ = machine.handle(Say.children("a"))
        #expect(machine.handle(Say.failed(.connectionLoss)) == [.awaitConnection])
        #expect(machine.handle(.connected) == [Self.load])
        _ = machine.handle(try Self.found(5, ["x": "a", "y": "a"], version: 4))
        #expect(machine.handle(Say.children("a")) == [Self.rest])
    }

    @Test("Without members the assignment stays")
    func nobody() throws {
        var machine = try Self.watching()
        _ = machine.handle(.changed("/p/members"))
        #expect(machine.handle(Say.children()) == [Self.rest])
        _ = machine.handle(.changed("/p/members"))
        #expect(machine.handle(Say.failed(.noNode)) == [.request(.exists("/p/members", watch: true))])
        #expect(machine.handle(Say.answer(.exists(nil))) == [Self.rest])
    }
}
