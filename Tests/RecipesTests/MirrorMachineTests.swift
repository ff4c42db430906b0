import ConclaveClient
import ConclaveCore
import Testing

@testable import Recipes

/// What caches decide, as conversations.
@Suite("Caches, the machine")
struct MirrorMachineTests {
    typealias Machine = MirrorMachine
    typealias Look = MirrorMachine.Look

    static func data(_ text: String, zxid: Int64, czxid: Int64 = 1) -> NodeData {
        var stat = CounterMachineTests.node([], version: 0, czxid: czxid).stat
        stat.mzxid = Zxid(rawValue: zxid)
        return NodeData(data: Array(text.utf8), stat: stat)
    }

    static func cached(_ path: String, _ text: String, zxid: Int64, czxid: Int64 = 1) -> CachedNode {
        let data = data(text, zxid: zxid, czxid: czxid)
        return CachedNode(path: path, bytes: data.bytes, stat: data.stat)
    }

    static func machine(
        _ scope: Machine.Scope, isOneShot: Bool = false, limits: CacheLimits = CacheLimits()
    ) -> Machine {
        Machine(root: "/r", scope: scope, limits: limits, isOneShot: isOneShot)
    }

    static func look(_ path: String, _ listsChildren: Bool = false) -> Look {
        Look(path: path, listsChildren: listsChildren)
    }

    /// A subtree machine that has read `/r` with children `a` and `b`.
    static func filled(_ scope: Machine.Scope = .subtree, isOneShot: Bool = false) -> Machine {
        var machine = machine(scope, isOneShot: isOneShot)
        _ = machine.handle(.armed)
        _ = machine.handle(.read([.found(data("r", zxid: 1), children: ["a", "b"])]))
        let children: [String]? = scope == .subtree ? [] : nil
        _ = machine.handle(
            .read([.found(data("a", zxid: 2), children: children), .found(data("b", zxid: 3), children: children)]))
        return machine
    }

    @Test("A subtree is read from the top, level by level, and is current when nothing is left")
    func fill() {
        var machine = Self.machine(.subtree)
        #expect(machine.handle(.noticed(["/r"])) == [])
        #expect(machine.handle(.armed) == [.read([Self.look("/r", true)])])
        #expect(
            machine.handle(.read([.found(Self.data("r", zxid: 1), children: ["a", "b"])])) == [
                .added(Self.cached("/r", "r", zxid: 1)), .read([Self.look("/r/a", true), Self.look("/r/b", true)]),
            ])
        #expect(
            machine.handle(
                .read([.found(Self.data("a", zxid: 2), children: ["x"]), .missing])) == [
                    .added(Self.cached("/r/a", "a", zxid: 2)), .read([Self.look("/r/a/x", true)]),
                ])
        #expect(
            machine.handle(.read([.found(Self.data("x", zxid: 3), children: [])])) == [
                .added(Self.cached("/r/a/x", "x", zxid: 3)), .becameCurrent,
            ])
    }

    @Test("Of children only the children are kept, of a node only the node")
    func scopes() {
        var children = Self.machine(.children)
        #expect(children.handle(.armed) == [.read([Self.look("/r", true)])])
        #expect(
            children.handle(.read([.found(Self.data("r", zxid: 1), children: ["a"])])) == [
                .read([Self.look("/r/a")])
            ])
        #expect(
            children.handle(.read([.found(Self.data("a", zxid: 2), children: nil)])) == [
                .added(Self.cached("/r/a", "a", zxid: 2)), .becameCurrent,
            ])
        #expect(children.handle(.noticed(["/r/a/deeper", "/other", "/ra"])) == [])
        var node = Self.machine(.node)
        #expect(node.handle(.armed) == [.read([Self.look("/r")])])
        #expect(node.handle(.read([.missing])) == [.becameCurrent])
        #expect(node.handle(.noticed(["/r/a"])) == [])
        #expect(node.handle(.noticed(["/r"])) == [.read([Self.look("/r")])])
        #expect(
            node.handle(.read([.found(Self.data("r", zxid: 9), children: nil)])) == [
                .added(Self.cached("/r", "r", zxid: 9))
            ])
    }

    @Test("What is noticed is looked at once, while one batch is read at a time")
    func noticed() {
        var machine = Self.filled()
        #expect(machine.handle(.noticed(["/r/a", "/r/a"])) == [.read([Self.look("/r/a")])])
        #expect(machine.handle(.noticed(["/r/b", "/r/a", "/r/b"])) == [])
        #expect(
            machine.handle(.read([.found(Self.data("A", zxid: 7), children: nil)])) == [
                .changed(Self.cached("/r/a", "A", zxid: 7)), .read([Self.look("/r/b"), Self.look("/r/a")]),
            ])
        // Nothing new at either.
        #expect(
            machine.handle(
                .read([.found(Self.data("b", zxid: 3), children: nil), .found(Self.data("A", zxid: 7), children: nil)]))
                == [])
    }

    @Test("A node that is gone takes everything below it along, the deepest first")
    func gone() {
        var machine = Self.filled()
        #expect(machine.handle(.noticed(["/r/a/x"])) == [.read([Self.look("/r/a/x", true)])])
        #expect(
            machine.handle(.read([.found(Self.data("x", zxid: 5), children: [])])) == [
                .added(Self.cached("/r/a/x", "x", zxid: 5))
            ])
        _ = machine.handle(.noticed(["/r/a"]))
        #expect(
            machine.handle(.read([.missing])) == [
                .removed(Self.cached("/r/a/x", "x", zxid: 5)), .removed(Self.cached("/r/a", "a", zxid: 2)),
            ])
    }

    @Test("A node whose parent is not known yet waits for its parent")
    func orphan() {
        var machine = Self.filled()
        #expect(machine.handle(.noticed(["/r/c/d"])) == [.read([Self.look("/r/c/d", true)])])
        #expect(
            machine.handle(.read([.found(Self.data("d", zxid: 5), children: [])])) == [
                .read([Self.look("/r/c", true)])
            ])
        #expect(
            machine.handle(.read([.found(Self.data("c", zxid: 4), children: ["d"])])) == [
                .added(Self.cached("/r/c", "c", zxid: 4)), .read([Self.look("/r/c/d", true)]),
            ])
    }

    @Test("After a lost connection everything is read again, and only differences are told")
    func resync() {
        var machine = Self.filled()
        _ = machine.handle(.noticed(["/r/a"]))
        #expect(machine.handle(.disconnected) == [.becameStale])
        #expect(machine.handle(.disconnected) == [])
        // The answer of before is late.
        #expect(machine.handle(.read([.missing])) == [])
        #expect(machine.handle(.noticed(["/r/b"])) == [])
        #expect(machine.handle(.armed) == [.read([Self.look("/r", true)])])
        #expect(
            machine.handle(.read([.found(Self.data("r", zxid: 1), children: ["b", "c"])])) == [
                .removed(Self.cached("/r/a", "a", zxid: 2)), .read([Self.look("/r/b", true), Self.look("/r/c", true)]),
            ])
        #expect(
            machine.handle(
                .read([
                    .found(Self.data("b", zxid: 3, czxid: 8), children: []),
                    .found(Self.data("c", zxid: 9), children: []),
                ])) == [
                    .changed(Self.cached("/r/b", "b", zxid: 3, czxid: 8)), .added(Self.cached("/r/c", "c", zxid: 9)),
                    .becameCurrent,
                ])
    }

    @Test("With one-shot watches every look lists, and known children are left to their own watches")
    func oneShot() {
        var machine = Self.filled(isOneShot: true)
        #expect(machine.handle(.noticed(["/r"])) == [.read([Self.look("/r", true)])])
        #expect(
            machine.handle(.read([.found(Self.data("r", zxid: 1), children: ["a", "b", "c"])])) == [
                .read([Self.look("/r/c", true)])
            ])
    }

    @Test("At most the limits are kept, and at most a batch is read at once")
    func limits() {
        var machine = Self.machine(.children, limits: CacheLimits(nodes: 40, bytes: 1_000))
        _ = machine.handle(.armed)
        let names = (10..<51).map { "n\($0)" }
        let first = machine.handle(.read([.found(Self.data("", zxid: 1), children: names)]))
        #expect(first == [.read(names.prefix(Machine.batchLimit).map { Self.look("/r/" + $0) })])
        let findings = (0..<41).map { Machine.Finding.found(Self.data("", zxid: Int64($0) + 2), children: nil) }
        let second = machine.handle(.read(Array(findings.prefix(Machine.batchLimit))))
        #expect(second.last == .read(names.suffix(9).map { Self.look("/r/" + $0) }))
        #expect(machine.handle(.read(Array(findings.suffix(9)))).last == .overflowed)
        #expect(machine.handle(.armed) == [])

        var bytes = Self.machine(.node, limits: CacheLimits(nodes: 1, bytes: 5))
        _ = bytes.handle(.armed)
        #expect(bytes.handle(.read([.found(Self.data("123", zxid: 1), children: nil)])).last == .becameCurrent)
        _ = bytes.handle(.noticed(["/r"]))
        #expect(bytes.handle(.read([.found(Self.data("1234", zxid: 2), children: nil)])).last == .overflowed)
    }

    @Test("More places noticed than nodes are allowed: everything is looked at instead")
    func flood() {
        var machine = Self.machine(.subtree, limits: CacheLimits(nodes: 3, bytes: 1_000))
        _ = machine.handle(.armed)
        _ = machine.handle(.noticed((0..<10).map { "/r/\($0)" }))
        #expect(
            machine.handle(.read([.found(Self.data("", zxid: 1), children: [])])) == [
                .added(Self.cached("/r", "", zxid: 1)), .read([Self.look("/r", true)]),
            ])
    }
}

/// What a slow reader is told.
@Suite("Caches, changes that wait")
struct ChangeBufferTests {
    static let one = MirrorMachineTests.cached("/a", "1", zxid: 1)
    static let two = MirrorMachineTests.cached("/a", "2", zxid: 2)

    @Test(
        "Two changes of a node that were not taken become the one step between their ends",
        arguments: [
            ([CacheChange.added(one), .changed(two)], [CacheChange.added(two)]),
            ([.added(one), .removed(one)], []),
            ([.changed(one), .changed(two)], [.changed(two)]),
            ([.changed(one), .removed(two)], [.removed(two)]),
            ([.removed(one), .added(two)], [.changed(two)]),
            ([.removed(one), .added(two), .removed(two)], [.removed(two)]),
            ([.added(one), .removed(one), .added(two)], [.added(two)]),
            ([.status(.current), .added(one), .status(.filling)], [.added(one), .status(.filling)]),
        ])
    func joined(_ changes: [CacheChange], _ expected: [CacheChange]) {
        var buffer = ChangeBuffer()
        for change in changes { buffer.add(change) }
        var taken: [CacheChange] = []
        while let change = buffer.take() { taken.append(change) }
        #expect(taken == expected)
        #expect(buffer.count == 0)
    }

    @Test("However much changes, no more waits than there are nodes, in the order of their first change")
    func bounded() {
        var buffer = ChangeBuffer()
        for round in 0..<1_000 {
            for name in ["/b", "/a", "/c"] {
                let node = MirrorMachineTests.cached(name, "\(round)", zxid: Int64(round))
                buffer.add(round.isMultiple(of: 2) ? .added(node) : .removed(node))
            }
            #expect(buffer.count <= 3)
        }
        for name in ["/b", "/a", "/c"] { buffer.add(.added(MirrorMachineTests.cached(name, "", zxid: 0))) }
        var names: [String] = []
        while case .added(let node)? = buffer.take() { names.append(node.path) }
        #expect(names == ["/b", "/a", "/c"])
    }
}
