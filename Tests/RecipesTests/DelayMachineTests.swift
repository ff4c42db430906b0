import ConclaveClient
import ConclaveCore
import Testing

@testable import Recipes

@Suite("Lock-delay, as conversations")
struct DelayMachineTests {
    typealias Action = StepAction<DelayMachine.Output>

    static let own = "/l/" + ContenderMachineTests.name(5)
    static let lost = HoldMarker(of: AttemptID(high: 9, low: 9), delay: .seconds(30))
    static let mine = HoldMarker(of: ContenderMachineTests.id, delay: .seconds(30))

    static func machine(
        marks: Bool = true, orphans: [HoldMarker] = [lost], patience: AttemptPatience = .wait
    ) -> DelayMachine {
        DelayMachine(
            own: own, marker: marks ? "/l/" + mine.text : nil, orphans: orphans, below: "/l", patience: patience)
    }

    /// - Parameter zxid: of the creation and of the change; else they follow each other as the dates do.
    static func node(
        version: Int32 = 0, created: Int64 = 0, modified: Int64 = 0, zxid: Int64? = nil
    ) -> StepReading {
        .data(
            NodeData(
                data: [],
                stat: Stat(
                    czxid: Zxid(rawValue: zxid ?? created), mzxid: Zxid(rawValue: zxid ?? modified), ctime: created,
                    mtime: modified, version: version, cversion: 0,
                    aversion: 0, ephemeralOwner: .none, dataLength: 0, numChildren: 0, pzxid: .zero)))
    }

    static func read(_ readings: StepReading...) -> StepEvent { .answered(.read(readings), isWindowOpen: true) }

    static let look: [Action] = [.request(.read([.data(own), .data("/l/" + lost.text)]))]
    static let stamp: [Action] = [.request(.write([.setData("/l/" + lost.text, [], version: 0)]))]
    static let clearing: [Action] = [
        .request(
            .write([.check(own), .delete("/l/" + lost.text), .create("/l/" + mine.text, [], mode: .persistent)]))
    ]
    static let written = StepEvent.answered(.written([]), isWindowOpen: true)
    static let there = StepEvent.answered(.exists(SemaphoreMachineTests.stat()), isWindowOpen: true)

    @Test("Nothing was left: the own marker is made while the own node exists")
    func marks() {
        var machine = Self.machine(orphans: [])
        #expect(
            machine.handle(.start)
                == [.request(.write([.check(Self.own), .create("/l/" + Self.mine.text, [], mode: .persistent)]))])
        #expect(machine.handle(Self.written) == [.finish(.settled)])
    }

    @Test("The first to find a lost hold dates it and waits for the whole delay, with a watch on the own node")
    func wholeDelay() {
        var machine = Self.machine()
        #expect(machine.handle(.start) == Self.look)
        #expect(machine.handle(Self.read(Self.node(created: 70_000), Self.node())) == Self.stamp)
        #expect(machine.handle(Self.written) == Self.look)
        // The own node is older than the finding.
        let stamped = Self.node(version: 1, modified: 90_000)
        #expect(
            machine.handle(Self.read(Self.node(created: 70_000), stamped)) == [.request(.exists(Self.own, watch: true))]
        )
        #expect(machine.handle(Self.there) == [.wait(upTo: .milliseconds(30_000))])
        #expect(machine.handle(.elapsed) == Self.clearing)
        #expect(machine.handle(Self.written) == [.finish(.settled)])
    }

    @Test("Who was there before the finding waits for the whole delay, also if the clock was set back in between")
    func clockSetBack() {
        var machine = Self.machine()
        _ = machine.handle(.start)
        let own = Self.node(created: 100_000, zxid: 5)
        _ = machine.handle(Self.read(own, Self.node(version: 1, modified: 60_000, zxid: 6)))
        #expect(machine.handle(Self.there) == [.wait(upTo: .milliseconds(30_000))])
    }

    @Test("Who comes after the finding waits for what is left, or not at all")
    func restOfDelay() {
        var early = Self.machine()
        _ = early.handle(.start)
        _ = early.handle(Self.read(Self.node(created: 100_000), Self.node(version: 1, modified: 90_000)))
        #expect(early.handle(Self.there) == [.wait(upTo: .milliseconds(20_000))])
        var late = Self.machine(marks: false)
        _ = late.handle(.start)
        #expect(
            late.handle(Self.read(Self.node(created: 120_000), Self.node(version: 1, modified: 90_000)))
                == [.request(.write([.check(Self.own), .delete("/l/" + Self.lost.text)]))])
    }

    @Test("A try does not wait: it dates the finding and leaves; once the time is over it goes through")
    func tries() {
        var machine = Self.machine(patience: .once)
        _ = machine.handle(.start)
        #expect(machine.handle(Self.read(Self.node(created: 9), Self.node())) == Self.stamp)
        _ = machine.handle(Self.written)
        #expect(
            machine.handle(Self.read(Self.node(created: 9), Self.node(version: 1, modified: 10)))
                == [.request(.write([.delete(Self.own)]))])
        #expect(machine.handle(Self.written) == [.finish(.busy)])
        var over = Self.machine(patience: .once)
        _ = over.handle(.start)
        #expect(
            over.handle(Self.read(Self.node(created: 30_010), Self.node(version: 1, modified: 10))) == Self.clearing)
    }

    @Test("Whoever else dates or clears it is no hindrance")
    func others() {
        var machine = Self.machine()
        _ = machine.handle(.start)
        _ = machine.handle(Self.read(Self.node(), Self.node()))
        #expect(machine.handle(.failed(.badVersion, at: nil)) == Self.look)
        #expect(
            machine.handle(Self.read(Self.node(), .failed(.noNode)))
                == [.request(.write([.check(Self.own), .create("/l/" + Self.mine.text, [], mode: .persistent)]))])
    }

    @Test("A transaction whose answer was lost is sent again and found to have been performed")
    func lostAnswer() {
        var machine = Self.machine()
        _ = machine.handle(.start)
        _ = machine.handle(Self.read(Self.node(created: 40_000), Self.node(version: 1, modified: 1)))
        #expect(machine.handle(.failed(.connectionLoss, at: nil)) == [.awaitConnection])
        #expect(machine.handle(.connected) == [.request(.sync(Self.own))])
        #expect(machine.handle(.answered(.done, isWindowOpen: true)) == Self.look)
        // The marker of the lost hold has gone, so it was performed.
        _ = machine.handle(Self.read(Self.node(created: 40_000), .failed(.noNode)))
        #expect(machine.handle(.failed(.nodeExists, at: "/l/" + Self.mine.text)) == [.request(.exists(Self.own))])
        #expect(machine.handle(Self.there) == [.finish(.settled)])
    }

    @Test("Losing the own node meanwhile is told, being cancelled takes own node and marker away")
    func gone() {
        var removed = Self.machine()
        _ = removed.handle(.start)
        #expect(
            removed.handle(Self.read(.failed(.noNode), Self.node())) == [
                .clean([.delete("/l/" + Self.mine.text)]), .fail(StepFailure(.noNode, at: Self.own)),
            ])
        var cancelled = Self.machine()
        _ = cancelled.handle(.start)
        _ = cancelled.handle(Self.read(Self.node(), Self.node(version: 1)))
        _ = cancelled.handle(Self.there)
        #expect(
            cancelled.handle(.cancelled).first
                == .clean([.delete("/l/" + Self.mine.text), .delete(Self.own)]))
        #expect(cancelled.handle(.elapsed).isEmpty)
    }

    @Test("Markers are read and written, and those whose contender lives are not orphans")
    func markers() throws {
        let marker = HoldMarker(of: AttemptID(high: 1, low: 2), delay: .seconds(1) + .nanoseconds(1))
        #expect(marker.delayMilliseconds == 1_001)
        #expect(HoldMarker(marker.text) == marker)
        #expect(ContenderName(marker.text) == nil)
        for text in [
            "", "_c_x-held-1ms", marker.text + "0", "_c_\(marker.id)-held--1ms", "_c_\(marker.id)-held-3600001ms",
        ] {
            #expect(HoldMarker(text) == nil, "\(text)")
        }
        let alive = ContenderMachineTests.name(3, id: AttemptID(high: 1, low: 2))
        #expect(HoldMarker.orphans(among: [marker.text, Self.lost.text, alive, "x"]) == [Self.lost])
        #expect(HoldMarker.orphans(among: [Self.lost.text, marker.text]).count == 2)
    }
}

@Suite("Upgrading a reader, as conversations")
struct UpgradeMachineTests {
    typealias Action = StepAction<UpgradeMachine.Output>

    static let text = ContenderMachineTests.name(6, "__WRIT__")
    static let reader = ContenderMachineTests.other(3, "__READ__")
    static let list: [Action] = [.request(.children("/l"))]

    static func machine(patience: AttemptPatience = .wait, ownHolds: Set<String> = []) throws -> UpgradeMachine {
        UpgradeMachine(
            path: "/l", own: try #require(ContenderName(text)), patience: patience, ownHolds: ownHolds)
    }

    static func children(_ names: String..., isWindowOpen: Bool = true) -> StepEvent {
        .answered(
            .children(Children(names: names, stat: SemaphoreMachineTests.stat())), isWindowOpen: isWindowOpen)
    }

    @Test("Waits for the readers before it, one after the other, not for those behind it")
    func waits() throws {
        let there = StepEvent.answered(.exists(SemaphoreMachineTests.stat()), isWindowOpen: true)
        let behind = ContenderMachineTests.other(7, "__READ__")
        var machine = try Self.machine()
        #expect(machine.handle(.start) == Self.list)
        #expect(
            machine.handle(Self.children(Self.reader, Self.text, behind))
                == [.request(.exists("/l/" + Self.reader, watch: true))])
        #expect(machine.handle(there) == [.request(.exists("/l/" + Self.text, watch: true))])
        #expect(machine.handle(there) == [.wait(upTo: nil)])
        #expect(machine.handle(.changed("/l/" + Self.reader)) == Self.list)
        #expect(machine.handle(Self.children(Self.text, behind)) == [.finish(.upgraded)])
    }

    @Test("A lost connection and a closed window are waited out; a removed node is a lost hold")
    func disturbed() throws {
        var machine = try Self.machine()
        _ = machine.handle(.start)
        #expect(machine.handle(.failed(.connectionLoss, at: nil)) == [.awaitConnection])
        #expect(machine.handle(.connected) == Self.list)
        #expect(machine.handle(Self.children(Self.text, isWindowOpen: false)) == [.awaitConnection])
        _ = machine.handle(.connected)
        guard case .fail(let failure)? = machine.handle(Self.children(Self.reader)).first else {
            return #expect(Bool(false), "goes on")
        }
        #expect(failure.code == .holdLost)
    }

    @Test("A try does not wait, a task does not wait for itself, and who gives up leaves nothing to clean")
    func givesUp() throws {
        var once = try Self.machine(patience: .once)
        _ = once.handle(.start)
        #expect(once.handle(Self.children(Self.reader, Self.text)) == [.finish(.busy)])
        var own = try Self.machine(ownHolds: [Self.reader])
        _ = own.handle(.start)
        #expect(own.handle(Self.children(Self.reader, Self.text)) == [.fail(StepFailure(.selfDeadlock, at: "/l"))])
        var cancelled = try Self.machine()
        _ = cancelled.handle(.start)
        let actions = cancelled.handle(.cancelled)
        guard actions.count == 1, case .fail = actions[0] else { return #expect(Bool(false), "\(actions)") }
    }
}
