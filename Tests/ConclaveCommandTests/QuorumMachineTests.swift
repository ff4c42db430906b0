import ConclaveCommandKit
import ConclaveCore
import ConclaveServer
import ConclaveSystem
import Testing

/// Conversations with the machine behind `conclave quorum`.
@Suite("Quorum of processes, as a machine")
struct QuorumMachineTests {
    private func plan(_ servers: Int = 3, _ observers: Int = 0, base: Int = 2181, in directory: String = "/d")
        -> QuorumPlan
    {
        QuorumPlan(servers: servers, observers: observers, basePort: base, directory: directory) { _, number, _ in
            number
        }
    }

    private func at(_ milliseconds: Int64) -> Instant { Instant(milliseconds: milliseconds) }

    private func line(_ id: Int) -> String { "serving clients on 127.0.0.1:\(2180 + id)" }

    /// A quorum whose servers all serve, as processes 101 and on.
    private func running(_ servers: Int = 3, _ observers: Int = 0, restarts: Bool = false) -> QuorumMachine {
        var machine = QuorumMachine(plan(servers, observers), restarts: restarts)
        for id in 1...servers + observers { machine.started(id, process: Int32(100 + id), now: at(0)) }
        machine.wrote(servers, "2026-11-21 10:17:04.802 info: leads epoch 12")
        for id in 1...servers + observers { machine.wrote(id, line(id)) }
        _ = machine.takeActions()
        return machine
    }

    private let killed = ExitStatus.signalled(.kill)
    private let ended = ExitStatus.exited(code: 0)

    // MARK: Starting

    @Test("All are started; when the last one serves, that is announced once")
    func start() {
        var machine = QuorumMachine(plan(2, 1), restarts: false)
        #expect(machine.takeActions() == [.start(1), .start(2), .start(3)])
        for id in 1...3 { machine.started(id, process: Int32(100 + id), now: at(0)) }
        #expect(machine.progress == "0 of 3 servers serve")
        machine.wrote(2, "2026-11-21 10:17:04.802 info: leads epoch 1")
        machine.wrote(2, line(2))
        machine.wrote(1, "2026-11-21 10:17:04.802 info: follows server 2 in epoch 1")
        #expect(
            machine.takeActions() == [
                .tell("server 2 leads"), .tell("server 2 serves on 127.0.0.1:2182 (process 102)"),
            ])
        #expect(machine.progress == "1 of 3 servers serve" && machine.leader == 2)
        machine.wrote(3, line(3))
        machine.wrote(1, line(1))
        #expect(
            machine.takeActions() == [
                .tell("server 3, an observer, serves on 127.0.0.1:2183 (process 103)"),
                .tell("server 1 serves on 127.0.0.1:2181 (process 101)"), .announce,
            ])
        #expect(machine.progress == nil && machine.phase == .running)
        machine.wrote(1, line(1))
        #expect(!machine.takeActions().contains(.announce))
    }

    @Test("Who ends before all serve makes the start fail: its last lines are shown and the others are ended")
    func failedStart() {
        var machine = QuorumMachine(plan(2), restarts: true)
        _ = machine.takeActions()
        for id in 1...2 { machine.started(id, process: Int32(100 + id), now: at(0)) }
        machine.wrote(1, line(1))
        _ = machine.takeActions()
        machine.ended(2, .exited(code: 1), lastLines: ["conclave server: no"], now: at(5))
        #expect(
            machine.takeActions() == [
                .warn("  conclave server: no"), .signal(1, .terminate), .limitGrace(stage: 2, milliseconds: 10_000),
            ])
        machine.ended(1, ended, lastLines: [], now: at(6))
        #expect(machine.takeActions() == [.finish(failure: "server 2 ended with status 1 before it served")])
    }

    @Test("A process that cannot be made ends everything")
    func noProcess() {
        var machine = QuorumMachine(plan(2), restarts: true)
        machine.startFailed(1, "no memory")
        #expect(machine.phase == .stopping)
        #expect(machine.takeActions().last == .finish(failure: "server 1: no memory"))
    }

    // MARK: Deaths

    @Test("A death is told; the hint at --restart comes once, and the loss of the quorum is said")
    func deaths() {
        var machine = running()
        machine.ended(3, killed, lastLines: [], now: at(60_000))
        #expect(
            machine.takeActions() == [
                .warn("server 3 (process 103) was ended by SIGKILL; with --restart it would be started again")
            ])
        #expect(machine.leader == nil)
        machine.ended(2, .exited(code: 7), lastLines: [], now: at(60_000))
        #expect(
            machine.takeActions() == [
                .warn("server 2 (process 102) ended with status 7; 1 of 3 voting servers are too few to serve")
            ])
        machine.ended(1, killed, lastLines: [], now: at(60_000))
        #expect(machine.takeActions().last == .finish(failure: "no server is left"))
    }

    @Test(
        "With --restart a server comes back, at once after a long life, later and later after short ones, and stays down in the end"
    )
    func restarts() {
        var machine = running(restarts: true)
        machine.ended(2, killed, lastLines: [], now: at(10_000))
        #expect(
            machine.takeActions() == [
                .warn("server 2 (process 102) was ended by SIGKILL"), .tell("server 2 is started again"),
                .startLater(2, milliseconds: 0),
            ])
        machine.delayPassed(2)
        machine.delayPassed(2)
        #expect(machine.takeActions() == [.start(2)])
        for delay in [500, 1000, 2000, 4000] as [Int64] {
            machine.started(2, process: 200, now: at(20_000))
            machine.ended(2, killed, lastLines: [], now: at(29_999))
            #expect(machine.takeActions().last == .startLater(2, milliseconds: delay))
            machine.delayPassed(2)
            #expect(machine.takeActions() == [.start(2)])
        }
        machine.started(2, process: 200, now: at(30_000))
        machine.ended(2, killed, lastLines: [], now: at(39_999))
        #expect(
            machine.takeActions().last
                == .warn("server 2 has ended 5 times soon after its start: it stays down"))
        #expect(machine.phase == .running)
    }

    @Test("All may die at once when they are started again")
    func everybody() {
        var machine = running(restarts: true)
        for id in 1...3 { machine.ended(id, killed, lastLines: [], now: at(60_000)) }
        #expect(machine.phase == .running && machine.takeActions().contains(.startLater(3, milliseconds: 0)))
    }

    // MARK: Stopping

    @Test("Interrupted, observers end first, then followers, then the leader")
    func order() {
        var machine = running(3, 1)
        machine.interrupted()
        #expect(
            machine.takeActions() == [.signal(4, .terminate), .limitGrace(stage: 1, milliseconds: 10_000)])
        machine.ended(4, ended, lastLines: [], now: at(1))
        #expect(
            machine.takeActions() == [
                .signal(1, .terminate), .signal(2, .terminate), .limitGrace(stage: 2, milliseconds: 10_000),
            ])
        machine.ended(1, ended, lastLines: [], now: at(1))
        machine.wrote(2, line(2))
        #expect(machine.takeActions() == [])
        machine.ended(2, ended, lastLines: [], now: at(1))
        #expect(
            machine.takeActions() == [.signal(3, .terminate), .limitGrace(stage: 3, milliseconds: 10_000)])
        machine.ended(3, ended, lastLines: [], now: at(1))
        #expect(machine.takeActions() == [.finish(failure: nil)])
    }

    @Test("Who does not end in time is killed; an old limit means nothing")
    func grace() {
        var machine = running(2, 1)
        machine.interrupted()
        machine.ended(3, ended, lastLines: [], now: at(1))
        _ = machine.takeActions()
        machine.graceOver(1)
        #expect(machine.takeActions() == [])
        machine.graceOver(2)
        #expect(machine.takeActions() == [.warn("server 1 does not end and is killed"), .signal(1, .kill)])
    }

    @Test("Interrupted twice, all are killed at once")
    func twice() {
        var machine = running()
        machine.interrupted()
        _ = machine.takeActions()
        machine.interrupted()
        #expect(machine.takeActions() == [.signal(1, .kill), .signal(2, .kill), .signal(3, .kill)])
        for id in 1...3 { machine.ended(id, killed, lastLines: [], now: at(1)) }
        #expect(machine.takeActions() == [.finish(failure: nil)])
    }

    @Test("A server that waits to be started again stays down when all are to end")
    func stoppedWhileWaiting() {
        var machine = running(1, restarts: true)
        machine.ended(1, killed, lastLines: [], now: at(1))
        _ = machine.takeActions()
        machine.interrupted()
        #expect(machine.takeActions() == [.finish(failure: nil)])
        machine.delayPassed(1)
        #expect(machine.takeActions() == [])
    }

    // MARK: The plan

    @Test("Ports are the usual ones, and the files are those of an ensemble")
    func configuration() throws {
        let plan = plan(3, 1, in: #"/tmp/a b\c"#)
        #expect(plan.connectString == "127.0.0.1:2181,127.0.0.1:2182,127.0.0.1:2183,127.0.0.1:2184")
        let text = plan.configuration(of: plan.members[3])
        let (configuration, warnings) = try ServerConfiguration.parse(text: text, file: "zoo.cfg")
        #expect(warnings == [] && configuration.clientPort == 2184)
        #expect(configuration.dataDirectory == #"/tmp/a b\c/4"#)
        #expect(text.contains("\nserver.1=127.0.0.1:2888:3888:participant\n"))
        #expect(text.hasSuffix("\nserver.4=127.0.0.1:2891:3891:observer\n"))
    }
}
