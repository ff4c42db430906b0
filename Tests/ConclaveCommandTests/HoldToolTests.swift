import ConclaveClient
import ConclaveCommandKit
import ConclaveCore
import ConclaveServer
import Recipes
import TestLanes
import Testing

@Suite("Semaphores, revocation and lock-delay from the command line", .live)
struct HoldToolTests {
    @Test("A command runs with a lease; who gets none is told how many are out")
    func semaphore() async throws {
        try await withServer { server in
            let tool = ToolFixture(server: server.connectString)
            let script = "test \"$CONCLAVE_LOCK_PATH\" = /s && test \"$CONCLAVE_FENCING_TOKEN\" -gt 0 && exit 7"
            #expect(
                await tool.run("semaphore", "/s", "--limit", "2", "--", "sh", "-c", script)
                    == .init(status: 7, output: "", errors: ""))
            let client = try await ZooKeeperClient.connect(to: server.connectString)
            let lease = try await Semaphore(client, at: "/s", limit: 2, identity: "other").acquire(permits: 2)
            for words in [["--try"], ["--timeout", "20ms"], ["--permits", "2", "--try"]] {
                let result = await tool.run(["semaphore", "/s", "-n", "2"] + words + ["--", "true"])
                #expect(
                    result
                        == .init(
                            status: 4, output: "",
                            errors: "conclave semaphore: no lease of /s was to be had, 2 of 2 are out\n"))
            }
            #expect(await tool.run("inspect", "/s").output.hasPrefix("/s: shared by 2, nobody waits\n"))
            await lease.release()
            #expect(await tool.run("inspect", "/s").output == "/s: nobody holds, nobody waits\n")
            #expect(await tool.run("semaphore", "/s", "--", "true").status == 2)
            #expect(await tool.run("semaphore", "/s", "--limit", "-1", "--", "true").status == 2)
            #expect(await tool.run("semaphore", "/s", "--limit", "1", "--set-limit", "--", "true").status == 2)
            #expect(await tool.run("semaphore", "/s", "--limit", "1", "--permits", "2", "--", "true").status == 1)
            await client.close()
        }
    }

    @Test("A limit in a node is made, changed and respected")
    func limitNode() async throws {
        try await withServer { server in
            let tool = ToolFixture(server: server.connectString)
            let client = try await ZooKeeperClient.connect(to: server.connectString)
            #expect(await tool.run("semaphore", "/s", "--limit-node", "/most/of/s", "--", "true").status == 0)
            #expect(try await client.data(at: "/most/of/s").bytes == [0, 0, 0, 1])
            let raise = ["semaphore", "/s", "--limit-node", "/most/of/s", "--limit", "3", "--set-limit"]
            #expect(await tool.run(raise + ["--permits", "3", "--", "true"]).status == 0)
            #expect(try await client.data(at: "/most/of/s").bytes == [0, 0, 0, 3])
            try await client.setData(at: "/most/of/s", to: [1])
            let bad = await tool.run("semaphore", "/s", "--limit-node", "/most/of/s", "--", "true")
            #expect(bad.status == 1 && bad.errors.contains("four bytes"))
            await client.close()
        }
    }

    @Test("A revocable command is stopped when somebody asks for its lock or lease, others go on")
    func revoked() async throws {
        try await withServer { server in
            for words in [["lock", "/l"], ["semaphore", "/s", "--limit", "1"]] {
                let tool = ToolFixture(server: server.connectString)
                let started = StartMark()
                defer { started.remove() }
                let script = started.command + "while :; do sleep 0.01; done"
                let running = Task {
                    await tool.run(words + ["--revocable", "--identity", "me", "--", "sh", "-c", script])
                }
                await started.wait()
                let other = ToolFixture(server: server.connectString)
                #expect(await other.run("revoke", words[1]) == .init(status: 0, output: "asked me\n", errors: ""))
                let result = await running.value
                #expect(result.status == 6)
                #expect(result.errors.contains("\(words[1]) is asked for by somebody else; stopping sh"))
                let nobody = await other.run("revoke", words[1])
                #expect(nobody == .init(status: 1, output: "", errors: "conclave revoke: nobody holds \(words[1])\n"))
            }
        }
    }

    @Test("A lost lock with a delay keeps the next one waiting")
    func lockDelay() async throws {
        try await withServer { server in
            let tool = ToolFixture(server: server.connectString)
            let client = try await ZooKeeperClient.connect(to: server.connectString)
            let script = "exec sleep 60"
            let running = Task {
                await tool.run("lock", "/l", "--lock-delay", "1h", "--grace", "50ms", "--", "sh", "-c", script)
            }
            try await client.waitForChildren(2, of: "/l")
            let names = try await client.children(of: "/l").names
            for name in names where name.contains("-lock-") { try await client.delete("/l/" + name) }
            #expect(await running.value.status == 5)
            let other = ToolFixture(server: server.connectString)
            let tried = await other.run("lock", "/l", "--try", "--", "true")
            #expect(tried.status == 4, "\(tried)")
            #expect(await other.run("lock", "/l", "--lock-delay", "2h", "--", "true").status == 1)
            #expect(await other.run("lock", "/l", "--shared", "--lock-delay", "1s", "--", "true").status == 2)
            await client.close()
        }
    }

    @Test("The line of those who wait says for whom and how many are before them")
    func waitingLine() async throws {
        try await withServer { server in
            let client = try await ZooKeeperClient.connect(to: server.connectString)
            let others = try await ZooKeeperClient.connect(to: server.connectString)
            try await client.ensurePath("/l")
            let first = try await others.create("/l/x-lock-", Array("host-7".utf8), mode: .ephemeralSequential)
            func line() async throws -> String {
                WaitingLine.text(
                    "/l", try await Contenders(client, at: "/l").list(), session: client.sessionID)
            }
            #expect(try await line() == "waiting for /l: held by host-7")
            try await others.create("/l/x-lock-", [], mode: .ephemeralSequential)
            try await others.create("/l/x-lock-", [], mode: .ephemeralSequential)
            try await client.create("/l/x-lock-", [], mode: .ephemeralSequential)
            try await others.create("/l/x-lock-", [], mode: .ephemeralSequential)
            #expect(try await line() == "waiting for /l: held by host-7, 2 in the queue before us")
            try await others.delete(first.path)
            #expect(
                try await line() == "waiting for /l: held by session \(others.sessionID), 1 in the queue before us")
            #expect(WaitingLine.text("/l", [], session: client.sessionID) == "waiting for /l")
            await client.close()
            await others.close()
        }
    }
}
