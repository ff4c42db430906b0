import ConclaveCore
import Testing

@testable import Recipes

@Suite("One attempt to be the first, as conversations")
struct FirstComeMachineTests {
    typealias Machine = FirstComeMachine

    static let session = SessionID(rawValue: 7)
    static let id = AttemptID(high: 3, low: 4)
    static let claim = Machine.Claim(zxid: Zxid(rawValue: 50), version: 9)

    static func machine(patience: AttemptPatience = .wait, isHeldByTask: Bool = false) -> Machine {
        Machine(attempt: id, session: session, patience: patience, isHeldByTask: isHeldByTask)
    }

    static func picture(
        owner: SessionID = session, data: String = id.text, created: Int64 = 50, modified: Int64 = 50
    ) -> Machine.Picture {
        .init(
            lockCreated: Zxid(rawValue: created), lockOwner: owner, parentData: Array(data.utf8),
            parentModified: Zxid(rawValue: modified), parentVersion: 9)
    }

    @Test("Nobody there: one claim, hold, release under the claim")
    func uncontended() {
        var machine = Self.machine()
        #expect(machine.handle(.start) == [.claim(Self.id)])
        #expect(machine.handle(.claimed(Self.claim, isWindowOpen: true)) == [.grant(Self.claim)])
        #expect(machine.handle(.released) == [.remove(Self.claim), .end(.released)])
    }

    @Test("Taken: wait for the holder to go, then claim again")
    func contended() {
        var machine = Self.machine()
        _ = machine.handle(.start)
        #expect(machine.handle(.taken) == [.waitForHolder])
        #expect(machine.handle(.holderGone) == [.claim(Self.id)])
        #expect(machine.handle(.taken) == [.waitForHolder])
    }

    @Test("A missing parent is made")
    func parents() {
        var machine = Self.machine()
        _ = machine.handle(.start)
        #expect(machine.handle(.failed(.noNode)) == [.makeParents])
        #expect(machine.handle(.parentsMade) == [.claim(Self.id)])
    }

    @Test("A try gives up at once and a task that holds already is told")
    func tryAndSelf() {
        var trying = Self.machine(patience: .once)
        _ = trying.handle(.start)
        #expect(trying.handle(.taken) == [.end(.busy)])
        var deadlock = Self.machine(isHeldByTask: true)
        _ = deadlock.handle(.start)
        #expect(deadlock.handle(.taken) == [.end(.selfDeadlock)])
    }

    @Test("After a lost reply the claim is recognised by session, id and transaction, all three")
    func lostReply() {
        let cases: [(Machine.Picture?, [Machine.Action])] = [
            (Self.picture(), [.grant(.init(zxid: Zxid(rawValue: 50), version: 9))]),
            (Self.picture(owner: SessionID(rawValue: 8)), [.waitForHolder]),
            (Self.picture(data: "another"), [.waitForHolder]),
            (Self.picture(modified: 51), [.waitForHolder]),
            (nil, [.claim(Self.id)]),
        ]
        for (picture, expected) in cases {
            var machine = Self.machine()
            _ = machine.handle(.start)
            #expect(machine.handle(.failed(.connectionLoss)) == [.awaitConnection])
            #expect(machine.handle(.connected) == [.inspect])
            #expect(machine.handle(.inspected(picture, isWindowOpen: true)) == expected)
        }
    }

    @Test("A closed hold window delays the grant, and a try gives the claim back")
    func windowClosed() {
        var machine = Self.machine()
        _ = machine.handle(.start)
        #expect(machine.handle(.claimed(Self.claim, isWindowOpen: false)) == [.awaitConnection])
        #expect(machine.handle(.connected) == [.inspect])
        #expect(machine.handle(.inspected(Self.picture(), isWindowOpen: true)) == [.grant(Self.claim)])
        var trying = Self.machine(patience: .once)
        _ = trying.handle(.start)
        #expect(
            trying.handle(.claimed(Self.claim, isWindowOpen: false))
                == [.remove(Self.claim), .end(.failed(.connectionLoss))])
    }

    /// A conversation that leads into each state.
    static let states: [(name: String, events: [Machine.Event])] = [
        ("idle", []),
        ("makingParents", [.start, .failed(.noNode)]),
        ("claiming", [.start]),
        ("waiting", [.start, .taken]),
        ("recovering", [.start, .failed(.connectionLoss)]),
        ("inspecting", [.start, .failed(.connectionLoss), .connected]),
        ("held", [.start, .claimed(claim, isWindowOpen: true)]),
        ("over", [.start, .cancelled]),
    ]

    static func expected(_ state: String, _ event: Machine.Event) -> [Machine.Action] {
        let mayStand = ["claiming", "recovering", "inspecting"].contains(state)
        let sweep: [Machine.Action] = mayStand ? [.sweep(id)] : []
        switch (state, event) {
        case ("over", _): return []
        case ("held", .released): return [.remove(claim), .end(.released)]
        case ("held", .windowLapsed): return [.remove(claim), .end(.lost(.windowLapsed))]
        case ("held", .ownNodeGone): return [.end(.lost(.nodeRemoved))]
        case ("held", .sessionOver), ("held", .failed(.sessionExpired)): return [.end(.lost(.sessionOver))]
        case ("held", _): return []
        case (_, .sessionOver), (_, .failed(.sessionExpired)): return [.end(.failed(.sessionExpired))]
        case (_, .cancelled): return sweep + [.end(.cancelled)]
        case (_, .deadlinePassed): return sweep + [.end(.deadlinePassed)]
        case ("idle", .start), ("makingParents", .parentsMade), ("waiting", .holderGone): return [.claim(id)]
        case ("claiming", .claimed): return [.grant(claim)]
        case ("claiming", .taken): return [.waitForHolder]
        case ("claiming", .failed(.noNode)), ("inspecting", .failed(.noNode)): return [.makeParents]
        case ("claiming", .failed(.noAuth)): return [.end(.failed(.noAuth))]
        case ("idle", .failed): return []
        case (_, .failed(.connectionLoss)): return [.awaitConnection]
        case (_, .failed(let code)): return sweep + [.end(.failed(code))]
        case ("recovering", .connected): return [.inspect]
        case ("inspecting", .inspected): return [.grant(claim)]
        default: return []
        }
    }

    @Test("Every event in every state does what the table says, and what it does not name changes nothing")
    func table() {
        let events: [Machine.Event] = [
            .start, .parentsMade, .claimed(Self.claim, isWindowOpen: true), .taken,
            .inspected(Self.picture(), isWindowOpen: true), .holderGone, .ownNodeGone, .connected,
            .failed(.connectionLoss), .failed(.noNode), .failed(.noAuth), .failed(.sessionExpired), .cancelled,
            .deadlinePassed, .released, .windowLapsed, .sessionOver(.sessionExpired),
        ]
        for (name, conversation) in Self.states {
            for event in events {
                var machine = Self.machine()
                for step in conversation { _ = machine.handle(step) }
                let before = machine.state
                #expect("\(before)".hasPrefix(name))
                let actions = machine.handle(event)
                #expect(actions == Self.expected(name, event), "\(event) in \(name)")
                if actions.isEmpty { #expect(machine.state == before, "\(event) in \(name)") }
            }
        }
    }
}
