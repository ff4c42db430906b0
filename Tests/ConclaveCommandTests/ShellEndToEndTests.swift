import ConclaveClient
import ConclaveCommandKit
import ConclaveServer
import TestLanes
import Testing

/// The shell's commands against a server, with the outputs that the reference's shell has.
@Suite("Shell, end to end", .live)
struct ShellEndToEndTests {
    /// A shell with its outputs in memory.
    private final class Shell: Sendable {
        let output = MemorySink()
        let errors = MemorySink()
        let session: ShellSession
        private let reports: AsyncStream<String>

        init(_ server: ZooKeeperServer) async throws {
            let (reports, send) = AsyncStream.makeStream(of: String.self)
            self.reports = reports
            session = ShellSession(
                server: server.connectString, options: ZooKeeperClient.Options(),
                console: Console(output: output, errors: errors), report: { send.yield($0) })
            try await session.connect()
        }

        /// Runs a line: what went to the output, what went to the errors, the status.
        func run(_ line: String) async -> [String] {
            let outcome = await session.execute(line: line)
            let status = if case .status(let number) = outcome { "\(number)" } else { "quit" }
            return [output.take(), errors.take(), status]
        }

        /// The next thing that was reported without having been asked for.
        func report() async -> String? {
            var iterator = reports.makeAsyncIterator()
            return await iterator.next()
        }
    }

    private func withShell(_ body: (Shell) async throws -> Void) async throws {
        try await withServer { server in
            let shell = try await Shell(server)
            try await body(shell)
            await shell.session.close()
        }
    }

    @Test("Nodes are made, read, changed and deleted")
    func nodes() async throws {
        try await withShell { shell in
            #expect(await shell.run("create /a hello") == ["", "Created /a\n", "0"])
            #expect(await shell.run("create /a hello") == ["", "Node already exists: /a\n", "1"])
            #expect(await shell.run("create -s /a/s x") == ["", "Created /a/s0000000000\n", "0"])
            #expect(await shell.run("create -e -s /a/e") == ["", "Created /a/e0000000001\n", "0"])
            #expect(await shell.run("create -c /a/c") == ["", "Created /a/c\n", "0"])
            #expect(
                await shell.run("create \"/a/two words\" 'with \"quotes\"'") == ["", "Created /a/two words\n", "0"])
            #expect(await shell.run("get \"/a/two words\"") == ["with \"quotes\"\n", "", "0"])
            #expect(await shell.run("get /a") == ["hello\n", "", "0"])
            #expect(await shell.run("get /a/c") == ["null\n", "", "0"])
            #expect(await shell.run("set /a -1") == ["", "", "0"])
            #expect(
                await shell.run("get -x /a") == [
                    "00000000  2d 31" + String(repeating: " ", count: 44) + "-1\n", "", "0",
                ])
            #expect(await shell.run("set -b /a aGk=") == ["", "", "0"])
            #expect(await shell.run("get -b /a") == ["aGk=\n", "", "0"])
            #expect(await shell.run("ls /a") == ["[c, e0000000001, s0000000000, two words]\n", "", "0"])
            #expect(await shell.run("ls -R /a")[0] == "/a\n/a/c\n/a/e0000000001\n/a/s0000000000\n/a/two words\n")
            #expect(await shell.run("getEphemerals") == ["[/a/e0000000001]\n", "", "0"])
            #expect(await shell.run("getAllChildrenNumber /a") == ["4\n", "", "0"])
            #expect(await shell.run("delete /a") == ["", "Node not empty: /a\n", "1"])
            #expect(await shell.run("delete -v 7 /a/c") == ["", "version No is not valid : /a/c\n", "1"])
            #expect(
                await shell.run("create /a/e0000000001/x") == [
                    "", "Ephemerals cannot have children: /a/e0000000001/x\n", "1",
                ])
            #expect(await shell.run("deleteall /a") == ["", "", "0"])
            #expect(await shell.run("get /a") == ["", "Node does not exist: /a\n", "1"])
            #expect(await shell.run("sync /") == ["Sync is OK\n", "", "0"])
        }
    }

    @Test("A stat has the reference's lines")
    func stat() async throws {
        try await withShell { shell in
            _ = await shell.run("create /a hello")
            for line in ["stat /a", "get -s /a", "ls -s /a", "set -s /a world"] {
                let lines = await shell.run(line)[0].split(separator: "\n").suffix(11).map {
                    $0.split(separator: " ")[0]
                }
                #expect(
                    lines == [
                        "cZxid", "ctime", "mZxid", "mtime", "pZxid", "cversion", "dataVersion", "aclVersion",
                        "ephemeralOwner", "dataLength", "numChildren",
                    ])
            }
            #expect(await shell.run("stat /nope") == ["", "Node does not exist: /nope\n", "1"])
        }
    }

    @Test("Access control lists are shown, set and obeyed")
    func access() async throws {
        try await withShell { shell in
            _ = await shell.run("create /a x world:anyone:rwa,ip:127.0.0.1:cd")
            #expect(await shell.run("getAcl /a")[0] == "'world,'anyone\n: rwa\n'ip,'127.0.0.1\n: cd\n")
            #expect(await shell.run("whoami")[0] == "Auth scheme: User\nip: 127.0.0.1\n")
            #expect(await shell.run("addauth digest bob:secret") == ["", "", "0"])
            #expect(await shell.run("setAcl /a auth::ra") == ["", "", "0"])
            #expect(await shell.run("set /a y") == ["", "Insufficient permission : /a\n", "1"])
            #expect(await shell.run("setAcl -R /a world:anyone:cdrwa") == ["", "", "0"])
            #expect(await shell.run("setAcl /a foo")[1] == "foo does not have the form scheme:id:perm\n")
        }
    }

    @Test("Watches report what they see, one-shot ones once")
    func watches() async throws {
        func event(_ type: String, _ path: String) -> String {
            "\nWATCHER::\n\nWatchedEvent state:SyncConnected type:\(type) path:\(path)"
        }
        try await withShell { shell in
            _ = await shell.run("create /a x")
            _ = await shell.run("get -w /a")
            _ = await shell.run("set /a y")
            #expect(await shell.report() == event("NodeDataChanged", "/a"))
            _ = await shell.run("ls -w /a")
            _ = await shell.run("create /a/b")
            #expect(await shell.report() == event("NodeChildrenChanged", "/a"))
            _ = await shell.run("stat -w /c")
            _ = await shell.run("create /c")
            #expect(await shell.report() == event("NodeCreated", "/c"))
            _ = await shell.run("addWatch /a")
            _ = await shell.run("create /a/b/c")
            _ = await shell.run("delete /a/b/c")
            #expect(await shell.report() == event("NodeCreated", "/a/b/c"))
            #expect(await shell.report() == event("NodeDeleted", "/a/b/c"))
            #expect(await shell.run("removewatches /c") == ["", "KeeperErrorCode = No such watcher for /c\n", "1"])
            #expect(await shell.run("removewatches /a") == ["", "", "0"])
        }
    }

    @Test("Quotas are set, shown and deleted, one in a branch")
    func quotas() async throws {
        try await withShell { shell in
            _ = await shell.run("create /q")
            #expect(await shell.run("setquota -n 5 /nope")[1] == "/nope does not exist.\n")
            #expect(await shell.run("setquota -n 5 /q") == ["", "", "0"])
            #expect(await shell.run("setquota -B 100 /q") == ["", "", "0"])
            let shown = await shell.run("listquota /q")
            #expect(shown[0].hasPrefix("Output quota for /q count=5,bytes=-1=;byteHardLimit=100;countHardLimit=-1\n"))
            #expect(shown[0].hasSuffix("Output stat for /q count=1,bytes=0\n"))
            #expect(shown[1] == "absolute path is /zookeeper/quota/q/zookeeper_limits\n")
            _ = await shell.run("create /q/k")
            #expect(await shell.run("setquota -n 1 /q/k")[1] == "/q/k has a parent /q which has a quota\n")
            #expect(await shell.run("delquota -B /q") == ["", "", "0"])
            #expect(await shell.run("listquota /q")[0].hasPrefix("Output quota for /q count=5,bytes=-1\n"))
            #expect(await shell.run("delquota /q") == ["", "", "0"])
            #expect(await shell.run("delquota /q")[0] == "Quota does not exist for /q\n")
            #expect(await shell.run("ls /zookeeper/quota")[0] == "[]\n")
        }
    }

    @Test("The shell remembers lines, closes, connects and ends")
    func session() async throws {
        try await withShell { shell in
            _ = await shell.run("create /a hello")
            #expect(await shell.run("redo 0") == ["", "Node already exists: /a\n", "1"])
            #expect(
                await shell.run("history")[0] == "0 - create /a hello\n1 - redo 0\n2 - create /a hello\n3 - history\n")
            #expect(await shell.run("redo 99")[1] == "Command index out of range\n")
            #expect(await shell.run("redo 1")[1] == "Command index out of range\n")
            #expect(await shell.run("printwatches")[0] == "printwatches is on\n")
            #expect(await shell.run("printwatches off") == ["", "", "0"])
            #expect(await shell.session.prompt.contains("(CONNECTED)"))
            #expect(await shell.run("close") == ["", "", "0"])
            #expect(await shell.session.prompt.contains("(CLOSED)"))
            #expect(await shell.run("ls /") == ["", "Not connected\n", "1"])
            #expect(await shell.run("connect") == ["", "", "0"])
            #expect(await shell.run("ls /")[0] == "[a, zookeeper]\n")
            #expect(await shell.session.childNames(of: "/") == ["a", "zookeeper"])
            #expect(await shell.session.childNames(of: "/nope") == [])
            #expect(await shell.run("lss /") == ["", "Command not found: lss; did you mean ls?\n", "127"])
            #expect(await shell.run("create 'a b")[1] == "the quotation mark ' is not closed\n")
            #expect(await shell.run("quit") == ["", "", "quit"])
        }
    }

    @Test("Every command of the table is one that the shell runs")
    func everyCommand() async throws {
        try await withShell { shell in
            for command in ShellCommand.all where command.name != "quit" {
                let words = [command.name] + (0..<command.arguments.lowerBound).map { _ in "/zookeeper" }
                // Whether it succeeds does not matter here; it must be known.
                #expect(await shell.session.execute(words) != .status(127))
            }
        }
    }
}
