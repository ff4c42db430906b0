import ConclaveCommandKit
import Recipes
import TestLanes
import Testing

@Suite("Processes and signals", .live)
struct ProcessTests {
    private let environment = ["PATH": "/usr/bin:/bin"]

    @Test("How a process ends is told as shells count")
    func endings() async throws {
        let exited = try await ForegroundProcess.start(["sh", "-c", "exit 3"], environment: environment)
        #expect(await exited.ending() == .exited(3))
        let killed = try await ForegroundProcess.start(["sh", "-c", "kill -TERM $$"], environment: environment)
        #expect(await killed.ending().status == 143)
        // The answer stays.
        #expect(await killed.ending() == .signalled(15))
    }

    @Test("A process gets the environment it is given and nothing else")
    func variables() async throws {
        let script = "test \"$ONLY\" = this && test -z \"$HOME\""
        let process = try await ForegroundProcess.start(
            ["/bin/sh", "-c", script], environment: ["ONLY": "this", "PATH": "/bin"])
        #expect(await process.ending() == .exited(0))
    }

    @Test("Stopping reaches everything that the process has started")
    func group() async throws {
        // The pipe ends only when the last of the group has gone.
        let process = try await ForegroundProcess.start(
            ["sh", "-c", "sleep 60 & sleep 60 & wait"], environment: environment)
        let ending = await process.stop(grace: .seconds(60))
        #expect(ending == .signalled(15), "\(ending)")
    }

    @Test("What cannot be run is said, with the statuses of shells")
    func missing() async {
        func status(_ words: [String]) async -> Int32? {
            do {
                _ = try await ForegroundProcess.start(words, environment: environment)
                return nil
            } catch {
                return error.status
            }
        }
        #expect(await status(["no-such-program"]) == 127)
        #expect(await status(["/no/such/program"]) == 127)
        #expect(await status(["/"]) == 126)
        #expect(await status([]) == 1)
    }

    private func held(_ words: String...) -> HeldCommand {
        HeldCommand(words: words, path: "/l", token: FencingToken(rawValue: 1), grace: .seconds(60))
    }

    @Test("A signal that comes while the command is being started reaches it")
    func early() async throws {
        let tool = ToolFixture()
        tool.interrupts.deliver(15)
        let result = try await held("sleep", "60").run(tool.context) { () async throws(CancellationError) in
            .sessionOver
        }
        // The hold may be lost before the signal is felt, and either ends the command.
        #expect(result == .ended(status: 143) || result == .lost(.sessionOver), "\(result)")
        let kept = try await held("sleep", "60").run(tool.context) { () async throws(CancellationError) in nil }
        #expect(kept == .ended(status: 143))
    }

    @Test("Nothing is started for who has been cancelled, and what runs is waited for")
    func cancelled() async throws {
        let tool = ToolFixture()
        let unwanted = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await held("sleep", "60").run(tool.context) { () async throws(CancellationError) in .sessionOver
            }
        }
        await #expect(throws: CancellationError.self) { _ = try await unwanted.value }
        let result = try await held("sh", "-c", "exit 3").run(tool.context) { () async throws(CancellationError) in
            throw CancellationError()
        }
        #expect(result == .ended(status: 3))
    }

    @Test("The first signal cancels, the second ends, a handler takes them all")
    func interrupts() async {
        let ended = MemorySink()
        let interrupts = Interrupts { ended.write("\($0)") }
        await interrupts.handled(by: { ended.write("handled \($0) ") }) { interrupts.deliver(1) }
        #expect(ended.take() == "handled 1 " && interrupts.received == nil)
        interrupts.cancelling { ended.write("cancelled ") }
        interrupts.deliver(2)
        #expect(ended.take() == "cancelled " && interrupts.received == 2)
        interrupts.deliver(15)
        #expect(ended.take() == "143")
        // A command that comes after the signal is cancelled at once.
        interrupts.cancelling { ended.write("late") }
        #expect(ended.take() == "late")
    }

    @Test("Input is cut into lines, wherever its pieces end")
    func lines() {
        var splitter = LineSplitter()
        #expect(splitter.take(Array("a\r\nb".utf8)) == ["a"])
        #expect(splitter.take(Array("c\n\nd".utf8)) == ["bc", ""])
        #expect(splitter.take(nil) == ["d"])
        #expect(splitter.take(nil) == [])
    }
}
