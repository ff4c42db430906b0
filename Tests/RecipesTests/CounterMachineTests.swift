import ConclaveClient
import ConclaveCore
import Testing

@testable import Recipes

/// The counter's machine as conversations.
@Suite("Counter, the machine")
struct CounterMachineTests {
    typealias Action = StepAction<CounterMachine.Output>

    static func node(_ number: Int64, version: Int32, czxid: Int64 = 1) -> NodeData {
        node(CounterBlock.encode(number), version: version, czxid: czxid)
    }

    static func node(_ bytes: [UInt8], version: Int32 = 0, czxid: Int64 = 1) -> NodeData {
        var stat = Stat.fresh
        stat.czxid = Zxid(rawValue: czxid)
        stat.version = version
        return NodeData(data: bytes, stat: stat)
    }

    static func read(_ node: NodeData) -> StepEvent { .answered(.data(node), isWindowOpen: true) }

    static let written = StepEvent.answered(.written([.dataSet(.fresh)]), isWindowOpen: true)
    static let synced = StepEvent.answered(.done, isWindowOpen: true)
    static let reading = [Action.request(.data("/n/c"))]

    static func set(_ number: Int64, _ version: Int32) -> [Action] {
        [.request(.write([.setData("/n/c", CounterBlock.encode(number), version: version)]))]
    }

    static func finish(_ before: Int64, _ after: Int64, _ isWritten: Bool = true) -> [Action] {
        [.finish(.init(before: before, after: after, isWritten: isWritten))]
    }

    static func machine(_ change: CounterMachine.Change = .add(2)) -> CounterMachine {
        CounterMachine(change, at: "/n/c", seed: 7)
    }

    @Test("Adds what is wanted to what was read, naming the version")
    func add() {
        var machine = Self.machine()
        #expect(machine.handle(.start) == Self.reading)
        #expect(machine.handle(Self.read(Self.node(40, version: 9))) == Self.set(42, 9))
        #expect(machine.handle(Self.written) == Self.finish(40, 42))
        #expect(machine.handle(.cancelled) == [])
    }

    @Test("A comparison that fails writes nothing")
    func compare() {
        var machine = Self.machine(.compareAndSet(expected: 1, new: 5))
        _ = machine.handle(.start)
        #expect(machine.handle(Self.read(Self.node(2, version: 0))) == Self.finish(2, 2, false))
        var other = Self.machine(.compareAndSet(expected: 2, new: 5))
        _ = other.handle(.start)
        #expect(other.handle(Self.read(Self.node(2, version: 3))) == Self.set(5, 3))
        #expect(other.handle(Self.written) == Self.finish(2, 5))
    }

    @Test("A counter keeps the number of bytes that it was made with, and its range")
    func forms() {
        let node = Self.node([0, 0, 0, 40], version: 3)
        var machine = Self.machine()
        _ = machine.handle(.start)
        #expect(
            machine.handle(Self.read(node)) == [.request(.write([.setData("/n/c", [0, 0, 0, 42], version: 3)]))])
        #expect(machine.handle(Self.written) == Self.finish(40, 42))
        var negative = Self.machine(.set(-2))
        _ = negative.handle(.start)
        #expect(
            negative.handle(Self.read(node)) == [
                .request(.write([.setData("/n/c", [255, 255, 255, 254], version: 3)]))
            ])
        var large = Self.machine(.set(1 << 31))
        _ = large.handle(.start)
        #expect(Self.failure(large.handle(Self.read(node))) == .sequenceExhausted)
        for number in [Int64(0), -1, 77, Int64(Int32.min), Int64(Int32.max)] {
            for form in [CounterForm.four, .eight] {
                let bytes = form.encode(number)
                #expect(bytes.flatMap(CounterForm.decode)?.number == number)
                #expect(bytes.flatMap(CounterForm.decode)?.form == form)
            }
        }
        #expect(CounterForm.decode([1, 2, 3]) == nil)
    }

    @Test("A missing counter is made with 0, whoever makes it, and then changed like any other")
    func missing() {
        for isOvertaken in [false, true] {
            var machine = Self.machine()
            _ = machine.handle(.start)
            #expect(machine.handle(.failed(.noNode, at: "/n/c")) == [.request(.makeParents("/n", .persistent))])
            let create = [Action.request(.write([.create("/n/c", CounterBlock.encode(0))]))]
            #expect(machine.handle(Self.synced) == create)
            #expect(machine.handle(isOvertaken ? .failed(.nodeExists, at: "/n/c") : Self.written) == Self.reading)
            #expect(machine.handle(Self.read(Self.node([]))) == Self.set(2, 0))
        }
    }

    @Test("Overtaken, it reads again: first at once, then after waits that grow to a limit")
    func backOff() throws {
        var machine = Self.machine()
        _ = machine.handle(.start)
        var longest = Duration.zero
        for round in 0..<40 {
            _ = machine.handle(Self.read(Self.node(Int64(round), version: Int32(round))))
            let actions = machine.handle(.failed(.badVersion, at: "/n/c"))
            guard round > 0 else {
                #expect(actions == Self.reading)
                continue
            }
            guard case .wait(let limit?)? = actions.first else {
                Issue.record("no wait in \(actions)")
                return
            }
            #expect(limit > .zero && limit <= min(.microseconds(500 << (round - 1)), CounterMachine.longestBackOff))
            longest = max(longest, limit)
            #expect(machine.handle(.elapsed) == Self.reading)
        }
        #expect(longest > .milliseconds(10))
    }

    @Test("A write whose answer was lost is repeated only if nobody has written since")
    func lostAnswer() {
        for (node, isUnchanged) in [
            (Self.node(40, version: 9), true), (Self.node(42, version: 10), false),
            (Self.node(40, version: 9, czxid: 2), false),
        ] {
            var machine = Self.machine()
            _ = machine.handle(.start)
            _ = machine.handle(Self.read(Self.node(40, version: 9)))
            #expect(machine.handle(.failed(.connectionLoss, at: nil)) == [.awaitConnection])
            #expect(machine.handle(.connected) == [.request(.sync("/n/c"))])
            #expect(machine.handle(.failed(.connectionLoss, at: nil)) == [.awaitConnection])
            #expect(machine.handle(.connected) == [.request(.sync("/n/c"))])
            #expect(machine.handle(Self.synced) == Self.reading)
            let actions = machine.handle(Self.read(node))
            guard isUnchanged else {
                #expect(Self.failure(actions) == .connectionLoss)
                continue
            }
            #expect(actions == Self.set(42, 9))
            // The write that overtook this one may have been its own first one.
            #expect(Self.failure(machine.handle(.failed(.badVersion, at: "/n/c"))) == .connectionLoss)
        }
    }

    @Test("A read whose connection was lost is simply made again")
    func lostRead() {
        var machine = Self.machine()
        _ = machine.handle(.start)
        #expect(machine.handle(.failed(.connectionLoss, at: nil)) == [.awaitConnection])
        #expect(machine.handle(.connected) == Self.reading)
    }

    @Test("What is no counter and what would overflow is refused; the end of the session ends it")
    func refused() {
        for (event, code) in [
            (Self.read(Self.node([1, 2, 3])), ZooKeeperError.Code.dataInconsistency),
            (Self.read(Self.node(.max, version: 0)), .sequenceExhausted), (.failed(.noAuth, at: "/n/c"), .noAuth),
            (.cancelled, .cancelled), (.deadlinePassed, .deadlineExceeded),
            (.sessionOver(.sessionExpired), .sessionExpired),
        ] {
            var machine = Self.machine()
            _ = machine.handle(.start)
            #expect(Self.failure(machine.handle(event)) == code)
            #expect(machine.handle(Self.written) == [])
        }
    }

    private static func failure(_ actions: [Action]) -> ZooKeeperError.Code? {
        guard case .fail(let failure)? = actions.first, actions.count == 1 else { return nil }
        return failure.code
    }
}

extension Stat {
    /// The facts of a node that nothing has happened to yet.
    static var fresh: Stat {
        Stat(
            czxid: Zxid(rawValue: 1), mzxid: Zxid(rawValue: 1), ctime: 0, mtime: 0, version: 0, cversion: 0,
            aversion: 0,
            ephemeralOwner: SessionID(rawValue: 0), dataLength: 0, numChildren: 0, pzxid: Zxid(rawValue: 1))
    }
}
