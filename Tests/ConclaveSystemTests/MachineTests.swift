import ConclaveCore
import ConclaveSystem
import Foundation
import Synchronization
import TestLanes
import Testing

@Suite(.live) struct MachineTests {
    @Test("The clock goes forward, and the time of day is Foundation's")
    func clocks() {
        let first = SystemClock.now()
        let second = SystemClock.now()
        #expect(first <= second && first > .start)
        let difference = Double(SystemClock.wallTime().milliseconds) - Date().timeIntervalSince1970 * 1_000
        #expect(abs(difference) < 60_000)
    }

    @Test("Random bytes come in any number and differ")
    func random() {
        for count in [0, 1, 7, 8, 9, 16, 100] { #expect(SystemRandom.bytes(count).count == count) }
        #expect(SystemRandom.bytes(16) != SystemRandom.bytes(16))
    }

    @Test("Threads run their body on a thread of their own and are joined by anybody, often")
    func threads() throws {
        let seen = Mutex<UInt>(0)
        let thread = try ThreadHandle(name: "a name longer than the system takes") {
            seen.withLock { $0 = ThreadHandle.currentID }
        }
        thread.join()
        thread.join()
        #expect(seen.withLock { $0 } != 0)
        #expect(seen.withLock { $0 } != ThreadHandle.currentID)
    }

    @Test("Errors say the call and the system's words")
    func errors() {
        #expect(SystemError("bind", errno: .addressInUse).description == "bind: Address already in use")
        #expect(Errno.tooManyOpenFiles.isDescriptorShortage && !Errno.brokenPipe.isDescriptorShortage)
    }

    @Test("The process knows its descriptors, memory and CPU time")
    func statistics() throws {
        let statistics = ProcessStatistics.current()
        #expect(try #require(statistics.openDescriptors) >= 3)
        #expect(try #require(statistics.maximumDescriptors) >= 64)
        #expect(statistics.processorMicroseconds > 0)
        #if os(Linux)
        #expect(try #require(statistics.residentBytes) > 1_000_000)
        #endif
    }

    @Test("Signals come as a sequence, those of different kinds to those who asked")
    func signals() async throws {
        let changed = try Signals.stream(of: [.windowChanged])
        let users = try Signals.stream(of: [.user2])
        let me = ProcessInfo.processInfo.processIdentifier
        for signal in [Signal.windowChanged, .user2] { #expect(Signals.send(signal, to: me)) }
        var next = changed.makeAsyncIterator()
        #expect(await next.next() == .windowChanged)
        var other = users.makeAsyncIterator()
        #expect(await other.next() == .user2)
        Signals.restoreDefault([.windowChanged])
        #expect(Signal.terminate.description == "SIGTERM")
    }

    @Test("A child's exit code, signal and environment are right")
    func children() async throws {
        let coded = try ChildProcess(["sh", "-c", "exit $CODE"], environment: ["CODE": "7", "HOME": nil])
        #expect(await coded.wait() == .exited(code: 7))
        #expect(coded.status == .exited(code: 7))
        #expect(!coded.signal(.terminate))
        let without = try ChildProcess(["/bin/sh", "-c", "test -z \"${HOME+set}\""], environment: ["HOME": nil])
        #expect(await without.wait() == .exited(code: 0))
        let sleeper = try ChildProcess(["sleep", "100"])
        #expect(sleeper.status == nil)
        #expect(sleeper.signal(.terminate))
        #expect(await sleeper.wait() == .signalled(.terminate))
        #expect(await sleeper.wait().shellCode == 143)
        let error = #expect(throws: SystemError.self) { _ = try ChildProcess(["no-such-program-anywhere"]) }
        #expect(error?.errno == .notFound)
        #expect(throws: SystemError.self) { _ = try ChildProcess([]) }
    }

    @Test("Signals reach all of a child's process group")
    func groups() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/pipe"
        try #require(mkfifo(path, 0o600) == 0)
        // The shell and what it starts hold the pipe open, so its end comes when both are gone.
        let script = "exec 3>\"$PIPE\"; sleep 100 & echo ready >&3; wait"
        let child = try ChildProcess(["sh", "-c", script], environment: ["PIPE": path], ownGroup: true)
        let pipe = FileDescriptor(rawValue: open(path, O_RDONLY))
        defer { pipe.close() }
        let read = {
            withUnsafeTemporaryAllocation(byteCount: 16, alignment: 1) { buffer in pipe.read(into: buffer) }
        }
        #expect(read() == .bytes(6))
        #expect(child.signal(.terminate))
        #expect(await child.wait() == .signalled(.terminate))
        #expect(read() == .bytes(0))
        #expect(!child.signal(.terminate))
    }

    @Test("Both outputs of a child go where they are told to, and its input is empty then")
    func output() async throws {
        let pipe = try FileDescriptor.pipe()
        defer { pipe.read.close() }
        let child = try ChildProcess(["sh", "-c", "cat; echo out; echo error >&2"], output: pipe.write)
        pipe.write.close()
        #expect(await child.wait() == .exited(code: 0))
        var bytes = [UInt8](repeating: 0, count: 64)
        let result = bytes.withUnsafeMutableBytes { pipe.read.read(into: $0) }
        #expect(result == .bytes(10) && String(decoding: bytes[..<10], as: UTF8.self) == "out\nerror\n")
    }

    @Test("A child ignores no signal although its parent ignores some")
    func defaults() async throws {
        Signals.ignoreBrokenPipe()
        let child = try ChildProcess(["sh", "-c", "kill -PIPE $$; exit 1"])
        #expect(await child.wait() == .signalled(Signal(rawValue: 13)))
    }
}
