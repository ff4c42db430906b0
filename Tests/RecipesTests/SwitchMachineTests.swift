import ConclaveClient
import ConclaveCore
import Testing

@testable import Recipes

/// How a set of values is switched and old versions go, as conversations.
@Suite("Switching a set of values, the machines")
struct SwitchMachineTests {
    static let values: [String: [UInt8]] = ["b": [2], "a": [1]]

    static func machine(over base: (number: Int, pointerVersion: Int32)? = nil) -> SwitchMachine {
        SwitchMachine(values, at: "/set", over: base)
    }

    static func children(_ names: [String]) -> StepEvent {
        .answered(.children(Children(names: names, stat: .fresh)), isWindowOpen: true)
    }

    static func write(_ name: String, over version: Int32) -> [StepAction<SwitchMachine.Output>] {
        [
            .request(
                .write([
                    .setData("/set", Array(name.utf8), version: version), .create("/set/" + name, []),
                    .create("/set/\(name)/a", [1]), .create("/set/\(name)/b", [2]),
                ]))
        ]
    }

    static func stat(version: Int32 = 0, dataLength: Int32 = 0) -> Stat {
        var stat = Stat.fresh
        stat.version = version
        stat.dataLength = dataLength
        return stat
    }

    @Test("Keys and pointer are one transaction, under the version of the pointer that was read")
    func switchOver() {
        var machine = Self.machine(over: (4, 7))
        #expect(machine.handle(.start) == [.request(.children("/set"))])
        // A newer version than the one that is pointed at is left from a rollback, and its number not used again.
        let names = ["0000000002", "0000000004", "README", "0000000005"]
        #expect(machine.handle(Self.children(names)) == Self.write("0000000006", over: 7))
        let pointer = Self.stat(version: 8)
        #expect(
            machine.handle(.answered(.written([.dataSet(pointer)]), isWindowOpen: true)) == [
                .finish(
                    .published(.init(number: 6, pointer: pointer, values: Self.values), known: [5, 4, 2]))
            ])
        #expect(machine.handle(.cancelled) == [])
    }

    @Test("The first publisher makes the pointer; where there is one with something in it somebody was faster")
    func first() {
        var machine = Self.machine()
        _ = machine.handle(.start)
        #expect(machine.handle(.failed(.noNode, at: "/set")) == [.request(.makeParents("/set", .persistent))])
        #expect(machine.handle(.answered(.done, isWindowOpen: true)) == [.request(.exists("/set"))])
        var other = machine
        #expect(
            machine.handle(.answered(.exists(Self.stat()), isWindowOpen: true)) == Self.write("0000000000", over: 0))
        #expect(
            other.handle(.answered(.exists(Self.stat(version: 1, dataLength: 10)), isWindowOpen: true)) == [
                .finish(.beaten)
            ])
    }

    @Test(
        "Whoever is overtaken begins again; everything else is told",
        arguments: [
            (ZooKeeperError.Code.badVersion, true), (.nodeExists, true), (.noNode, true), (.connectionLoss, false),
            (.noAuth, false),
        ])
    func refused(_ code: ZooKeeperError.Code, _ isBeaten: Bool) {
        var machine = Self.machine(over: (0, 0))
        _ = machine.handle(.start)
        _ = machine.handle(Self.children(["0000000000"]))
        #expect(
            machine.handle(.failed(code, at: "/set"))
                == [isBeaten ? .finish(.beaten) : .fail(StepFailure(code, at: "/set"))])
    }

    // MARK: - Removal

    static func pointer(_ name: String, version: Int32) -> StepEvent {
        .answered(.data(NodeData(data: Array(name.utf8), stat: stat(version: version))), isWindowOpen: true)
    }

    private static func isFinished(_ actions: [StepAction<Void>]) -> Bool {
        if case .finish? = actions.first { actions.count == 1 } else { false }
    }

    private static func request(_ actions: [StepAction<Void>]) -> StepRequest? {
        if case .request(let request)? = actions.first, actions.count == 1 { request } else { nil }
    }

    @Test("A version goes whole, under the version of the pointer; the one that is pointed at stays")
    func removal() {
        var machine = VersionRemoval(of: 3, at: "/set")
        #expect(Self.request(machine.handle(.start)) == .data("/set"))
        var pointed = machine
        #expect(Self.isFinished(pointed.handle(Self.pointer("0000000003", version: 9))))
        #expect(Self.request(machine.handle(Self.pointer("0000000006", version: 9))) == .children("/set/0000000003"))
        #expect(
            Self.request(machine.handle(Self.children(["a", "b"])))
                == .write([
                    .check("/set", version: 9), .delete("/set/0000000003/a"), .delete("/set/0000000003/b"),
                    .delete("/set/0000000003"),
                ]))
        var overtaken = machine
        #expect(Self.isFinished(overtaken.handle(.failed(.badVersion, at: "/set"))))
        // Whether it went is not known: it is looked at again.
        guard case .awaitConnection? = machine.handle(.failed(.connectionLoss, at: nil)).first else {
            Issue.record("does not wait for a connection")
            return
        }
        #expect(Self.request(machine.handle(.connected)) == .data("/set"))
        _ = machine.handle(Self.pointer("0000000006", version: 9))
        #expect(Self.isFinished(machine.handle(.failed(.noNode, at: "/set/0000000003"))))
    }
}
