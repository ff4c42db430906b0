import ConclaveCore
import Testing

@testable import Recipes

@Suite("One attempt in a queue of sequential nodes, as conversations")
struct ContenderMachineTests {
    typealias Machine = ContenderMachine

    static let session = SessionID(rawValue: 7)
    static let id = AttemptID(high: 1, low: 2)

    static func name(_ number: Int32, _ kind: String = "lock-", id: AttemptID = id) -> String {
        let digits = String(number)
        return "_c_\(id.text)-\(kind)" + String(repeating: "0", count: 10 - digits.count) + digits
    }

    /// A node of somebody else.
    static func other(_ number: Int32, _ kind: String = "lock-") -> String {
        name(number, kind, id: AttemptID(high: 99, low: UInt64(number)))
    }

    static func node(_ number: Int32, czxid: Int64 = 100, id: AttemptID = id) -> Machine.Node {
        guard let name = ContenderName(name(number, id: id)) else { fatalError("a fixture that is no name") }
        return .init(name: name, czxid: Zxid(rawValue: czxid))
    }

    static func created(_ number: Int32, czxid: Int64 = 100, id: AttemptID = id) -> Machine.Event {
        .created(name: name(number, id: id), czxid: Zxid(rawValue: czxid), owner: session)
    }

    static func machine(
        shared: Bool = false, patience: AttemptPatience = .wait, ownHolds: Set<String> = []
    ) -> Machine {
        Machine(attempt: id, session: session, isShared: shared, patience: patience, ownHolds: ownHolds)
    }

    @Test("Without rivals: create, list, hold, release")
    func uncontended() {
        var machine = Self.machine()
        #expect(machine.handle(.start) == [.create(Self.id)])
        #expect(machine.handle(Self.created(5)) == [.list])
        #expect(machine.handle(.listed([Self.name(5), "config"], isWindowOpen: true)) == [.grant(Self.node(5))])
        #expect(machine.handle(.released) == [.remove(Self.name(5)), .end(.released)])
        #expect(machine.state == .over(.released))
    }

    @Test("A missing parent is made and the node created again")
    func parents() {
        var machine = Self.machine()
        _ = machine.handle(.start)
        #expect(machine.handle(.failed(.noNode)) == [.makeParents])
        #expect(machine.handle(.parentsMade) == [.create(Self.id)])
    }

    @Test("A parent that vanishes again and again is given up after the limit")
    func parentsLimit() {
        var machine = Self.machine()
        _ = machine.handle(.start)
        for _ in 0..<Machine.retryLimit {
            #expect(machine.handle(.failed(.noNode)) == [.makeParents])
            #expect(machine.handle(.parentsMade) == [.create(Self.id)])
        }
        #expect(machine.handle(.failed(.noNode)) == [.end(.failed(.noNode))])
    }

    @Test("Behind others: wait for the one directly in the way, list after each wake-up, then hold")
    func queue() {
        var machine = Self.machine()
        _ = machine.handle(.start)
        _ = machine.handle(Self.created(5))
        let all = [Self.other(2), Self.name(5), Self.other(9), Self.other(4)]
        #expect(machine.handle(.listed(all, isWindowOpen: true)) == [.wait(own: Self.name(5), behind: Self.other(4))])
        #expect(machine.handle(.predecessorGone) == [.list])
        #expect(
            machine.handle(.listed([Self.other(2), Self.name(5)], isWindowOpen: true))
                == [.wait(own: Self.name(5), behind: Self.other(2))])
        #expect(machine.handle(.predecessorGone) == [.list])
        #expect(machine.handle(.listed([Self.other(9), Self.name(5)], isWindowOpen: true)) == [.grant(Self.node(5))])
    }

    @Test("A reader waits for the last writer before it, not for readers; unknown prefixes count as writers")
    func reader() {
        var machine = Self.machine(shared: true)
        _ = machine.handle(.start)
        let own = Self.name(6, "__READ__")
        _ = machine.handle(.created(name: own, czxid: Zxid(rawValue: 1), owner: Self.session))
        let children = [
            Self.other(1, "__WRIT__"), "abc__lock__0000000003", Self.other(4, "__READ__"), "x__rlock__0000000005", own,
            Self.other(7, "__WRIT__"),
        ]
        #expect(
            machine.handle(.listed(children, isWindowOpen: true)) == [.wait(own: own, behind: "abc__lock__0000000003")])
        #expect(machine.handle(.predecessorGone) == [.list])
        let actions = machine.handle(.listed([Self.other(4, "__READ__"), own], isWindowOpen: true))
        guard case .grant? = actions.first else { return #expect(Bool(false), "\(actions)") }
    }

    @Test("A writer waits for the reader directly before it")
    func writer() {
        var machine = Self.machine()
        _ = machine.handle(.start)
        _ = machine.handle(Self.created(6))
        let children = [Self.other(4, "__READ__"), Self.other(5, "__READ__"), Self.name(6)]
        #expect(
            machine.handle(.listed(children, isWindowOpen: true))
                == [.wait(own: Self.name(6), behind: Self.other(5, "__READ__"))])
    }

    @Test("After a lost reply the node is found by its id, examined, and used if the session owns it")
    func lostReply() {
        var machine = Self.machine()
        _ = machine.handle(.start)
        #expect(machine.handle(.failed(.connectionLoss)) == [.awaitConnection])
        #expect(machine.handle(.connected) == [.find])
        #expect(
            machine.handle(.listed([Self.other(1), Self.name(3)], isWindowOpen: true)) == [.examine(Self.name(3))])
        #expect(machine.handle(.examined(czxid: Zxid(rawValue: 100), owner: Self.session)) == [.list])
        #expect(machine.state == .listing(Self.node(3)))
    }

    @Test("After a lost request nothing is found and the node is created")
    func lostRequest() {
        var machine = Self.machine()
        _ = machine.handle(.start)
        _ = machine.handle(.failed(.operationTimeout))
        _ = machine.handle(.connected)
        #expect(machine.handle(.listed([Self.other(1)], isWindowOpen: true)) == [.create(Self.id)])
    }

    @Test("Two nodes of one attempt: the first is used, the second removed")
    func twins() {
        var machine = Self.machine()
        _ = machine.handle(.start)
        _ = machine.handle(.failed(.connectionLoss))
        _ = machine.handle(.connected)
        #expect(
            machine.handle(.listed([Self.name(8), Self.name(3)], isWindowOpen: true))
                == [.remove(Self.name(8)), .examine(Self.name(3))])
    }

    @Test("Losing the connection in the queue is waited out, then the children are listed again")
    func suspended() {
        var machine = Self.machine()
        _ = machine.handle(.start)
        _ = machine.handle(Self.created(5))
        _ = machine.handle(.listed([Self.other(4), Self.name(5)], isWindowOpen: true))
        #expect(machine.handle(.failed(.connectionLoss)) == [.awaitConnection])
        #expect(machine.handle(.connected) == [.list])
    }

    @Test("A closed hold window delays the grant until a server has confirmed the session")
    func windowClosed() {
        var machine = Self.machine()
        _ = machine.handle(.start)
        _ = machine.handle(Self.created(5))
        #expect(machine.handle(.listed([Self.name(5)], isWindowOpen: false)) == [.awaitConnection])
        #expect(machine.handle(.connected) == [.list])
        #expect(machine.handle(.listed([Self.name(5)], isWindowOpen: true)) == [.grant(Self.node(5))])
    }

    @Test("A waiter whose node was removed queues again under a new id")
    func ownNodeRemoved() {
        var machine = Self.machine()
        _ = machine.handle(.start)
        _ = machine.handle(Self.created(5))
        _ = machine.handle(.listed([Self.other(4), Self.name(5)], isWindowOpen: true))
        #expect(machine.handle(.ownNodeGone) == [.create(Self.id.next)])
        #expect(machine.handle(Self.created(7, id: Self.id.next)) == [.list])
        #expect(machine.handle(.listed([Self.other(4)], isWindowOpen: true)) == [.create(Self.id.next.next)])
    }

    @Test("A waiter whose nodes are always removed gives up after the limit")
    func removedLimit() {
        var machine = Self.machine()
        _ = machine.handle(.start)
        for _ in 0..<Machine.retryLimit {
            _ = machine.handle(Self.created(5, id: machine.attempt))
            #expect(machine.handle(.listed([], isWindowOpen: true)) == [.create(machine.attempt)])
        }
        _ = machine.handle(Self.created(5, id: machine.attempt))
        #expect(machine.handle(.listed([], isWindowOpen: true)) == [.end(.failed(.noNode))])
    }

    @Test("A try looks first and creates nothing while somebody holds")
    func tryBusy() {
        var machine = Self.machine(patience: .once)
        #expect(machine.handle(.start) == [.list])
        #expect(machine.handle(.listed([Self.other(1)], isWindowOpen: true)) == [.end(.busy)])
    }

    @Test("A try that is overtaken between looking and creating removes its node")
    func tryOvertaken() {
        var machine = Self.machine(patience: .once)
        _ = machine.handle(.start)
        #expect(machine.handle(.listed(["config"], isWindowOpen: true)) == [.create(Self.id)])
        #expect(machine.handle(Self.created(5)) == [.list])
        #expect(
            machine.handle(.listed([Self.other(4), Self.name(5)], isWindowOpen: true))
                == [.remove(Self.name(5)), .end(.busy)])
    }

    @Test("A try at a path that does not exist makes it and holds")
    func tryFresh() {
        var machine = Self.machine(patience: .once)
        _ = machine.handle(.start)
        #expect(machine.handle(.failed(.noNode)) == [.makeParents])
        #expect(machine.handle(.parentsMade) == [.create(Self.id)])
        _ = machine.handle(Self.created(0))
        #expect(machine.handle(.listed([Self.name(0)], isWindowOpen: true)) == [.grant(Self.node(0))])
    }

    @Test("A try to read passes readers and stops at a writer")
    func tryRead() {
        var passing = Self.machine(shared: true, patience: .once)
        _ = passing.handle(.start)
        #expect(passing.handle(.listed([Self.other(1, "__READ__")], isWindowOpen: true)) == [.create(Self.id)])
        var stopping = Self.machine(shared: true, patience: .once)
        _ = stopping.handle(.start)
        #expect(stopping.handle(.listed([Self.other(1, "__WRIT__")], isWindowOpen: true)) == [.end(.busy)])
    }

    @Test("A try does not wait for a connection: it fails and cleans up")
    func tryDisconnected() {
        var early = Self.machine(patience: .once)
        _ = early.handle(.start)
        #expect(early.handle(.failed(.connectionLoss)) == [.end(.failed(.connectionLoss))])
        var late = Self.machine(patience: .once)
        _ = late.handle(.start)
        _ = late.handle(.listed([], isWindowOpen: true))
        #expect(late.handle(.failed(.connectionLoss)) == [.sweep(Self.id), .end(.failed(.connectionLoss))])
    }

    @Test("Numbers up to the limit are accepted, one past it the attempt refuses and removes its node")
    func sequenceLimit() {
        let limit = ContenderName.lastSequence
        var atLimit = Self.machine()
        _ = atLimit.handle(.start)
        #expect(atLimit.handle(Self.created(limit)) == [.list])
        var pastLimit = Self.machine()
        _ = pastLimit.handle(.start)
        #expect(pastLimit.handle(Self.created(limit + 1)) == [.remove(Self.name(limit + 1)), .end(.sequenceExhausted)])
        var overflown = Self.machine()
        _ = overflown.handle(.start)
        let text = "_c_\(Self.id.text)-lock--2147483648"
        let event = Machine.Event.created(name: text, czxid: .zero, owner: Self.session)
        #expect(overflown.handle(event) == [.remove(text), .end(.sequenceExhausted)])
    }

    @Test("Waiting for what the task holds itself is refused, directly and through others")
    func selfDeadlock() {
        var direct = Self.machine(ownHolds: [Self.other(4)])
        _ = direct.handle(.start)
        _ = direct.handle(Self.created(5))
        #expect(
            direct.handle(.listed([Self.other(4), Self.name(5)], isWindowOpen: true))
                == [.remove(Self.name(5)), .end(.selfDeadlock)])

        // The task reads, a writer waits for it, and the task asks to read again.
        let held = Self.other(3, "__READ__")
        var through = Self.machine(shared: true, ownHolds: [held])
        _ = through.handle(.start)
        let own = Self.name(5, "__READ__")
        _ = through.handle(.created(name: own, czxid: .zero, owner: Self.session))
        #expect(
            through.handle(.listed([held, Self.other(4, "__WRIT__"), own], isWindowOpen: true))
                == [.remove(own), .end(.selfDeadlock)])

        var harmless = Self.machine(shared: true, ownHolds: [held])
        _ = harmless.handle(.start)
        _ = harmless.handle(.created(name: own, czxid: .zero, owner: Self.session))
        guard case .grant? = harmless.handle(.listed([held, own], isWindowOpen: true)).first else {
            return #expect(Bool(false), "reading twice without a writer in between is no deadlock")
        }
    }
}
