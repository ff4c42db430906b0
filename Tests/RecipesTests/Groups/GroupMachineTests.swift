import ConclaveClient
import ConclaveCore
import Testing

@testable import Recipes

@Suite("Following a group, as conversations")
struct RosterMachineTests {
    typealias Action = StepAction<GroupChange>

    static let list = Action.request(.children("/g", watch: true))
    static let rest = Action.wait(upTo: nil)
    static let drain = Action.wait(upTo: .zero)

    static func read(_ names: String...) -> Action { .request(.watchDataOfMany(names.map { "/g/" + $0 })) }

    static func names(_ members: [GroupMember]) -> [String] { members.map(\.name) }

    static func told(_ actions: [Action]) -> GroupChange? {
        guard case .finish(let change)? = actions.first, actions.count == 1 else { return nil }
        return change
    }

    /// A machine that has told of `a` and `b` and waits.
    static func waiting() -> RosterMachine {
        var machine = RosterMachine(path: "/g")
        _ = machine.handle(.start)
        _ = machine.handle(Say.children("a", "b"))
        _ = machine.handle(Say.many(Say.node("1"), Say.node("2")))
        _ = machine.handle(.start)
        return machine
    }

    @Test("The first element is everybody; the next waits for a change")
    func first() throws {
        var machine = RosterMachine(path: "/g")
        #expect(machine.handle(.start) == [Self.list])
        #expect(machine.handle(Say.children("b", "a")) == [Self.read("a", "b")])
        let change = try #require(Self.told(machine.handle(Say.many(Say.node("1"), Say.node("2")))))
        #expect(Self.names(change.members) == ["a", "b"] && Self.names(change.joined) == ["a", "b"])
        #expect(change.left.isEmpty && change.changed.isEmpty)
        #expect(machine.handle(.start) == [Self.rest])
    }

    @Test("A group that is not there is empty, and its making is waited for")
    func missing() throws {
        var machine = RosterMachine(path: "/g")
        _ = machine.handle(.start)
        #expect(machine.handle(Say.failed(.noNode)) == [.request(.exists("/g", watch: true))])
        let change = try #require(Self.told(machine.handle(Say.answer(.exists(nil)))))
        #expect(change.isEmpty && change.members.isEmpty)
        #expect(machine.handle(.start) == [Self.rest])
        #expect(machine.handle(.changed("/g")) == [Self.drain])
        #expect(machine.handle(.elapsed) == [Self.list])
        _ = machine.handle(Say.children("a"))
        #expect(Self.told(machine.handle(Say.many(Say.node("1")))).map { Self.names($0.joined) } == ["a"])
    }

    @Test("A group that is made between the two looks is listed again")
    func madeInBetween() {
        var machine = RosterMachine(path: "/g")
        _ = machine.handle(.start)
        _ = machine.handle(Say.failed(.noNode))
        #expect(machine.handle(Say.answer(.exists(Say.stat(owner: 0)))) == [Self.list])
    }

    @Test("A burst of changes is drained and read at once; only who is new or changed is read")
    func burst() throws {
        var machine = Self.waiting()
        #expect(machine.handle(.changed("/g/b")) == [Self.drain])
        #expect(machine.handle(.changed("/g")) == [Self.drain])
        #expect(machine.handle(.changed("/g/a")) == [Self.drain])
        #expect(machine.handle(.elapsed) == [Self.list])
        #expect(machine.handle(Say.children("b", "c")) == [Self.read("b", "c")])
        let change = try #require(
            Self.told(machine.handle(Say.many(Say.node("two", version: 1), Say.node("3", czxid: 9)))))
        #expect(Self.names(change.members) == ["b", "c"] && Self.names(change.joined) == ["c"])
        #expect(Self.names(change.left) == ["a"] && change.changed.map(\.text) == ["two"])
    }

    @Test("Who leaves and joins anew between two looks is told as both")
    func anew() throws {
        var machine = Self.waiting()
        _ = machine.handle(.changed("/g/a"))
        #expect(machine.handle(.elapsed) == [Self.read("a")])
        let change = try #require(Self.told(machine.handle(Say.many(Say.node("1", czxid: 8)))))
        #expect(Self.names(change.joined) == ["a"] && Self.names(change.left) == ["a"])
        #expect(change.members.first?.incarnation == Zxid(rawValue: 8))
    }

    @Test("A heartbeat is no change")
    func beat() {
        var machine = Self.waiting()
        _ = machine.handle(.changed("/g/a"))
        _ = machine.handle(.elapsed)
        #expect(machine.handle(Say.many(Say.node("1", version: 5))) == [Self.rest])
    }

    @Test("Who goes between listing and reading has not been there")
    func goneInBetween() throws {
        var machine = RosterMachine(path: "/g")
        _ = machine.handle(.start)
        _ = machine.handle(Say.children("a", "b"))
        let change = try #require(Self.told(machine.handle(Say.many(nil, Say.node("2")))))
        #expect(Self.names(change.members) == ["b"])
    }

    @Test("A lost connection is waited out and the same request made again")
    func lostConnection() {
        var machine = RosterMachine(path: "/g")
        _ = machine.handle(.start)
        #expect(machine.handle(Say.failed(.connectionLoss)) == [.awaitConnection])
        #expect(machine.handle(.connected) == [Self.list])
        _ = machine.handle(Say.children("a"))
        #expect(machine.handle(Say.failed(.operationTimeout)) == [.awaitConnection])
        #expect(machine.handle(.connected) == [Self.read("a")])
    }

    @Test("Watches that somebody removed make it read everything anew")
    func removedWatches() {
        var machine = Self.waiting()
        #expect(machine.handle(Say.failed(.noWatcher)) == [Self.list])
        #expect(machine.handle(Say.children("a", "b")) == [Self.read("a", "b")])
    }

    @Test("Cancellation, the end of the session and refusals end it, once")
    func ends() {
        for (event, code) in [
            (StepEvent.cancelled, ZooKeeperError.Code.cancelled), (.sessionOver(.sessionExpired), .sessionExpired),
            (Say.failed(.noAuth), .noAuth),
        ] {
            var machine = Self.waiting()
            #expect(machine.handle(event) == [.fail(StepFailure(code, at: "/g"))])
            #expect(machine.handle(.changed("/g")) == [] && machine.handle(.connected) == [])
        }
    }
}

@Suite("Joining a group, as conversations")
struct JoinMachineTests {
    typealias Action = StepAction<Zxid>

    static let session = SessionID(rawValue: 7)
    static let create = Action.request(.write([.create("/g/a", [1], mode: .ephemeral)]))
    static let examine = Action.request(.exists("/g/a", watch: true))

    static func machine(
        _ patience: AttemptPatience = .wait, leftovers: JoinMachine.Leftovers = .respect
    ) -> JoinMachine {
        JoinMachine(
            parent: "/g", name: "a", data: [1], session: session, patience: patience, leftovers: leftovers)
    }

    static func created(_ czxid: Int64) -> StepEvent {
        Say.answer(.written([.created(path: "/g/a", stat: Say.stat(owner: 7, czxid: czxid))]))
    }

    static func fails(_ actions: [Action], _ code: ZooKeeperError.Code, disowning: Bool) -> Bool {
        guard case .fail(let failure)? = actions.last, failure.code == code else { return false }
        return Array(actions.dropLast()) == (disowning ? [.disown("/g/a")] : [])
    }

    @Test("One request, and the parent is made where it is missing")
    func plain() {
        var machine = Self.machine()
        #expect(machine.handle(.start) == [Self.create])
        #expect(machine.handle(Say.failed(.noNode)) == [.request(.makeParents("/g", .container))])
        #expect(machine.handle(Say.answer(.done)) == [Self.create])
        #expect(machine.handle(Self.created(5)) == [.finish(Zxid(rawValue: 5))])
        #expect(machine.handle(.cancelled) == [])
    }

    @Test("A name that another session has is waited for, by one watch")
    func taken() {
        var machine = Self.machine()
        _ = machine.handle(.start)
        #expect(machine.handle(Say.failed(.nodeExists)) == [Self.examine])
        #expect(machine.handle(Say.answer(.exists(Say.stat(owner: 8)))) == [.wait(upTo: nil)])
        #expect(machine.handle(.changed("/g/a")) == [Self.create])
        _ = machine.handle(Say.failed(.nodeExists))
        // Gone meanwhile: made at once.
        #expect(machine.handle(Say.answer(.exists(nil))) == [Self.create])
    }

    @Test("An impatient attempt does not wait")
    func refused() {
        var once = Self.machine(.once)
        _ = once.handle(.start)
        _ = once.handle(Say.failed(.nodeExists))
        #expect(Self.fails(once.handle(Say.answer(.exists(Say.stat(owner: 8)))), .nodeExists, disowning: false))
    }

    @Test("A leftover of the own session is waited for: whoever left it removes it")
    func ownLeftover() {
        var machine = Self.machine()
        _ = machine.handle(.start)
        _ = machine.handle(Say.failed(.nodeExists))
        #expect(machine.handle(Say.answer(.exists(Say.stat(owner: 7)))) == [.wait(upTo: nil)])
        #expect(machine.handle(.changed("/g/a")) == [Self.create])
    }

    @Test("After a lost answer the node is looked for after a sync; the own session's is ours, another's is not")
    func lostAnswer() {
        for (owner, action) in [(Int64(7), Action.finish(Zxid(rawValue: 3))), (8, .wait(upTo: nil))] {
            var machine = Self.machine()
            _ = machine.handle(.start)
            #expect(machine.handle(Say.failed(.connectionLoss)) == [.awaitConnection])
            #expect(machine.handle(.connected) == [.request(.sync("/g/a"))])
            #expect(machine.handle(Say.answer(.done)) == [Self.examine])
            #expect(machine.handle(Say.answer(.exists(Say.stat(owner: owner, czxid: 3)))) == [action])
        }
    }

    @Test("Given up while a node may be there, the node is disowned; else nothing is touched")
    func withdrawn() {
        for event in [StepEvent.cancelled, .deadlinePassed] {
            let code: ZooKeeperError.Code = event == .cancelled ? .cancelled : .deadlineExceeded
            var creating = Self.machine()
            _ = creating.handle(.start)
            #expect(Self.fails(creating.handle(event), code, disowning: true))
            var recovering = Self.machine()
            _ = recovering.handle(.start)
            _ = recovering.handle(Say.failed(.connectionLoss))
            #expect(Self.fails(recovering.handle(event), code, disowning: true))
            var waiting = Self.machine()
            _ = waiting.handle(.start)
            _ = waiting.handle(Say.failed(.nodeExists))
            _ = waiting.handle(Say.answer(.exists(Say.stat(owner: 8))))
            #expect(Self.fails(waiting.handle(event), code, disowning: false))
        }
        var over = Self.machine()
        _ = over.handle(.start)
        #expect(Self.fails(over.handle(.sessionOver(.sessionExpired)), .sessionExpired, disowning: false))
    }

    @Test("A leftover that belongs to nobody is replaced in one transaction, if asked")
    func leftovers() {
        var machine = Self.machine(leftovers: .replace)
        _ = machine.handle(.start)
        _ = machine.handle(Say.failed(.nodeExists))
        let replace = Action.request(
            .write([.delete("/g/a", version: 4), .create("/g/a", [1], mode: .ephemeral)]))
        #expect(machine.handle(Say.answer(.exists(Say.stat(owner: 0, version: 4)))) == [replace])
        #expect(
            machine.handle(Say.answer(.written([.deleted, .created(path: "/g/a", stat: nil)]))) == [Self.examine])
        #expect(
            machine.handle(Say.answer(.exists(Say.stat(owner: 7, czxid: 6)))) == [.finish(Zxid(rawValue: 6))])
        var respectful = Self.machine()
        _ = respectful.handle(.start)
        _ = respectful.handle(Say.failed(.nodeExists))
        #expect(respectful.handle(Say.answer(.exists(Say.stat(owner: 0)))) == [.wait(upTo: nil)])
    }

    @Test("Parents that vanish again and again end the attempt after the limit")
    func limit() {
        var machine = Self.machine()
        _ = machine.handle(.start)
        for _ in 0..<JoinMachine.retryLimit {
            _ = machine.handle(Say.failed(.noNode))
            #expect(machine.handle(Say.answer(.done)) == [Self.create])
        }
        #expect(Self.fails(machine.handle(Say.failed(.noNode)), .noNode, disowning: false))
    }
}

@Suite("Watching over the own node, as conversations")
struct PresenceMachineTests {
    static let look = StepAction<Void>.request(.children("/g/a", watch: true))

    static func words(_ actions: [StepAction<Void>]) -> [String] { actions.map { "\($0)" } }

    @Test("It waits while the node is the same, and finishes when there is none or another")
    func conversation() {
        for last in [Say.failed(.noNode), Say.children(czxid: 2)] {
            var machine = PresenceMachine(path: "/g/a", incarnation: Zxid(rawValue: 1))
            #expect(Self.words(machine.handle(.start)) == Self.words([Self.look]))
            #expect(Self.words(machine.handle(Say.children())) == Self.words([.wait(upTo: nil)]))
            #expect(Self.words(machine.handle(.changed("/g/a"))) == Self.words([Self.look]))
            #expect(Self.words(machine.handle(Say.failed(.connectionLoss))) == Self.words([.awaitConnection]))
            #expect(Self.words(machine.handle(.connected)) == Self.words([Self.look]))
            #expect(Self.words(machine.handle(last)) == Self.words([.finish(())]))
            #expect(machine.state == .over && machine.handle(.changed("/g/a")).isEmpty)
        }
    }
}
