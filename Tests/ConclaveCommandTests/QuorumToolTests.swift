import ConclaveClient
import ConclaveCommandKit
import ConclaveCore
import ConclaveServer
import ConclaveSystem
import Foundation
import Synchronization
import TestLanes
import Testing

/// `conclave quorum` with real processes.
@Suite("Quorum of processes", .live, .serialized)
struct QuorumToolTests {
    /// The tool beside the tests, which the same build makes.
    private static let executable: String? = {
        let folder = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
        let path = folder.appending(path: "conclave").path()
        return FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }()

    /// Runs the command until the body is done, then interrupts it.
    private func withQuorum(
        _ words: String..., body: @Sendable (String, Lines, Interrupts) async throws -> Void
    ) async throws -> (status: Int32, output: String, errors: String) {
        let executable = try #require(Self.executable)
        let (output, errors, interrupts) = (Lines(), Lines(), Interrupts())
        let context = ToolContext(
            console: Console(output: output, errors: errors), environment: ["PATH": "/usr/bin:/bin"],
            interrupts: interrupts, executable: executable)
        let tool = Task { await Tool(context: context).run(["quorum", "--base-port", "0"] + words) }
        let end = Task {
            let status = await tool.value
            output.end()
            errors.end()
            return status
        }
        do {
            let announcement = try #require(await output.first { $0.hasPrefix("serving clients on ") })
            try await body(String(announcement.dropFirst("serving clients on ".count)), errors, interrupts)
        } catch {
            interrupts.deliver(15)
            _ = await end.value
            throw error
        }
        interrupts.deliver(15)
        return (await end.value, output.text, errors.text)
    }

    @Test("Servers serve until the tool is interrupted, and what they hold stays in the given directory")
    func keepsData() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "conclave-\(UUID().uuidString)").path()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let first = try await withQuorum("--servers", "1", "--data-dir", directory) { servers, _, _ in
            try await withZooKeeperClient(connectedTo: servers) { _ = try await $0.create("/kept") }
        }
        #expect(first.status == 0 && first.output.split(separator: "\n").count == 1, "\(first)")
        #expect(try String(contentsOfFile: directory + "/1/myid", encoding: .utf8) == "1\n")
        let second = try await withQuorum("--servers", "1", "--data-dir", directory) { servers, _, _ in
            try await withZooKeeperClient(connectedTo: servers) { client in
                let kept = try await client.exists("/kept")
                #expect(kept != nil)
            }
        }
        #expect(second.status == 0, "\(second)")
    }

    @Test("A killed leader is replaced and comes back with --restart; its clients keep their sessions")
    func restarts() async throws {
        let result = try await withQuorum("--restart", "--observers", "1") { servers, errors, _ in
            let client = try await ZooKeeperClient.connect(to: servers)
            _ = try await client.create("/owned", mode: .ephemeral)
            let leads = try #require(await errors.first { $0.hasSuffix(" leads") })
            let leader = try #require(leads.split(separator: " ").dropFirst().first)
            let serving = try #require(
                await errors.first { $0.hasPrefix("server \(leader)") && $0.contains(" serves on ") })
            let process = try #require(Int32(serving.split { !$0.isNumber }.last ?? ""))
            #expect(Signals.send(.kill, to: process))
            _ = await errors.first { $0 == "server \(leader) is started again" }
            // The second time.
            _ = await errors.first(2) { $0.hasPrefix("server \(leader)") && $0.contains(" serves on ") }
            #expect(errors.text.contains("server \(leader) (process \(process)) was ended by SIGKILL\n"))
            try await client.sync("/")
            let owned = try await client.exists("/owned")
            #expect(owned?.ephemeralOwner == client.sessionID)
            await client.close()
        }
        #expect(result.status == 0, "\(result)")
        let directory = try #require(result.errors.firstMatch(of: /data in (.*), removed at the end/)?.output.1)
        #expect(!FileManager.default.fileExists(atPath: String(directory)))
    }

    @Test("No server outlives the tool, however it ends", .enabled(if: isLinux))
    func orphans() async throws {
        let executable = try #require(Self.executable)
        let pipe = try FileDescriptor.pipe()
        try pipe.read.setNonBlocking(false)
        try pipe.write.setNonBlocking(false)
        let directory = FileManager.default.temporaryDirectory.appending(path: "conclave-\(UUID().uuidString)").path()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let tool = try ChildProcess(
            [executable, "quorum", "--base-port", "0", "--servers", "2", "--data-dir", directory], output: pipe.write)
        pipe.write.close()
        let lines = Lines()
        _ = try ThreadHandle(name: "tool output") {
            var buffer = [UInt8](repeating: 0, count: 4096)
            while case .bytes(let count) = buffer.withUnsafeMutableBytes({ pipe.read.read(into: $0) }), count > 0 {
                lines.write(String(decoding: buffer[..<count], as: UTF8.self))
            }
            pipe.read.close()
            lines.end()
        }
        _ = try #require(await lines.first { $0.hasPrefix("serving clients on ") })
        tool.signal(.kill)
        #expect(await tool.wait() == .signalled(.kill))
        // Each server lets go of its directory when it ends.
        for id in 1...2 {
            while (try? DirectoryLock("\(directory)/\(id)")) == nil { await Task.yield() }
        }
    }

    @Test("What cannot work is said before anything is started")
    func refusals() async throws {
        let tool = ToolFixture()
        #expect(await tool.run("quorum", "--servers", "0").status == 2)
        #expect(await tool.run("quorum", "--servers", "90", "--observers", "10").status == 2)
        #expect(await tool.run("quorum", "--base-port", "65000").status == 2)
        // The third server's client port is taken, by a port that is free with its two predecessors.
        let taken = try ReservedPort()
        let listener = try taken.listen()
        defer { listener.close() }
        let base = min(Int(taken.number), QuorumPlan.maximumBasePort)
        let used = await tool.run("quorum", "--base-port", "\(base)", "--servers", "1")
        #expect(used.status == 1 && used.output.isEmpty)
        #expect(base != taken.number || used.errors.contains("port \(base), for clients of server 1, is in use"))
    }

    @Test("A folder of another server is not taken over")
    func otherFolder() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "conclave-\(UUID().uuidString)").path()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try FileManager.default.createDirectory(atPath: directory + "/1", withIntermediateDirectories: true)
        try "7\n".write(toFile: directory + "/1/myid", atomically: true, encoding: .utf8)
        let result = await ToolFixture().run(
            "quorum", "--base-port", "0", "--servers", "1", "--data-dir", directory)
        #expect(result.status == 1 && result.errors.contains("belongs to server 7, not to server 1"))
    }

    @Test("A server that cannot start ends the others, and says why")
    func damaged() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "conclave-\(UUID().uuidString)").path()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try FileManager.default.createDirectory(atPath: directory + "/2/version-2", withIntermediateDirectories: true)
        try "no number\n".write(toFile: directory + "/2/version-2/currentEpoch", atomically: true, encoding: .utf8)
        let (executable, errors) = (try #require(Self.executable), Lines())
        let context = ToolContext(
            console: Console(output: Lines(), errors: errors), environment: [:], executable: executable)
        let status = await Tool(context: context).run([
            "quorum", "--base-port", "0", "--servers", "2", "--data-dir", directory,
        ])
        #expect(status == 1 && errors.text.contains("currentEpoch"), "\(errors.text)")
        #expect(errors.text.contains("server 2 ended with status 1 before it served"))
    }
}

#if os(Linux)
private let isLinux = true
#else
private let isLinux = false
#endif

/// An output whose lines can be waited for.
private final class Lines: Console.Sink {
    private struct State {
        var text = ""
        var isEnded = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    var text: String { state.withLock(\.text) }

    func write(_ text: String) { change { $0.text += text } }

    /// Nothing more will come.
    func end() { change { $0.isEnded = true } }

    /// The first line, or the one with another number, that is as it should be; `nil` if there is none when the output has ended.
    func first(_ number: Int = 1, where condition: (Substring) -> Bool) async -> String? {
        while true {
            let seen = state.withLock { ($0.text, $0.isEnded) }
            let found = seen.0.split(separator: "\n").filter(condition)
            if found.count >= number { return String(found[number - 1]) }
            if seen.1 { return nil }
            await withCheckedContinuation { waiter in
                let isLate = state.withLock { state in
                    if state.text != seen.0 || state.isEnded { return true }
                    state.waiters.append(waiter)
                    return false
                }
                if isLate { waiter.resume() }
            }
        }
    }

    private func change(_ body: (inout State) -> Void) {
        let waiters = state.withLock { state in
            body(&state)
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }
}
