import ConclaveClient
import ConclaveCore
import TestLanes
import Testing

@testable import Recipes

@Suite("Command channels, live", .onServer, .live)
struct LiveCommandTests {
    /// A client that notes what it is given.
    static func start(
        _ name: String, _ client: ZooKeeperClient, at path: String, _ done: Shared<[String]>,
        from start: CommandChannel.Start = .oldest
    ) -> Task<Void, any Error> {
        let channel = CommandChannel(client, at: path)
        return Task {
            try await channel.run(as: name, startingAt: start) { command in
                done.change { $0.append(command.text) }
                return CommandOutcome("\(name) did \(command.text)")
            }
        }
    }

    /// Returns when a client is known: only then a command waits for it.
    static func waitUntilKnown(_ name: String, _ channel: CommandChannel) async throws {
        while try await !channel.clients().contains(where: { $0.name == name }) { await Task.yield() }
    }

    static func waitUntilComplete(_ number: Int32, _ channel: CommandChannel) async throws -> CommandStatus {
        var last: CommandStatus?
        for try await status in channel.progress(of: number) { last = status }
        return try #require(last)
    }

    @Test("Every client carries out every command in order, and the console sees who has and who has not")
    func life() async throws {
        try await Live.run { live in
            let console = CommandChannel(try await live.connect(), at: live.path)
            let (a, b) = (Shared<[String]>([]), Shared<[String]>([]))
            let first = Self.start("a", try await live.connect(), at: live.path, a)
            let second = Self.start("b", try await live.connect(), at: live.path, b)
            while try await console.clients().count != 2 { await Task.yield() }
            var numbers: [Int32] = []
            for number in 0..<20 { numbers.append(try await console.publish("c\(number)")) }
            #expect(numbers == (0..<20).map { Int32($0) })
            let status = try await Self.waitUntilComplete(19, console)
            #expect(status.acknowledged.map(\.client) == ["a", "b"])
            #expect(status.acknowledged.map(\.result?.text) == ["a did c19", "b did c19"])
            #expect(a.value == (0..<20).map { "c\($0)" } && b.value == a.value)
            second.cancel()
            _ = await second.result
            let last = try await console.publish("alone")
            while try await console.status(of: last)?.acknowledged.count != 1 { await Task.yield() }
            let pending = try #require(try await console.status(of: last)).pending
            #expect(pending == [.init(client: "b", isOnline: false, hasStarted: false)])
            // Back under its name, it goes on where it was.
            let again = Self.start("b", try await live.connect(), at: live.path, b)
            #expect(try await Self.waitUntilComplete(last, console).isComplete)
            #expect(b.value.count == 21 && b.value.last == "alone")
            for task in [first, again] { task.cancel() }
            for task in [first, again] { _ = await task.result }
        }
    }

    @Test("A handler that throws is acknowledged as failed; effects in the ensemble are in the same transaction")
    func outcomes() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let channel = CommandChannel(client, at: live.path + "/c")
            try await channel.publish("throw")
            try await channel.publish("write")
            struct Problem: Error, CustomStringConvertible { let description = "no luck" }
            let path = live.path
            let run = Task {
                try await channel.run(as: "a", startingAt: .oldest) { command in
                    guard command.text == "write" else { throw Problem() }
                    return CommandOutcome("written", operations: [.create(path + "/effect", [1])])
                }
            }
            try await Self.waitUntilKnown("a", channel)
            #expect(
                try await Self.waitUntilComplete(0, channel).acknowledged.first?.result
                    == CommandResult("no luck", failed: true))
            _ = try await Self.waitUntilComplete(1, channel)
            #expect(try await client.data(at: path + "/effect").bytes == [1])
            run.cancel()
            _ = await run.result
        }
    }

    @Test("A client that dies over a command gets it again, marked; done while it was cancelled is acknowledged")
    func repeated() async throws {
        try await Live.run { live in
            let console = CommandChannel(try await live.connect(), at: live.path)
            try await console.publish("x")
            let client = try await live.connect()
            let begun = Signal<Void>()
            let dying = Task {
                try await CommandChannel(client, at: live.path).run(as: "a", startingAt: .oldest) { command in
                    #expect(!command.isRepeated)
                    begun.fire(())
                    try await Signal<Void>().wait()
                    return CommandOutcome()
                }
            }
            try await begun.wait()
            #expect(try await console.status(of: 0)?.pending == [.init(client: "a", isOnline: true, hasStarted: true)])
            async let poked: Void = Live.poke(client)
            try await Live.expire(client)
            await poked
            await #expect(throws: ZooKeeperError.self) { try await dying.value }
            let task = Signal<Task<Void, any Error>>()
            let next = try await live.connect()
            let last = Task {
                try await CommandChannel(next, at: live.path).run(as: "a") { command in
                    #expect(command.isRepeated && command.text == "x")
                    try await task.wait().cancel()
                    return CommandOutcome("in the end")
                }
            }
            task.fire(last)
            _ = await last.result
            let status = try #require(try await console.status(of: 0))
            #expect(status.isComplete && status.acknowledged.first?.result?.text == "in the end")
        }
    }

    @Test("Answers that are lost and connections that fail: each command once, at every step")
    func lostConnections() async throws {
        try await Live.run { live in
            let (client, relay) = try await LostConnectionTests.relayed(live)
            defer { relay.stop() }
            let console = CommandChannel(try await live.connect(), at: live.path)
            let done = Shared<[String]>([])
            var expected: [String] = []
            // Every third step: each costs a reconnection. All of them are in the conversations of the machine.
            for step in stride(from: 1, to: .max, by: 3) {
                let trigger = StepTrigger(at: step) { relay.loseNextAnswer() }
                let running = trigger.observeTask { Self.start("a", client, at: live.path, done) }
                try await Self.waitUntilKnown("a", console)
                expected.append("c\(step)")
                let number = try await console.publish("c\(step)")
                let status = try await Self.waitUntilComplete(number, console)
                #expect(status.acknowledged.count == 1, "step \(step)")
                running.cancel()
                _ = await running.result
                #expect(done.value == expected, "step \(step)")
                guard trigger.hasFired else { break }
            }
        }
    }

    @Test("A publication whose answer is lost at any step is there once; a cancelled one leaves nothing or stays whole")
    func publishing() async throws {
        try await Live.run { live in
            let (client, relay) = try await LostConnectionTests.relayed(live)
            defer { relay.stop() }
            let watching = CommandChannel(try await live.connect(), at: live.path)
            var count = 0
            for step in 1... {
                let channel = CommandChannel(client, at: live.path)
                let trigger = StepTrigger(at: step) { relay.loseNextAnswer() }
                try await trigger.observe { _ = try await channel.publish("p\(step)") }
                count += 1
                #expect(try await watching.statuses().map(\.data).count == count, "step \(step)")
                guard trigger.hasFired else { break }
            }
            for step in 1... {
                let channel = CommandChannel(client, at: live.path)
                let task = Signal<Task<Void, any Error>>()
                let trigger = StepTrigger(at: step) { try? await task.wait().cancel() }
                let attempt = Task {
                    do {
                        try await trigger.observe { _ = try await channel.publish("q\(step)") }
                        return
                    } catch let error as ZooKeeperError where error.code == .cancelled {
                        await channel.waitUntilClean()
                        throw error
                    }
                }
                task.fire(attempt)
                if case .success = await attempt.result { count += 1 }
                await channel.waitUntilClean()
                #expect(try await watching.statuses().count == count, "cancelled at step \(step)")
                guard trigger.hasFired else { break }
            }
        }
    }

    @Test("Old commands go with their acknowledgements; who was too late knows how many it missed")
    func retention() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let channel = CommandChannel(client, at: live.path, keeping: 3)
            let done = Shared<[String]>([])
            let run = Self.start("a", try await live.connect(), at: live.path, done)
            for number in 0..<100 { try await channel.publish("c\(number)") }
            _ = try await Self.waitUntilComplete(99, channel)
            await channel.waitUntilClean()
            // The hundredth has removed all but three.
            #expect(try await channel.statuses().map(\.number) == [97, 98, 99])
            #expect(try await channel.prune(keeping: 1) == 2)
            #expect(try await channel.withdraw(99))
            #expect(try await !channel.withdraw(99))
            run.cancel()
            _ = await run.result
            try await channel.publish("new")
            let missed = Shared<[Int]>([])
            let late = Task {
                try await CommandChannel(client, at: live.path).run(as: "late", startingAt: .oldest) { command in
                    missed.change { $0.append(command.missed) }
                    return CommandOutcome()
                }
            }
            while missed.value.isEmpty { await Task.yield() }
            #expect(missed.value == [100])
            late.cancel()
            _ = await late.result
            #expect(try await channel.forget("a"))
            #expect(try await channel.clients().map(\.name) == ["late"])
        }
    }
}

extension StepTrigger {
    /// Starts a task under the trigger.
    func observeTask(_ start: () -> Task<Void, any Error>) -> Task<Void, any Error> {
        ClientStep.$observer.withValue({ [self] _ in await step() }) { start() }
    }
}
