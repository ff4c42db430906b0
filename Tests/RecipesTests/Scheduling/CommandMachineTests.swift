import ConclaveClient
import ConclaveCore
import Testing

@testable import Recipes

@Suite("A client of a command channel, as conversations")
struct CommandMachineTests {
    typealias Action = StepAction<Command>

    static let load = Action.request(.data("/c/clients/h"))
    static let list = Action.request(.children("/c/commands", watch: true))

    static func name(_ number: Int32) -> String {
        let digits = String(number)
        return "_c_x-cmd-" + String(repeating: "0", count: 10 - digits.count) + digits
    }

    static func path(_ number: Int32) -> String { "/c/commands/" + name(number) }

    static func machine(oldest: Bool = false) -> CommandMachine {
        CommandMachine(commands: "/c/commands", clients: "/c/clients", client: "h", startsWithOldest: oldest)
    }

    static func bytes(_ applied: Int32, _ started: Int32) throws -> [UInt8] {
        try CommandProgress(applied: applied, started: started).configurationBytes()
    }

    static func record(_ applied: Int32, _ started: Int32, version: Int32) throws -> StepEvent {
        let text = String(decoding: try bytes(applied, started), as: UTF8.self)
        return Say.answer(.data(Say.node(text, version: version)))
    }

    static func commands(_ numbers: Int32...) -> StepEvent {
        Say.answer(.children(Children(names: numbers.map(name), stat: Say.stat(owner: 0))))
    }

    static func mark(_ applied: Int32, _ started: Int32, version: Int32) throws -> Action {
        .request(.write([.setData("/c/clients/h", try bytes(applied, started), version: version)]))
    }

    static func written(_ version: Int32) -> StepEvent {
        Say.answer(.written([.dataSet(Say.stat(owner: 0, version: version))]))
    }

    static func command(_ number: Int32, repeated: Bool = false, missed: Int = 0) -> Command {
        Command(
            number: number, data: Array("do".utf8), publishedMilliseconds: 0, isRepeated: repeated, missed: missed)
    }

    static func acknowledgement(_ number: Int32, version: Int32, more: [Operation] = []) throws -> Action {
        .request(
            .write(
                [
                    .setData("/c/clients/h", try bytes(number, number), version: version),
                    .create(path(number) + "/h", [7]),
                ] + more))
    }

    /// A machine that has given out command 4 and holds version 8 of its record.
    static func told() throws -> CommandMachine {
        var machine = machine()
        _ = machine.handle(.start)
        _ = machine.handle(try record(3, 3, version: 7))
        _ = machine.handle(commands(2, 3, 4, 5))
        #expect(machine.handle(Say.answer(.data(Say.node("do")))) == [try mark(3, 4, version: 7)])
        #expect(machine.handle(written(8)) == [.finish(command(4))])
        return machine
    }

    @Test("The lowest that is not done yet is begun, given out and acknowledged in one transaction; then the next")
    func order() throws {
        var machine = try Self.told()
        let effect = Operation.setData("/effect", [1])
        machine.finished(with: [7], operations: [effect])
        #expect(machine.handle(.start) == [try Self.acknowledgement(4, version: 8, more: [effect])])
        #expect(machine.handle(Self.written(9)) == [Self.list])
        #expect(machine.handle(Self.commands(4, 5)) == [.request(.data(Self.path(5)))])
        _ = machine.handle(Say.answer(.data(Say.node("do"))))
        #expect(machine.handle(Self.written(10)) == [.finish(Self.command(5))])
    }

    @Test("Without a command it waits for one")
    func waiting() throws {
        var machine = Self.machine()
        _ = machine.handle(.start)
        _ = machine.handle(try Self.record(5, 5, version: 0))
        #expect(machine.handle(Self.commands(4, 5)) == [.wait(upTo: nil)])
        #expect(machine.handle(.changed("/c/commands")) == [Self.list])
    }

    @Test("A new client begins after the newest command, or with the oldest")
    func registration() throws {
        for (oldest, applied) in [(false, Int32(9)), (true, -1)] {
            var machine = Self.machine(oldest: oldest)
            #expect(machine.handle(.start) == [Self.load])
            #expect(machine.handle(Say.failed(.noNode)) == [.request(.children("/c/commands"))])
            let create = Action.request(
                .write([.create("/c/clients/h", try Self.bytes(applied, applied))]))
            #expect(machine.handle(Self.commands(8, 9)) == [create])
            #expect(machine.handle(Say.failed(.noNode)) == [.request(.makeParents("/c/clients", .persistent))])
            #expect(machine.handle(Say.answer(.done)) == [Self.load])
        }
    }

    @Test("A command that an earlier run had begun is marked as repeated, and not marked as begun again")
    func repeated() throws {
        var machine = Self.machine()
        _ = machine.handle(.start)
        _ = machine.handle(try Self.record(3, 4, version: 7))
        _ = machine.handle(Self.commands(4))
        #expect(machine.handle(Say.answer(.data(Say.node("do")))) == [.finish(Self.command(4, repeated: true))])
    }

    @Test("Commands that were removed before the client got to them are counted")
    func missed() throws {
        var machine = Self.machine()
        _ = machine.handle(.start)
        _ = machine.handle(try Self.record(3, 3, version: 7))
        _ = machine.handle(Self.commands(10))
        _ = machine.handle(Say.answer(.data(Say.node("do"))))
        #expect(machine.handle(Self.written(8)) == [.finish(Self.command(10, missed: 6))])
    }

    @Test("A command that goes between the two looks is passed over")
    func withdrawn() throws {
        var machine = Self.machine()
        _ = machine.handle(.start)
        _ = machine.handle(try Self.record(3, 3, version: 7))
        _ = machine.handle(Self.commands(4))
        #expect(machine.handle(Say.failed(.noNode)) == [Self.list])
    }

    @Test("A mark whose answer was lost is found, or made again; the command is not a repeated one")
    func lostMark() throws {
        for wasDone in [true, false] {
            var machine = Self.machine()
            _ = machine.handle(.start)
            _ = machine.handle(try Self.record(3, 3, version: 7))
            _ = machine.handle(Self.commands(4))
            _ = machine.handle(Say.answer(.data(Say.node("do"))))
            #expect(machine.handle(Say.failed(.connectionLoss)) == [.awaitConnection])
            #expect(machine.handle(.connected) == [.request(.sync("/c/clients/h"))])
            #expect(machine.handle(Say.answer(.done)) == [Self.load])
            let found = wasDone ? try Self.record(3, 4, version: 8) : try Self.record(3, 3, version: 7)
            #expect(machine.handle(found) == [Self.list])
            _ = machine.handle(Self.commands(4))
            let next = machine.handle(Say.answer(.data(Say.node("do"))))
            if wasDone {
                #expect(next == [.finish(Self.command(4))])
            } else {
                #expect(next == [try Self.mark(3, 4, version: 7)])
                #expect(machine.handle(Self.written(8)) == [.finish(Self.command(4))])
            }
        }
    }

    @Test("An acknowledgement whose answer was lost is found, or made again: its effects happen once")
    func lostAcknowledgement() throws {
        for wasDone in [true, false] {
            var machine = try Self.told()
            machine.finished(with: [7])
            _ = machine.handle(.start)
            _ = machine.handle(Say.failed(.operationTimeout))
            _ = machine.handle(.connected)
            _ = machine.handle(Say.answer(.done))
            let found = wasDone ? try Self.record(4, 4, version: 9) : try Self.record(3, 4, version: 8)
            #expect(
                machine.handle(found) == (wasDone ? [Self.list] : [try Self.acknowledgement(4, version: 8)]))
        }
    }

    @Test("Another process under the same name is noticed at every write, and after every lost answer")
    func taken() throws {
        func fails(_ actions: [Action]) -> Bool {
            guard case .fail(let failure)? = actions.first else { return false }
            return failure.code == .badVersion && failure.path == "/c/clients/h"
        }
        var marking = Self.machine()
        _ = marking.handle(.start)
        _ = marking.handle(try Self.record(3, 3, version: 7))
        _ = marking.handle(Self.commands(4))
        _ = marking.handle(Say.answer(.data(Say.node("do"))))
        #expect(fails(marking.handle(.failed(.badVersion, at: "/c/clients/h"))))
        var acknowledging = try Self.told()
        acknowledging.finished(with: [7])
        _ = acknowledging.handle(.start)
        #expect(fails(acknowledging.handle(.failed(.badVersion, at: "/c/clients/h"))))
        var recovering = try Self.told()
        recovering.finished(with: [7])
        _ = recovering.handle(.start)
        _ = recovering.handle(Say.failed(.connectionLoss))
        _ = recovering.handle(.connected)
        _ = recovering.handle(Say.answer(.done))
        #expect(fails(recovering.handle(try Self.record(5, 5, version: 11))))
    }

    @Test("A command that is removed while it is carried out is done without an acknowledgement")
    func removedMeanwhile() throws {
        var machine = try Self.told()
        machine.finished(with: [7])
        _ = machine.handle(.start)
        let write = Action.request(.write([.setData("/c/clients/h", try Self.bytes(4, 4), version: 8)]))
        #expect(machine.handle(.failed(.noNode, at: Self.path(4) + "/h")) == [write])
        #expect(machine.handle(Self.written(9)) == [Self.list])
    }

    @Test("What the ensemble refuses of the handler's own operations ends the run, with its code")
    func refused() throws {
        var machine = try Self.told()
        machine.finished(with: [7], operations: [.delete("/x")])
        _ = machine.handle(.start)
        #expect(
            machine.handle(.failed(.noNode, at: "/x")) == [.fail(StepFailure(.noNode, at: "/c/clients/h"))])
    }
}

@Suite("Publishing a command, as conversations")
struct CommandPublicationTests {
    typealias Action = StepAction<ContenderName>

    static let id = AttemptID(high: 1, low: 2)
    static let create = Action.request(
        .write([.create("/c/_c_\(id.text)-cmd-", [1], mode: .persistentSequential)]))

    static func name(_ number: String) throws -> ContenderName {
        try #require(ContenderName("_c_\(id.text)-cmd-" + number))
    }

    @Test("Made once: also when the answer is lost, and under a parent that is not there")
    func once() throws {
        var machine = CommandPublication(parent: "/c", attempt: Self.id, data: [1])
        #expect(machine.handle(.start) == [Self.create])
        #expect(machine.handle(Say.failed(.noNode)) == [.request(.makeParents("/c", .persistent))])
        #expect(machine.handle(Say.answer(.done)) == [Self.create])
        #expect(machine.handle(Say.failed(.connectionLoss)) == [.awaitConnection])
        #expect(machine.handle(.connected) == [.request(.sync("/c"))])
        #expect(machine.handle(Say.answer(.done)) == [.request(.children("/c"))])
        var found = machine
        let own = try Self.name("0000000004")
        #expect(found.handle(Say.children("other-0000000003", own.text)) == [.finish(own)])
        #expect(machine.handle(Say.children("other-0000000003")) == [Self.create])
        let created = StepAnswer.written([.created(path: "/c/" + own.text, stat: nil)])
        #expect(machine.handle(Say.answer(created)) == [.finish(own)])
        #expect(machine.handle(.cancelled) == [])
    }

    @Test("A cancelled one is withdrawn, one beyond the last number is refused")
    func withdrawn() throws {
        var machine = CommandPublication(parent: "/c", attempt: Self.id, data: [1])
        _ = machine.handle(.start)
        #expect(
            machine.handle(.cancelled)
                == [.sweep(below: "/c", mark: Self.id.text), .fail(StepFailure(.cancelled, at: "/c"))])
        var last = CommandPublication(parent: "/c", attempt: Self.id, data: [1])
        _ = last.handle(.start)
        let path = "/c/" + (try Self.name("2147483000")).text
        #expect(
            last.handle(Say.answer(.written([.created(path: path, stat: nil)])))
                == [.clean([.delete(path)]), .fail(StepFailure(.sequenceExhausted, at: "/c"))])
    }
}
