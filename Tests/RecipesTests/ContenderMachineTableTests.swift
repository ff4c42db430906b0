import ConclaveCore
import Testing

@testable import Recipes

/// Every event in every state: what leads on is in the tables of expectations, everything else must change nothing.
@Suite("One attempt in a queue: every event in every state")
struct ContenderMachineTableTests {
    typealias Machine = ContenderMachine
    typealias Base = ContenderMachineTests

    static let own = Base.name(5)
    static let ahead = Base.other(4)

    /// A conversation that leads into each state.
    static let states: [(name: String, events: [Machine.Event])] = [
        ("idle", []),
        ("makingParents", [.start, .failed(.noNode)]),
        ("creating", [.start]),
        ("recovering", [.start, .failed(.connectionLoss)]),
        ("finding", [.start, .failed(.connectionLoss), .connected]),
        ("examining", [.start, .failed(.connectionLoss), .connected, .listed([own], isWindowOpen: true)]),
        ("listing", [.start, Base.created(5)]),
        ("waiting", [.start, Base.created(5), .listed([own, ahead], isWindowOpen: true)]),
        ("suspended", [.start, Base.created(5), .failed(.connectionLoss)]),
        ("held", [.start, Base.created(5), .listed([own], isWindowOpen: true)]),
        ("over", [.start, .cancelled]),
    ]

    static let events: [Machine.Event] = [
        .start, .parentsMade, Base.created(5), .listed([own], isWindowOpen: true),
        .examined(czxid: Zxid(rawValue: 100), owner: Base.session), .predecessorGone, .ownNodeGone, .connected,
        .failed(.connectionLoss), .failed(.noNode), .failed(.noAuth), .failed(.sessionExpired), .failed(.cancelled),
        .cancelled, .deadlinePassed, .released, .windowLapsed, .sessionOver(.sessionExpired),
    ]

    static func isTable(_ state: String, _ event: Machine.Event) -> [Machine.Action] {
        let id = Base.id
        let expired: [Machine.Action] = [.end(.failed(.sessionExpired))]
        func gaveUp(_ before: [Machine.Action], _ ending: AttemptEnding) -> [Machine.Action] { before + [.end(ending)] }
        let sweep: [Machine.Action] = [.sweep(id)]
        let remove: [Machine.Action] = [.remove(own)]
        switch (state, event) {
        case ("over", _): return []
        case ("held", .released): return remove + [.end(.released)]
        case ("held", .windowLapsed): return remove + [.end(.lost(.windowLapsed))]
        case ("held", .sessionOver), ("held", .failed(.sessionExpired)): return [.end(.lost(.sessionOver))]
        case ("held", .ownNodeGone): return [.end(.lost(.nodeRemoved))]
        case ("held", _): return []
        case (_, .sessionOver), (_, .failed(.sessionExpired)): return expired
        case ("idle", .cancelled), ("idle", .failed(.cancelled)), ("makingParents", .cancelled),
            ("makingParents", .failed(.cancelled)):
            return gaveUp([], .cancelled)
        case ("idle", .deadlinePassed), ("makingParents", .deadlinePassed): return gaveUp([], .deadlinePassed)
        case ("creating", .cancelled), ("creating", .failed(.cancelled)), ("recovering", .cancelled),
            ("recovering", .failed(.cancelled)), ("finding", .cancelled), ("finding", .failed(.cancelled)),
            ("examining", .cancelled), ("examining", .failed(.cancelled)):
            return gaveUp(sweep, .cancelled)
        case ("creating", .deadlinePassed), ("recovering", .deadlinePassed), ("finding", .deadlinePassed),
            ("examining", .deadlinePassed):
            return gaveUp(sweep, .deadlinePassed)
        case (_, .cancelled), (_, .failed(.cancelled)): return gaveUp(remove, .cancelled)
        case (_, .deadlinePassed): return gaveUp(remove, .deadlinePassed)
        case ("idle", .start), ("makingParents", .parentsMade): return [.create(id)]
        case ("makingParents", .failed(.connectionLoss)), ("creating", .failed(.connectionLoss)),
            ("recovering", .failed(.connectionLoss)), ("finding", .failed(.connectionLoss)),
            ("examining", .failed(.connectionLoss)), ("listing", .failed(.connectionLoss)),
            ("waiting", .failed(.connectionLoss)), ("suspended", .failed(.connectionLoss)):
            return [.awaitConnection]
        case ("makingParents", .failed(let code)): return [.end(.failed(code))]
        case ("creating", .created): return [.list]
        case ("creating", .failed(.noNode)), ("finding", .failed(.noNode)): return [.makeParents]
        case ("creating", .failed(let code)): return [.end(.failed(code))]
        case ("recovering", .connected): return [.find]
        case ("recovering", .failed(.noNode)), ("examining", .failed(.noNode)): return sweep + [.create(id.next)]
        case ("recovering", .failed(let code)), ("finding", .failed(let code)), ("examining", .failed(let code)):
            return sweep + [.end(.failed(code))]
        case ("finding", .listed): return [.examine(own)]
        case ("examining", .examined): return [.list]
        case ("examining", .ownNodeGone), ("listing", .ownNodeGone), ("waiting", .ownNodeGone),
            ("suspended", .ownNodeGone), ("listing", .failed(.noNode)), ("waiting", .failed(.noNode)),
            ("suspended", .failed(.noNode)):
            return [.create(id.next)]
        case ("listing", .listed): return [.grant(Base.node(5))]
        case ("listing", .failed(let code)), ("waiting", .failed(let code)), ("suspended", .failed(let code)):
            return remove + [.end(.failed(code))]
        case ("waiting", .predecessorGone), ("suspended", .connected): return [.list]
        default: return []
        }
    }

    @Test("Each pair does what the table says, and what it does not name changes nothing", arguments: states.indices)
    func table(_ index: Int) {
        let (name, conversation) = Self.states[index]
        for event in Self.events {
            var machine = Base.machine()
            for step in conversation { _ = machine.handle(step) }
            let before = machine.state
            #expect("\(before)".hasPrefix(name))
            let actions = machine.handle(event)
            #expect(actions == Self.isTable(name, event), "\(event) in \(name)")
            if actions.isEmpty { #expect(machine.state == before, "\(event) in \(name)") }
            if case .end(let ending)? = actions.last { #expect(machine.state == .over(ending)) }
        }
    }

    @Test("A stranger's node is never taken for the own one, in the answer to a create and when examined")
    func stranger() {
        let stranger = SessionID(rawValue: 8)
        var creating = Base.machine()
        _ = creating.handle(.start)
        #expect(
            creating.handle(.created(name: Self.own, czxid: .zero, owner: stranger)) == [.create(Base.id.next)])
        var examining = Base.machine()
        for event in Self.states[5].events { _ = examining.handle(event) }
        #expect(examining.handle(.examined(czxid: .zero, owner: stranger)) == [.create(Base.id.next)])
    }
}
