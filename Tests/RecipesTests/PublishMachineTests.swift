import ConclaveClient
import ConclaveCore
import Testing

@testable import Recipes

/// How revisions get into the history, as conversations.
@Suite("Publishing with history, the machine")
struct PublishMachineTests {
    typealias Action = StepAction<Stat>

    static func machine(_ expected: PublishMachine.Expected = .anything, limit: Int = 3) -> PublishMachine {
        PublishMachine([7], at: "/c/v", expecting: expected, limit: limit)
    }

    static func name(_ version: Int32) -> String { PublishMachine.name(of: version) }

    static func entries(_ versions: [Int32], _ more: [String] = []) -> StepEvent {
        .answered(
            .children(Children(names: more + versions.map(name), stat: .fresh)), isWindowOpen: true)
    }

    static func exists(_ version: Int32?) -> StepEvent {
        let stat = version.map { version in
            var stat = Stat.fresh
            stat.version = version
            return stat
        }
        return .answered(.exists(stat), isWindowOpen: true)
    }

    static let list = [Action.request(.children("/c/v/history"))]
    static let makeAll = [
        Action.request(
            .write([
                .create("/c/v", [7]), .create("/c/v/history", []), .create("/c/v/history/0000000000", [7]),
            ]))
    ]

    static func write(over version: Int32, deleting: [Int32] = []) -> [Action] {
        let deletions = deleting.map { Operation.delete("/c/v/history/" + name($0)) }
        return [
            .request(
                .write(
                    [.setData("/c/v", [7], version: version)] + deletions
                        + [.create("/c/v/history/" + name(version + 1), [7])]))
        ]
    }

    @Test("Value and entry are written together, and entries beyond the limit go, the oldest first")
    func trim() {
        var machine = Self.machine()
        #expect(machine.handle(.start) == [.request(.exists("/c/v"))])
        #expect(machine.handle(Self.exists(8)) == Self.list)
        #expect(
            machine.handle(Self.entries([5, 6, 7, 8], ["README"])) == Self.write(over: 8, deleting: [5, 6]))
        var stat = Stat.fresh
        stat.version = 9
        #expect(machine.handle(.answered(.written([.dataSet(stat)]), isWindowOpen: true)) == [.finish(stat)])
    }

    @Test("The first revision makes the node, its history and what is missing above")
    func first() {
        var machine = Self.machine()
        _ = machine.handle(.start)
        #expect(machine.handle(Self.exists(nil)) == Self.makeAll)
        #expect(machine.handle(.failed(.noNode, at: "/c/v")) == [.request(.makeParents("/c", .persistent))])
        #expect(machine.handle(.answered(.done, isWindowOpen: true)) == Self.makeAll)
        let written = StepEvent.answered(.written([.created(path: "/c/v", stat: nil)]), isWindowOpen: true)
        #expect(machine.handle(written) == [.request(.exists("/c/v/history/0000000000"))])
        #expect(machine.handle(Self.exists(0)) == [.finish(.fresh)])
    }

    @Test("A value without history gets one")
    func later() {
        var machine = Self.machine(.version(3))
        #expect(machine.handle(.start) == Self.list)
        #expect(
            machine.handle(.failed(.noNode, at: nil)) == [.request(.write([.create("/c/v/history", [])]))])
        #expect(machine.handle(.failed(.nodeExists, at: nil)) == Self.list)
        #expect(machine.handle(Self.entries([])) == Self.write(over: 3))
    }

    @Test("Who expects a revision is refused when there is another, who does not tries again")
    func expectations() {
        for (expected, code, isAgain) in [
            (PublishMachine.Expected.version(3), ZooKeeperError.Code.badVersion, false), (.version(3), .noNode, false),
            (.anything, .badVersion, true), (.anything, .noNode, true),
        ] {
            var machine = Self.machine(expected)
            _ = machine.handle(.start)
            if expected == .anything { _ = machine.handle(Self.exists(3)) }
            _ = machine.handle(Self.entries([3]))
            let actions = machine.handle(.failed(code, at: "/c/v"))
            #expect(actions == (isAgain ? [.request(.exists("/c/v"))] : [.fail(StepFailure(code, at: "/c/v"))]))
        }
        for (expected, isAgain) in [(PublishMachine.Expected.nothing, false), (.anything, true)] {
            var machine = Self.machine(expected)
            _ = machine.handle(.start)
            if isAgain { _ = machine.handle(Self.exists(nil)) }
            let actions = machine.handle(.failed(.nodeExists, at: "/c/v"))
            #expect(
                actions == (isAgain ? [.request(.exists("/c/v"))] : [.fail(StepFailure(.nodeExists, at: "/c/v"))]))
        }
    }

    @Test("An entry that somebody made by hand is replaced, and what fails below the value is tried again")
    func byHand() {
        var machine = Self.machine(.version(3), limit: 10)
        _ = machine.handle(.start)
        #expect(machine.handle(Self.entries([3, 4])) == Self.write(over: 3, deleting: [4]))
        #expect(machine.handle(.failed(.noNode, at: "/c/v/history/0000000004")) == Self.list)
    }

    @Test("After a lost connection the outcome is unknown, and is said to be")
    func lost() {
        var machine = Self.machine(.version(3))
        _ = machine.handle(.start)
        _ = machine.handle(Self.entries([3]))
        #expect(
            machine.handle(.failed(.connectionLoss, at: nil)) == [.fail(StepFailure(.connectionLoss, at: "/c/v"))])
        #expect(machine.handle(.connected) == [])
    }

    @Test("Names sort as versions do, also beyond the largest signed one")
    func names() {
        let versions: [Int32] = [0, 1, 9, 10, .max, .min, -1]
        let names = versions.map(Self.name)
        #expect(names == names.sorted())
        #expect(names.map(PublishMachine.version) == versions)
        for name in ["", "1", "00000000001", "x000000001", "9999999999"] {
            #expect(PublishMachine.version(of: name) == nil)
        }
    }
}

/// How several keys are read as of one version, as conversations.
@Suite("Snapshots of several keys, the machine")
struct SnapshotMachineTests {
    typealias Action = StepAction<SnapshotMachine.Reading?>

    static let point = [Action.request(.data("/s"))]
    static let pointer = StepEvent.answered(
        .data(NodeData(data: Array("0000000004".utf8), stat: .fresh)), isWindowOpen: true)
    static let list = [Action.request(.children("/s/0000000004"))]

    static func keys(_ names: [String]) -> StepEvent {
        .answered(.children(Children(names: names, stat: .fresh)), isWindowOpen: true)
    }

    @Test("The pointer, the keys, the values")
    func read() {
        var machine = SnapshotMachine(at: "/s")
        #expect(machine.handle(.start) == Self.point)
        #expect(machine.handle(Self.pointer) == Self.list)
        #expect(
            machine.handle(Self.keys(["a", "b"])) == [
                .request(.dataOfMany(["/s/0000000004/a", "/s/0000000004/b"]))
            ])
        let nodes = [NodeData(data: [1], stat: .fresh), NodeData(data: nil, stat: .fresh)]
        #expect(
            machine.handle(.answered(.dataOfMany(nodes), isWindowOpen: true)) == [
                .finish(.init(number: 4, pointer: .fresh, values: ["a": [1], "b": []]))
            ])
    }

    @Test("A version that goes while it is read is never delivered in part")
    func vanished() {
        var machine = SnapshotMachine(at: "/s")
        _ = machine.handle(.start)
        _ = machine.handle(Self.pointer)
        #expect(machine.handle(.failed(.noNode, at: nil)) == Self.point)
        _ = machine.handle(Self.pointer)
        _ = machine.handle(Self.keys(["a", "b"]))
        let nodes = [NodeData(data: [1], stat: .fresh), nil]
        #expect(machine.handle(.answered(.dataOfMany(nodes), isWindowOpen: true)) == Self.point)
    }

    @Test("Nothing published, nonsense, a pointer to nothing, lost connections")
    func odd() {
        var empty = SnapshotMachine(at: "/s")
        _ = empty.handle(.start)
        #expect(empty.handle(.failed(.noNode, at: nil)) == [.finish(nil)])
        var nonsense = SnapshotMachine(at: "/s")
        _ = nonsense.handle(.start)
        guard
            case .fail(let failure)? = nonsense.handle(
                .answered(.data(NodeData(data: [1], stat: .fresh)), isWindowOpen: true)
            ).first
        else {
            Issue.record("nonsense was read")
            return
        }
        #expect(failure.code == .dataInconsistency)
        var dangling = SnapshotMachine(at: "/s")
        var actions = dangling.handle(.start)
        for _ in 0...SnapshotMachine.retryLimit where actions == Self.point {
            _ = dangling.handle(Self.pointer)
            actions = dangling.handle(.failed(.noNode, at: nil))
        }
        #expect(actions != Self.point)
        var lost = SnapshotMachine(at: "/s")
        _ = lost.handle(.start)
        _ = lost.handle(Self.pointer)
        #expect(lost.handle(.failed(.connectionLoss, at: nil)) == [.awaitConnection])
        #expect(lost.handle(.connected) == Self.point)
    }
}
