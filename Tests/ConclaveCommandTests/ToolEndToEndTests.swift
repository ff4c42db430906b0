import ConclaveClient
import ConclaveCommandKit
import ConclaveCore
import ConclaveServer
import Foundation
import Recipes
import TestLanes
import Testing

/// The commands of the tool against a server, as scripts see them: outputs and statuses.
@Suite("Tool, end to end", .live)
struct ToolEndToEndTests {
    // MARK: Without a server

    @Test("Help, version and mistakes")
    func usage() async {
        let tool = ToolFixture()
        #expect(await tool.run("--version") == .init(status: 0, output: "conclave \(Tool.version)\n", errors: ""))
        let help = await tool.run("--help")
        #expect(help.status == 0 && help.output.contains("inspect") && help.errors.isEmpty)
        for command in Tool.commands {
            let name = command.specification.name
            let text = await tool.run(name, "--help")
            #expect(text.status == 0 && text.output.hasPrefix("Usage: conclave \(name)"))
            #expect(await tool.run("help", name) == text)
        }
        let nothing = await tool.run([])
        #expect(nothing.status == 2 && nothing.output.isEmpty && nothing.errors.contains("Commands:"))
        let unknown = await tool.run("lokc")
        #expect(unknown.status == 2 && unknown.errors.hasPrefix("conclave: unknown command lokc; did you mean lock?\n"))
        let mistake = await tool.run("lock", "/a", "--tri", "--", "true")
        #expect(
            mistake.status == 2
                && mistake.errors.hasPrefix("conclave lock: unknown option --tri; did you mean --try?\n"))
    }

    @Test("A server that cannot be reached is status 3")
    func unreachable() async {
        // Nobody listens on port 1 of loopback.
        let tool = ToolFixture(server: "127.0.0.1:1")
        let result = await tool.run("inspect", "/a", "--connect-timeout", "50ms")
        #expect(result.status == 3 && result.errors.hasPrefix("conclave inspect: ") && result.output.isEmpty)
    }

    @Test("A credential without its scheme is refused without being shown")
    func credential() async {
        let result = await ToolFixture().run("inspect", "/a", "--auth", "geheim")
        #expect(result.status == 2 && !result.errors.contains("geheim"))
    }

    // MARK: Recipes

    @Test("Numbers are drawn, one by one and in blocks")
    func numbers() async throws {
        try await withServer { server in
            let tool = ToolFixture(server: server.connectString)
            #expect(await tool.run("id", "/ids/a", "3").output == "0\n1\n2\n")
            #expect(await tool.run("id", "/ids/a").output == "3\n")
            #expect(await tool.run("id", "/ids/b", "2", "--block", "10").output == "0\n1\n")
            #expect(await tool.run("id", "/ids/b", "--block", "10").output == "10\n")
            #expect(await tool.run("id", "/ids/a", "0").status == 2)
        }
    }

    @Test("A value is set, read, compared and watched")
    func configuration() async throws {
        try await withServer { server in
            let tool = ToolFixture(server: server.connectString)
            #expect(
                await tool.run("config", "get", "/c/a")
                    == .init(status: 1, output: "", errors: "conclave config: there is no value at /c/a\n"))
            #expect(await tool.run("config", "set", "/c/a", "one", "--expect", "none").output == "version 0\n")
            #expect(await tool.run("config", "set", "/c/a", "two", "--expect", "0").output == "version 1\n")
            #expect(await tool.run("config", "set", "/c/a", "three", "--expect", "0").status == 1)
            #expect(await tool.run("config", "get", "/c/a").output == "two\n")
            let json = await tool.run("config", "get", "/c/a", "--json").output
            #expect(
                json.hasPrefix("{\"version\":1,\"zxid\":\"0x") && json.hasSuffix("\"skipped\":0,\"value\":\"two\"}\n"))
            #expect(await tool.run("config", "watch", "/c/a", "--count", "1").output == "two\n")
            #expect(await tool.run("config", "gte", "/c/a").errors.contains("did you mean get?"))
        }
    }

    @Test("Versions are kept, listed and gone back to")
    func history() async throws {
        try await withServer { server in
            let tool = ToolFixture(server: server.connectString)
            for value in ["one", "two", "three"] {
                #expect(await tool.run("config", "set", "/c/a", value, "--history", "2").status == 0)
            }
            let lines = await tool.run("config", "history", "/c/a").output.split(separator: "\n")
            #expect(lines.count == 2 && lines[0].hasPrefix("version 2, ") && lines[0].hasSuffix(": three"))
            #expect(await tool.run("config", "rollback", "/c/a", "1").output == "version 3\n")
            #expect(await tool.run("config", "get", "/c/a").output == "two\n")
            #expect(await tool.run("config", "history", "/c/a", "--count", "1").output.hasSuffix(": two\n"))
            #expect(await tool.run("config", "rollback", "/c/a", "0").status == 1)
            #expect(await tool.run("config", "rollback", "/c/a").status == 2)
            #expect(await tool.run("config", "answers", "/c/a").output == "")
            let client = try await ZooKeeperClient.connect(to: server.connectString)
            let value = Configuration<[UInt8]>(client, at: "/c/a")
            let revision = try #require(try await value.current())
            try await value.acknowledge(revision, as: "host-7", refusal: "no room")
            #expect(await tool.run("config", "answers", "/c/a").output == "host-7 refused version 3: no room\n")
            await client.close()
        }
    }

    @Test("A counter is read, added to, compared and set")
    func counter() async throws {
        try await withServer { server in
            let tool = ToolFixture(server: server.connectString)
            #expect(await tool.run("counter", "get", "/n/c").output == "0\n")
            #expect(await tool.run("counter", "add", "/n/c").output == "1\n")
            #expect(await tool.run("counter", "add", "/n/c", "-3").output == "-2\n")
            #expect(await tool.run("counter", "compare", "/n/c", "-2", "7").output == "7\n")
            let refused = await tool.run("counter", "compare", "/n/c", "-2", "8")
            #expect(refused.status == 4 && refused.output == "7\n")
            #expect(await tool.run("counter", "set", "/n/c", "9").status == 0)
            #expect(await tool.run("counter", "watch", "/n/c", "--count", "1").output == "9\n")
            #expect(await tool.run("counter", "set", "/n/c").status == 2)
            #expect(await tool.run("counter", "sett", "/n/c").errors.contains("did you mean set?"))
        }
    }

    @Test("An instance is registered while the command runs, found, and gone afterwards")
    func services() async throws {
        try await withServer { server in
            let tool = ToolFixture(server: server.connectString)
            let client = try await ZooKeeperClient.connect(to: server.connectString)
            #expect(await tool.run("services", "list").output == "")
            let missing = await tool.run("services", "pick", "orders")
            #expect(missing.status == 4 && missing.errors.contains("no enabled instance of orders"))
            let server = ToolFixture(server: server.connectString)
            let running = Task {
                await server.run("services", "register", "orders", "10.0.0.7:80", "--id", "7", "--meta", "zone=b")
            }
            try await client.waitForChildren(1, of: "/services/orders")
            #expect(await tool.run("services", "list").output == "orders\n")
            #expect(await tool.run("services", "pick", "orders").output == "10.0.0.7:80\n")
            let listed = await tool.run("services", "list", "orders").output
            #expect(listed.hasPrefix("7  10.0.0.7:80") && listed.hasSuffix("zone=b\n"))
            let json = await tool.run("services", "watch", "orders", "--json", "--count", "1").output
            #expect(json.hasPrefix("{\"service\":\"orders\",\"id\":\"7\",\"address\":\"10.0.0.7\",\"port\":80,"))
            #expect(json.hasSuffix("\"metadata\":{\"zone\":\"b\"}}\n"))
            server.interrupts.deliver(15)
            let ended = await running.value
            #expect(ended.status == 143 && ended.output == "registered /services/orders/7\n")
            #expect(try await client.children(of: "/services/orders").names.isEmpty)
            #expect(await tool.run("services", "register", "orders").status == 2)
            #expect(await tool.run("services", "register", "orders", "h:x").status == 2)
            await client.close()
        }
    }

    @Test(
        "Addresses come with and without a port",
        arguments: [
            ("host", "host", nil), ("host:80", "host", 80), ("[::1]:443", "::1", 443), ("::1", "::1", nil),
            ("[::1]", "::1", nil),
        ] as [(String, String, Int?)])
    func places(_ text: String, _ address: String, _ port: Int?) throws {
        let place = try ServicesTool.place(text)
        #expect(place.address == address && place.port == port)
    }

    @Test("A command runs while the lock is held, knows the token and passes its status on")
    func lock() async throws {
        try await withServer { server in
            let tool = ToolFixture(server: server.connectString)
            let script = "test \"$CONCLAVE_LOCK_PATH\" = /l && test \"$CONCLAVE_FENCING_TOKEN\" -gt 0 && exit 7"
            #expect(await tool.run("lock", "/l", "--", "sh", "-c", script) == .init(status: 7, output: "", errors: ""))
            #expect(await tool.run("elect", "/m", "--", "sh", "-c", "kill -9 $$").status == 137)
            let missing = await tool.run("lock", "/l", "--", "no-such-command")
            #expect(missing.status == 127 && missing.errors.contains("not found along PATH"))
            #expect(await tool.run("lock", "/l", "--", "/").status == 126)
            #expect(await tool.run("inspect", "/l").output == "/l: nobody holds, nobody waits\n")
        }
    }

    @Test("Who does not get the lock is told who has it, and who looks sees both")
    func contended() async throws {
        try await withServer { server in
            let tool = ToolFixture(server: server.connectString)
            let client = try await ZooKeeperClient.connect(to: server.connectString)
            try await client.ensurePath("/l")
            let node = try await client.create("/l/x-lock-", Array("other".utf8), mode: .ephemeralSequential)
            let failure = "conclave lock: the lock at /l was not acquired, held by other\n"
            for words in [["--try"], ["--timeout", "20ms"], ["--shared", "--try"]] {
                let result = await tool.run(["lock", "/l"] + words + ["--", "true"])
                #expect(result == .init(status: 4, output: "", errors: failure))
            }
            let shown = await tool.run("inspect", "/l").output
            #expect(shown.hasPrefix("/l: held by other, nobody waits\n") && shown.contains("holds"))
            let json = await tool.run("inspect", "/l", "--json").output
            #expect(
                json.hasPrefix(
                    "{\"path\":\"/l\",\"contenders\":[{\"position\":0,\"holds\":true,\"shared\":false,\"identity\":\"other\""
                ))
            try await client.delete(node.path)
            #expect(await tool.run("lock", "/l", "--shared", "--", "true").status == 0)
            await client.close()
        }
    }

    @Test("A command whose lock is lost is stopped, also when it ignores the polite signal")
    func lost() async throws {
        try await withServer { server in
            let client = try await ZooKeeperClient.connect(to: server.connectString)
            for script in ["while :; do sleep 0.01; done", "trap '' TERM; while :; do sleep 0.01; done"] {
                let tool = ToolFixture(server: server.connectString)
                let started = StartMark()
                defer { started.remove() }
                let running = Task {
                    await tool.run("lock", "/l", "--grace", "50ms", "--", "sh", "-c", started.command + script)
                }
                // A node that is removed before the lock is held is made again.
                await started.wait()
                let names = try await client.children(of: "/l").names
                try await client.delete("/l/" + names[0])
                let result = await running.value
                #expect(result.status == 5)
                #expect(result.errors.contains("/l is lost: the node that stood for the hold was removed"))
            }
            await client.close()
        }
    }

    @Test("A signal reaches the command, and the lock is free when it has ended")
    func forwarded() async throws {
        try await withServer { server in
            let client = try await ZooKeeperClient.connect(to: server.connectString)
            let tool = ToolFixture(server: server.connectString)
            let started = StartMark()
            defer { started.remove() }
            let script = "trap 'exit 9' TERM; " + started.command + "while :; do sleep 0.01; done"
            let running = Task { await tool.run("lock", "/l", "--", "sh", "-c", script) }
            await started.wait()
            tool.interrupts.deliver(15)
            #expect(await running.value.status == 9)
            try await client.waitForChildren(0, of: "/l")
            await client.close()
        }
    }

    @Test("Whoever waits for a lock can be interrupted")
    func interrupted() async throws {
        try await withServer { server in
            let client = try await ZooKeeperClient.connect(to: server.connectString)
            try await client.ensurePath("/l")
            try await client.create("/l/x-lock-", [], mode: .ephemeralSequential)
            let tool = ToolFixture(server: server.connectString)
            let running = Task { await tool.run("lock", "/l", "--", "true") }
            try await client.waitForChildren(2, of: "/l")
            tool.interrupts.deliver(2)
            #expect(await running.value.status == 130)
            try await client.waitForChildren(1, of: "/l")
            await client.close()
        }
    }

    // MARK: Shell and server

    @Test("One command of the shell, from the arguments")
    func shell() async throws {
        try await withServer { server in
            let tool = ToolFixture(server: server.connectString)
            #expect(
                await tool.run("shell", "create", "/a", "x") == .init(status: 0, output: "", errors: "Created /a\n"))
            #expect(await tool.run("shell", "ls", "-s", "/a").output.hasPrefix("[]\ncZxid = "))
            #expect(await tool.run("shell", "get", "/nope").status == 1)
            #expect(await tool.run("shell", "foo").status == 127)
            let chroot = await tool.run("shell", "--server", server.connectString + "/a", "ls", "/")
            #expect(chroot.output == "[]\n")
        }
    }

    @Test("A server starts, says so, stops when asked and refuses what cannot be")
    func server() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "conclave-\(UUID().uuidString)").path()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let tool = ToolFixture()
        let running = Task { await tool.run("server", "--data-dir", directory, "--client-port", "0") }
        var address: String?
        while address == nil {
            address = tool.output.text.firstMatch(of: /serving clients on (\S+)\n/).map { String($0.1) }
            await Task.yield()
        }
        let other = ToolFixture(server: address)
        #expect(await other.run("shell", "create", "/a", "x").status == 0)
        let port = address?.split(separator: ":").last.map(String.init) ?? ""
        let used = await other.run("server", "--data-dir", directory + "-2", "--client-port", port)
        #expect(used.status == 1 && used.errors.contains("in use"))
        #expect(!used.errors.contains("serving"))
        let shared = await other.run("server", "--data-dir", directory, "--client-port", "0")
        #expect(shared.status == 1 && shared.errors.contains(directory))
        try? FileManager.default.removeItem(atPath: directory + "-2")
        tool.interrupts.deliver(15)
        #expect(await running.value.status == 0)
    }

    @Test("A configuration that cannot be used is refused with file and line")
    func badConfiguration() async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "conclave-\(UUID().uuidString).cfg")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data("dataDir=/x\nclientPort=0\ntickTime=none\n".utf8).write(to: file)
        let tool = ToolFixture()
        let bad = await tool.run("server", file.path())
        #expect(bad.status == 1 && bad.errors.hasPrefix("conclave server: \(file.path()):3: tickTime=none: "))
        let missing = await tool.run("server", file.path() + "-none")
        #expect(missing.status == 1 && missing.errors.contains("No such file"))
        #expect(await tool.run("server").status == 2)
        #expect(await tool.run("server", file.path(), "--data-dir", "/x").status == 2)
    }

    @Test(
        "The address for clients may bring the port",
        arguments: [
            (["--listen", "0.0.0.0"], "0.0.0.0", 2181), (["--listen", "::"], "::", 2181),
            (["--listen", "localhost:7"], "localhost", 7), (["--listen", "[::1]:7"], "::1", 7),
            (["--listen", "::1", "--client-port", "8"], "::1", 8),
        ])
    func listening(_ words: [String], _ address: String, _ port: Int) throws {
        let parsed = try ArgumentParser(ServerTool.specification).parse(["--data-dir", "/x"] + words)
        let configuration = try ServerTool.configuration(parsed, ToolFixture().context)
        #expect(configuration.clientAddress == address && configuration.clientPort == port)
    }

    @Test(
        "An address with a wrong port is refused",
        arguments: [["localhost:x"], ["localhost:65536"], ["localhost:"], ["localhost:7", "--client-port", "7"]])
    func refusedPort(_ words: [String]) async {
        let result = await ToolFixture().run(["server", "--data-dir", "/x", "--listen"] + words)
        #expect(result.status == 2 && result.errors.contains("port"), "\(result)")
    }
}
