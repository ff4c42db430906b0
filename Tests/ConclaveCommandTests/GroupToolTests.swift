import ConclaveClient
import ConclaveCommandKit
import ConclaveCore
import ConclaveServer
import Recipes
import TestLanes
import Testing

/// `members`, `progress` and `commands` against a server, as scripts see them.
@Suite("Tools for groups, end to end", .live)
struct GroupToolTests {
    /// Waits until a tool that runs has written so many lines.
    static func lines(_ tool: ToolFixture, _ count: Int) async -> [String] {
        while true {
            let lines = tool.output.text.split(separator: "\n").map(String.init)
            if lines.count >= count { return lines }
            await Task.yield()
        }
    }

    @Test("Members join until they are asked to end; list, watch and health see them")
    func members() async throws {
        try await withServer { server in
            let tool = ToolFixture(server: server.connectString)
            #expect(await tool.run("members", "list", "/g") == .init(status: 0, output: "", errors: ""))
            let watcher = ToolFixture(server: server.connectString)
            let watching = Task { await watcher.run("members", "watch", "/g", "--count", "2") }
            let joiner = ToolFixture(server: server.connectString)
            let joining = Task {
                await joiner.run("members", "join", "/g", "a", "--payload", "hello", "--beat", "50ms")
            }
            #expect(await Self.lines(joiner, 1) == ["joined /g/a"])
            #expect(await Self.lines(watcher, 1) == ["joined a \"hello\""])
            #expect(await tool.run("members", "list", "/g").output.contains("hello"))
            let json = await tool.run("members", "list", "/g", "--json").output
            #expect(json.hasPrefix(#"{"name":"a","identity":"a","payload":"hello","session":"0x"#))
            let health = await tool.run("members", "health", "/g", "--suspect-after", "1m", "--count", "1").output
            #expect(health.hasPrefix("a alive, last heard "))
            let refused = await tool.run("members", "join", "/g", "a", "--timeout", "0")
            #expect(refused.status == 1 && refused.errors.contains("another session is a member"))
            joiner.interrupts.deliver(15)
            #expect(await joining.value.status == 143)
            #expect(await watching.value.output == "joined a \"hello\"\nleft a \"hello\"\n")
            #expect(await tool.run("members", "list", "/g").output.isEmpty)
        }
    }

    @Test("Progress is shown with totals, also of finished workers, and cleared")
    func progress() async throws {
        try await withServer { server in
            let tool = ToolFixture(server: server.connectString)
            #expect(await tool.run("progress", "show", "/p").output == "no workers\n")
            let client = try await ZooKeeperClient.connect(to: server.connectString)
            let board = ProgressBoard(client, at: "/p")
            try await board.withWorker("a", total: 10) { worker in
                ProgressTool.report("7 loading", to: worker)
                ProgressTool.report("still loading", to: worker)
                ProgressTool.report("", to: worker)
                #expect(worker.current == ProgressReport(done: 7, total: 10, text: "still loading"))
            }
            let shown = await tool.run("progress", "show", "/p").output
            #expect(shown.hasPrefix("7 of 10 (70%), 1 finished\n") && shown.contains("still loading"))
            let json = await tool.run("progress", "watch", "/p", "--count", "1", "--json").output
            #expect(json.hasPrefix(#"{"done":7,"total":10,"rate":0.0,"workers":[{"name":"a","state":"finished""#))
            #expect(await tool.run("progress", "clear", "/p").output == "removed 1\n")
            await client.close()
        }
    }

    @Test("Commands are published, followed, acknowledged, shown and removed")
    func commands() async throws {
        try await withServer { server in
            let tool = ToolFixture(server: server.connectString)
            let follower = ToolFixture(server: server.connectString)
            let following = Task { await follower.run("commands", "follow", "/c", "a", "--oldest", "--count", "2") }
            #expect(await tool.run("commands", "publish", "/c", "one").output == "0\n")
            _ = await Self.lines(follower, 1)
            let done = await tool.run("commands", "publish", "/c", "two", "--wait")
            #expect(done == .init(status: 0, output: "1\n", errors: ""))
            #expect(await following.value == .init(status: 0, output: "one\ntwo\n", errors: ""))
            #expect(await tool.run("commands", "clients", "/c").output == "a  offline  up to 1\n")
            #expect(await tool.run("commands", "publish", "/c", "three").output == "2\n")
            let late = await tool.run("commands", "wait", "/c", "2", "--timeout", "20ms")
            #expect(late.status == 4 && late.errors.contains("0 done, 1 to go: a (offline)"))
            let status = await tool.run("commands", "status", "/c", "1").output
            #expect(status.hasPrefix("command 1: 1 done, 0 to go  \"two\"\n  a  ") && status.hasSuffix("  printed\n"))
            let json = await tool.run("commands", "status", "/c", "2", "--json").output
            #expect(
                json.hasPrefix(#"{"number":2,"text":"three","published":"#)
                    && json.hasSuffix(
                        #""acknowledged":[],"pending":[{"client":"a","online":false,"started":false}]}"# + "\n")
            )
            #expect(await tool.run("commands", "forget", "/c", "a").status == 0)
            #expect(await tool.run("commands", "wait", "/c", "2").status == 0)
            #expect(await tool.run("commands", "prune", "/c", "--keep", "1").output == "removed 2\n")
            #expect(await tool.run("commands", "withdraw", "/c", "2").status == 0)
            #expect(await tool.run("commands", "withdraw", "/c", "2").status == 1)
            #expect(await tool.run("commands", "wait", "/c", "2").status == 1)
        }
    }

    @Test(
        "Mistakes are told before anything is connected",
        arguments: [
            (["members", "lsit", "/g"], "did you mean list?"),
            (["members", "join", "/g"], "join takes 2 arguments, not 1"),
            (["members", "list", "/g", "--beat", "1s"], "--beat is for join"),
            (["progress", "report", "/p"], "report takes 2 arguments"),
            (["commands", "wait", "/c", "x"], "wait takes the number of a command"),
            (["commands", "status", "/c", "--wait"], "--wait is for publish"),
        ])
    func mistakes(_ words: [String], _ text: String) async {
        let result = await ToolFixture(server: "127.0.0.1:1").run(words)
        #expect(result.status == 2 && result.errors.contains(text), "\(result)")
    }
}
