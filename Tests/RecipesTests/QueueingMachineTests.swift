import ConclaveClient
import ConclaveCore
import Testing

@testable import Recipes

/// What an attempt asks for on its way from nothing to a grant, as conversations.
@Suite("Queueing, the machine")
struct QueueingMachineTests {
    typealias Action = StepAction<QueueingMachine.Output>

    static let session = SessionID(rawValue: 7)
    static let attempt = AttemptID(high: 1, low: 2)
    static let czxid = Zxid(rawValue: 40)

    static func machine(
        _ kind: ContenderKind = .lock, patience: AttemptPatience = .wait, delay: Duration? = nil,
        lookInterval: Duration? = nil
    ) -> QueueingMachine {
        QueueingMachine(
            .init(path: "/l", kind: kind, patience: patience, delay: delay, lookInterval: lookInterval),
            attempt: attempt, session: session)
    }

    static func name(_ number: Int, _ attempt: AttemptID = attempt) -> String {
        let digits = String(number)
        return "_c_\(attempt.text)-lock-" + String(repeating: "0", count: 10 - digits.count) + digits
    }

    static func stat(version: Int32 = 0, ctime: Int64 = 0, mtime: Int64 = 0) -> Stat {
        var stat = Stat.fresh
        stat.czxid = czxid
        stat.version = version
        stat.ctime = ctime
        stat.mtime = mtime
        stat.ephemeralOwner = session
        return stat
    }

    static func created(_ number: Int, _ attempt: AttemptID = attempt) -> StepEvent {
        .answered(.written([.created(path: "/l/" + name(number, attempt), stat: stat())]), isWindowOpen: true)
    }

    static func listed(_ names: [String]) -> StepEvent {
        .answered(.children(Children(names: names, stat: .fresh)), isWindowOpen: true)
    }

    static func exists(_ stat: Stat?) -> StepEvent { .answered(.exists(stat), isWindowOpen: true) }

    static func create(_ attempt: AttemptID = attempt) -> Action {
        .request(.write([.create("/l/_c_\(attempt.text)-lock-", [], mode: .ephemeralSequential)]))
    }

    static let list = Action.request(.children("/l"))

    static func place(_ number: Int, marker: String? = nil) throws -> Action {
        let name = try #require(ContenderName(name(number)))
        return .finish(.place(.init(node: .init(name: name, czxid: czxid), marker: marker)))
    }

    /// Behind somebody, with both watches armed.
    static func waiting(_ machine: inout QueueingMachine) {
        _ = machine.handle(.start)
        _ = machine.handle(created(5))
        #expect(machine.handle(listed(["a-lock-0000000004", name(5)])) == [watch("a-lock-0000000004")])
        #expect(machine.handle(exists(stat())) == [watch(name(5))])
    }

    static func watch(_ name: String) -> Action { .request(.exists("/l/" + name, watch: true)) }

    @Test("Without anybody else it takes a create and a list")
    func alone() throws {
        var machine = Self.machine()
        #expect(machine.handle(.start) == [Self.create()])
        #expect(machine.handle(Self.created(0)) == [Self.list])
        #expect(machine.handle(Self.listed([Self.name(0)])) == [try Self.place(0)])
        #expect(machine.handle(.cancelled) == [])
    }

    @Test("Two watches and a wait behind somebody; the own node's stays armed from wait to wait")
    func behind() throws {
        var machine = Self.machine()
        Self.waiting(&machine)
        #expect(machine.handle(Self.exists(Self.stat())) == [.wait(upTo: nil)])
        #expect(machine.watchedPath == "/l/" + Self.name(5))
        #expect(machine.handle(.changed("/l/a-lock-0000000004")) == [Self.list])
        #expect(
            machine.handle(Self.listed(["b-lock-0000000003", Self.name(5)])) == [Self.watch("b-lock-0000000003")])
        #expect(machine.handle(Self.exists(Self.stat())) == [.wait(upTo: nil)])
        #expect(machine.handle(.changed("/l/b-lock-0000000003")) == [Self.list])
        #expect(machine.handle(Self.listed([Self.name(5)])) == [try Self.place(5)])
    }

    @Test("What was written to the own node between the listing and the watch leads to another listing")
    func written() {
        var machine = Self.machine()
        Self.waiting(&machine)
        #expect(machine.handle(Self.exists(Self.stat(version: 1))) == [Self.list])
        _ = machine.handle(Self.listed(["a-lock-0000000004", Self.name(5)]))
        #expect(machine.handle(Self.exists(Self.stat())) == [.wait(upTo: nil)])
    }

    @Test("A try that met somebody has deleted its node before it says so", arguments: [true, false])
    func busy(_ isAnswered: Bool) {
        var machine = Self.machine(patience: .once)
        #expect(machine.handle(.start) == [Self.list])
        #expect(machine.handle(Self.listed([])) == [Self.create()])
        #expect(machine.handle(Self.created(5)) == [Self.list])
        let delete = Operation.delete("/l/" + Self.name(5))
        #expect(
            machine.handle(Self.listed(["a-lock-0000000004", Self.name(5)])) == [.request(.write([delete]))])
        if isAnswered {
            #expect(machine.handle(.answered(.written([.deleted]), isWindowOpen: true)) == [.finish(.busy)])
        } else {
            #expect(machine.handle(.failed(.connectionLoss, at: nil)) == [.clean([delete]), .finish(.busy)])
        }
    }

    @Test("Whoever wants to know its place looks now and then, also when a look fails")
    func position() {
        var machine = Self.machine(lookInterval: .seconds(1))
        Self.waiting(&machine)
        #expect(machine.position == QueuePosition(ahead: 1, total: 2))
        #expect(machine.handle(Self.exists(Self.stat())) == [.wait(upTo: .seconds(1))])
        #expect(machine.handle(.elapsed) == [Self.list])
        let names = ["a-lock-0000000004", Self.name(5), "z-lock-0000000006"]
        #expect(machine.handle(Self.listed(names)) == [.wait(upTo: .seconds(1))])
        #expect(machine.position == QueuePosition(ahead: 1, total: 3))
        #expect(machine.handle(.elapsed) == [Self.list])
        #expect(machine.handle(.failed(.throttled, at: "/l")) == [.wait(upTo: .seconds(1))])
        #expect(machine.handle(.changed("/l/a-lock-0000000004")) == [Self.list])
    }

    @Test("A hold with a delay leaves its marker before it is granted")
    func marker() throws {
        var machine = Self.machine(delay: .seconds(2))
        _ = machine.handle(.start)
        _ = machine.handle(Self.created(0))
        let marker = "/l/_c_\(Self.attempt.text)-held-2000ms"
        #expect(
            machine.handle(Self.listed([Self.name(0)])) == [
                .request(.write([.check("/l/" + Self.name(0)), .create(marker, [], mode: .persistent)]))
            ])
        let written = StepAnswer.written([.checked, .created(path: marker, stat: nil)])
        #expect(machine.handle(.answered(written, isWindowOpen: true)) == [try Self.place(0, marker: marker)])
    }

    @Test("Who loses its node on the last step queues again, under another id")
    func removed() {
        var machine = Self.machine(delay: .seconds(2))
        _ = machine.handle(.start)
        _ = machine.handle(Self.created(0))
        _ = machine.handle(Self.listed([Self.name(0)]))
        let actions = machine.handle(.failed(.noNode, at: "/l/" + Self.name(0)))
        #expect(actions.last == Self.create(Self.attempt.next.next))
        #expect(machine.handle(Self.created(1, Self.attempt.next.next)) == [Self.list])
    }

    @Test("What ends a wait is told with its reason, and nothing is left", arguments: [true, false])
    func withdrawn(_ isDeadline: Bool) {
        var machine = Self.machine()
        Self.waiting(&machine)
        _ = machine.handle(Self.exists(Self.stat()))
        let actions = machine.handle(isDeadline ? .deadlinePassed : .cancelled)
        #expect(actions.first == .clean([.delete("/l/" + Self.name(5))]))
        guard case .fail(let failure)? = actions.last else {
            Issue.record("does not fail")
            return
        }
        #expect(failure.code == (isDeadline ? .deadlineExceeded : .cancelled))
        #expect(failure.message != nil)
    }
}
