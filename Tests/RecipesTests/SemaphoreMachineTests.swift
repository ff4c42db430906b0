import ConclaveClient
import ConclaveCore
import Testing

@testable import Recipes

@Suite("One attempt at a semaphore, as conversations")
struct SemaphoreMachineTests {
    typealias Machine = SemaphoreMachine
    typealias Action = StepAction<Machine.Output>

    static let session = SessionID(rawValue: 7)
    static let id = AttemptID(high: 1, low: 2)
    static let plan = SemaphorePlan(path: "/s", limit: .fixed(2), identity: [9])
    static let shared = SemaphorePlan(path: "/s", limit: .shared("/limit", initially: 2))

    static func queueName(_ number: Int32, id: AttemptID = id) -> String {
        ContenderMachineTests.name(number, id: id)
    }

    static func own(_ number: Int32, id: AttemptID = id) -> String { "/s/locks/" + queueName(number, id: id) }

    static func lease(_ number: Int32, id: AttemptID = id) -> String {
        ContenderMachineTests.name(number, "lease-", id: id)
    }

    static func stat(_ czxid: Int64 = 100, owner: SessionID = session, version: Int32 = 0) -> Stat {
        Stat(
            czxid: Zxid(rawValue: czxid), mzxid: Zxid(rawValue: czxid), ctime: 0, mtime: 0, version: version,
            cversion: 0, aversion: 0, ephemeralOwner: owner, dataLength: 0, numChildren: 0,
            pzxid: Zxid(rawValue: czxid))
    }

    static func other(_ number: Int32) -> AttemptID { AttemptID(high: 99, low: UInt64(number)) }

    static func queued(_ number: Int32, id: AttemptID = id) -> StepEvent {
        .answered(.written([.created(path: own(number, id: id), stat: stat())]), isWindowOpen: true)
    }

    static func picture(_ queue: [String], _ leases: [String], _ limit: NodeData? = nil) -> StepEvent {
        .answered(
            .read([.children(queue), .children(leases)] + (limit.map { [.data($0)] } ?? [])), isWindowOpen: true)
    }

    static func machine(_ plan: SemaphorePlan = plan, patience: AttemptPatience = .wait) -> Machine {
        Machine(plan, attempt: id, session: session, patience: patience)
    }

    static let look: [Action] = [.request(.read([.children("/s/locks"), .children("/s/leases")]))]
    static let taking: [Action] = [
        .request(
            .write([
                .delete(own(5)), .create("/s/leases/" + lease(5), [9], mode: .ephemeral),
                .setData("/s/leases/" + lease(5), [9]),
            ]))
    ]

    static func taken(czxid: Int64 = 200, isWindowOpen: Bool = true) -> StepEvent {
        .answered(
            .written([
                .deleted, .created(path: "/s/leases/" + lease(5), stat: nil), .dataSet(stat(czxid)),
            ]), isWindowOpen: isWindowOpen)
    }

    static let granted: [Action] = [
        .finish(.granted(.init(paths: ["/s/leases/" + lease(5)], czxid: Zxid(rawValue: 200))))
    ]

    @Test("Room and nobody before it: queue, look, take in one transaction")
    func uncontended() {
        var machine = Self.machine()
        #expect(
            machine.handle(.start) == [
                .request(
                    .write([.create("/s/locks/_c_\(Self.id.text)-lock-", [9], mode: .ephemeralSequential)]))
            ])
        #expect(machine.handle(Self.queued(5)) == Self.look)
        #expect(machine.handle(Self.picture([Self.queueName(5)], ["x"])) == Self.taking)
        #expect(machine.handle(Self.taken()) == Self.granted)
        #expect(machine.handle(.cancelled).isEmpty)
    }

    @Test("Missing parents are made, both at the first time, that of the leases again when a server has removed it")
    func parents() {
        var machine = Self.machine()
        let queue = machine.handle(.start)
        #expect(
            machine.handle(.failed(.noNode, at: "/s/locks/x")) == [.request(.makeParents("/s/locks", .container))])
        #expect(
            machine.handle(.answered(.done, isWindowOpen: true))
                == [.request(.makeParents("/s/leases", .container))])
        #expect(machine.handle(.answered(.done, isWindowOpen: true)) == queue)
        _ = machine.handle(Self.queued(5))
        let half = StepEvent.answered(
            .read([.children([Self.queueName(5)]), .failed(.noNode)]), isWindowOpen: true)
        #expect(machine.handle(half) == Self.taking)
        #expect(
            machine.handle(.failed(.noNode, at: "/s/leases/x")) == [.request(.makeParents("/s/leases", .container))])
        #expect(machine.handle(.answered(.done, isWindowOpen: true)) == Self.look)
    }

    @Test("Behind another: watch that one and the own node, nothing else; look after every event")
    func queue() {
        var machine = Self.machine()
        _ = machine.handle(.start)
        _ = machine.handle(Self.queued(5))
        let before = Self.queueName(4, id: Self.other(4))
        let queue = [before, Self.queueName(2, id: Self.other(2)), Self.queueName(5)]
        #expect(machine.handle(Self.picture(queue, [])) == [.request(.exists("/s/locks/" + before, watch: true))])
        #expect(
            machine.handle(.answered(.exists(Self.stat()), isWindowOpen: true))
                == [.request(.exists(Self.own(5), watch: true))])
        #expect(machine.handle(.answered(.exists(Self.stat()), isWindowOpen: true)) == [.wait(upTo: nil)])
        #expect(machine.handle(.changed("/s/locks/" + before)) == Self.look)
        #expect(machine.handle(Self.picture([Self.queueName(5)], [])) == Self.taking)
    }

    @Test("First, but no room: the leases are watched, and one that comes back is taken")
    func full() {
        var machine = Self.machine()
        _ = machine.handle(.start)
        _ = machine.handle(Self.queued(5))
        let full = Self.picture([Self.queueName(5)], ["a", "b"])
        #expect(machine.handle(full) == [.request(.children("/s/leases", watch: true))])
        let two = StepAnswer.children(Children(names: ["a", "b"], stat: Self.stat()))
        #expect(
            machine.handle(.answered(two, isWindowOpen: true)) == [.request(.exists(Self.own(5), watch: true))])
        #expect(machine.handle(.answered(.exists(Self.stat()), isWindowOpen: true)) == [.wait(upTo: nil)])
        #expect(machine.handle(.changed("/s/leases")) == Self.look)
        #expect(machine.handle(full) == [.request(.children("/s/leases", watch: true))])
        // One has come back between the look and the watch.
        let one = StepAnswer.children(Children(names: ["a"], stat: Self.stat()))
        #expect(machine.handle(.answered(one, isWindowOpen: true)) == Self.look)
    }

    @Test("A limit in a node is watched too, is made when it is missing, and is checked by the transaction")
    func sharedLimit() {
        var machine = Self.machine(Self.shared)
        let look: [Action] = [.request(.read(Self.shared.looks))]
        _ = machine.handle(.start)
        #expect(machine.handle(Self.queued(5)) == look)
        let none = StepEvent.answered(
            .read([.children([Self.queueName(5)]), .children([]), .failed(.noNode)]), isWindowOpen: true)
        #expect(
            machine.handle(none)
                == [.request(.write([.create("/limit", [0, 0, 0, 2], mode: .persistent)]))])
        #expect(machine.handle(.failed(.nodeExists, at: "/limit")) == look)
        let limit = NodeData(data: [0, 0, 0, 1], stat: Self.stat(version: 3))
        #expect(
            machine.handle(Self.picture([Self.queueName(5)], ["a"], limit))
                == [.request(.children("/s/leases", watch: true))])
        let leases = StepAnswer.children(Children(names: ["a"], stat: Self.stat()))
        #expect(machine.handle(.answered(leases, isWindowOpen: true)) == [.request(.data("/limit", watch: true))])
        #expect(
            machine.handle(.answered(.data(limit), isWindowOpen: true))
                == [.request(.exists(Self.own(5), watch: true))])
        _ = machine.handle(.answered(.exists(Self.stat()), isWindowOpen: true))
        #expect(machine.handle(.changed("/limit")) == look)
        let raised = NodeData(data: [0, 0, 0, 2], stat: Self.stat(version: 4))
        guard
            case .request(.write(let operations))? = machine.handle(
                Self.picture([Self.queueName(5)], ["a"], raised)
            ).first
        else { return #expect(Bool(false), "not taken") }
        #expect(operations.last == .check("/limit", version: 4))
        #expect(machine.handle(.failed(.badVersion, at: "/limit")) == look)
    }

    @Test("A limit that is not four bytes is refused, and the node in the queue goes")
    func badLimit() {
        var machine = Self.machine(Self.shared)
        _ = machine.handle(.start)
        _ = machine.handle(Self.queued(5))
        let actions = machine.handle(
            Self.picture([Self.queueName(5)], [], NodeData(data: [1], stat: Self.stat())))
        guard case .fail(let failure)? = actions.last else { return #expect(Bool(false), "\(actions)") }
        #expect(failure.code == .badConfiguration)
        #expect(actions.first == .clean([.delete(Self.own(5))]))
    }

    @Test("Several leases: taken together once there is room for all")
    func permits() {
        let plan = SemaphorePlan(path: "/s", limit: .fixed(3), permits: 2)
        var machine = Self.machine(plan)
        _ = machine.handle(.start)
        _ = machine.handle(Self.queued(5))
        #expect(
            machine.handle(Self.picture([Self.queueName(5)], ["a", "b"]))
                == [.request(.children("/s/leases", watch: true))])
        _ = machine.handle(
            .answered(.children(Children(names: ["a"], stat: Self.stat())), isWindowOpen: true))
        guard
            case .request(.write(let operations))? = machine.handle(Self.picture([Self.queueName(5)], ["a"])).first
        else { return #expect(Bool(false), "not taken") }
        #expect(operations.count == 4)
        #expect(Set(operations.map(\.path)).count == 3)
        let result = StepAnswer.written([
            .deleted, .created(path: "1", stat: nil), .created(path: "2", stat: nil), .dataSet(Self.stat(200)),
        ])
        let paths = plan.leaseNodes(of: Self.id, number: 5)
        #expect(
            machine.handle(.answered(result, isWindowOpen: true))
                == [.finish(.granted(.init(paths: paths, czxid: Zxid(rawValue: 200))))])
    }

    @Test("After a lost answer: leases that are there are ours, a node in the queue goes on, nothing begins anew")
    func lostAnswer() {
        func lost() -> Machine {
            var machine = Self.machine()
            _ = machine.handle(.start)
            _ = machine.handle(Self.queued(5))
            _ = machine.handle(Self.picture([Self.queueName(5)], []))
            #expect(machine.handle(.failed(.connectionLoss, at: nil)) == [.awaitConnection])
            #expect(machine.handle(.connected) == [.request(.sync("/s/locks"))])
            #expect(machine.handle(.answered(.done, isWindowOpen: true)) == Self.look)
            return machine
        }
        var performed = lost()
        let path = "/s/leases/" + Self.lease(5)
        #expect(performed.handle(Self.picture([], [Self.lease(5)])) == [.request(.exists(path))])
        #expect(performed.handle(.answered(.exists(Self.stat(200)), isWindowOpen: true)) == Self.granted)

        var waiting = lost()
        #expect(waiting.handle(Self.picture([Self.queueName(5)], [])) == [.request(.exists(Self.own(5)))])
        #expect(waiting.handle(.answered(.exists(Self.stat()), isWindowOpen: true)) == Self.look)

        var gone = lost()
        #expect(gone.handle(Self.picture([], [])) == Self.startAgain(Self.id))
    }

    static func startAgain(_ id: AttemptID) -> [Action] {
        [.request(.write([.create("/s/locks/_c_\(id.text)-lock-", [9], mode: .ephemeralSequential)]))]
    }

    @Test("A node of another session is not taken for the own one")
    func stranger() {
        var machine = Self.machine()
        _ = machine.handle(.start)
        _ = machine.handle(.failed(.connectionLoss, at: nil))
        _ = machine.handle(.connected)
        _ = machine.handle(.answered(.done, isWindowOpen: true))
        _ = machine.handle(Self.picture([Self.queueName(5)], []))
        #expect(
            machine.handle(.answered(.exists(Self.stat(owner: SessionID(rawValue: 8))), isWindowOpen: true))
                == Self.startAgain(Self.id.next))
    }

    @Test("Who was removed from the queue queues again, under a new id, and gives up after the limit")
    func removed() {
        var machine = Self.machine()
        _ = machine.handle(.start)
        for _ in 0..<ContenderMachine.retryLimit {
            _ = machine.handle(Self.queued(5, id: machine.attempt))
            #expect(machine.handle(Self.picture([], [])) == Self.startAgain(machine.attempt))
        }
        _ = machine.handle(Self.queued(5, id: machine.attempt))
        guard case .fail(let failure)? = machine.handle(Self.picture([], [])).last else {
            return #expect(Bool(false), "goes on for ever")
        }
        #expect(failure.code == .noNode)
    }

    @Test("Leases are not handed out while the hold window is closed")
    func window() {
        var machine = Self.machine()
        _ = machine.handle(.start)
        _ = machine.handle(Self.queued(5))
        _ = machine.handle(Self.picture([Self.queueName(5)], []))
        #expect(machine.handle(Self.taken(isWindowOpen: false)) == [.awaitConnection])
        _ = machine.handle(.connected)
        _ = machine.handle(.answered(.done, isWindowOpen: true))
        _ = machine.handle(Self.picture([], [Self.lease(5)]))
        #expect(machine.handle(.answered(.exists(Self.stat(200)), isWindowOpen: true)) == Self.granted)
    }

    @Test("A try looks first, leaves at once when it is overtaken, and waits for nothing")
    func tries() {
        var busy = Self.machine(patience: .once)
        #expect(busy.handle(.start) == Self.look)
        #expect(busy.handle(Self.picture([], ["a", "b"])) == [.finish(.busy)])
        var queued = Self.machine(patience: .once)
        _ = queued.handle(.start)
        #expect(queued.handle(Self.picture(["x-lock-0000000001"], [])) == [.finish(.busy)])
        var overtaken = Self.machine(patience: .once)
        _ = overtaken.handle(.start)
        _ = overtaken.handle(Self.picture([], ["a"]))
        _ = overtaken.handle(Self.queued(5))
        #expect(
            overtaken.handle(Self.picture([Self.queueName(5)], ["a", "b"]))
                == [.request(.write([.delete(Self.own(5))]))])
        #expect(overtaken.handle(.answered(.written([.deleted]), isWindowOpen: true)) == [.finish(.busy)])
    }

    @Test("Cancelled in any state: what is known is deleted, what may be there is looked for")
    func cancelled() {
        var waiting = Self.machine()
        _ = waiting.handle(.start)
        #expect(
            Array(waiting.handle(.cancelled).prefix(2)) == [
                .sweep(below: "/s/locks", mark: Self.id.text), .sweep(below: "/s/leases", mark: Self.id.text),
            ])
        var known = Self.machine()
        _ = known.handle(.start)
        _ = known.handle(Self.queued(5))
        #expect(known.handle(.deadlinePassed).first == .clean([.delete(Self.own(5))]))
        var expired = Self.machine()
        _ = expired.handle(.start)
        #expect(expired.handle(.sessionOver(.sessionExpired)) == [.fail(StepFailure(.sessionExpired))])
    }

    @Test("A task whose own leases are in its way is told")
    func selfDeadlock() {
        var machine = Machine(
            Self.plan, attempt: Self.id, session: Self.session,
            ownLeases: ["/s/leases/a-lease-0000000001", "/s/leases/b-lease-0000000002"])
        _ = machine.handle(.start)
        _ = machine.handle(Self.queued(5))
        let names = ["a-lease-0000000001", "b-lease-0000000002"]
        #expect(
            machine.handle(Self.picture([Self.queueName(5)], names))
                == [.request(.write([.delete(Self.own(5))]))])
        #expect(
            machine.handle(.answered(.written([.deleted]), isWindowOpen: true))
                == [.fail(StepFailure(.selfDeadlock, at: "/s"))])
    }

    @Test("The limit's four bytes are big-endian; other lengths are refused")
    func codec() {
        #expect(SharedLimit.encode(0x0102_0304) == [1, 2, 3, 4])
        #expect(SharedLimit.encode(-1) == [255, 255, 255, 255])
        #expect(SharedLimit.decode([1, 2, 3, 4]) == 0x0102_0304)
        #expect(SharedLimit.decode([255, 255, 255, 254]) == -2)
        for length in [0, 3, 5] { #expect(SharedLimit.decode([UInt8](repeating: 0, count: length)) == nil) }
    }
}
