import ConclaveClient
import ConclaveCommandKit
import ConclaveServer
import TestLanes
import Testing

/// Queues and barriers on the command line.
@Suite("Tools: queues and barriers", .live)
struct GatheringToolTests {
    @Test("Items are put, listed, counted and taken")
    func queue() async throws {
        try await withServer { server in
            let tool = ToolFixture(server: server.connectString)
            #expect(await tool.run("queue", "put", "/q/a", "one", "two", "three").status == 0)
            #expect(await tool.run("queue", "size", "/q/a").output == "3\n")
            #expect(await tool.run("queue", "take", "/q/a", "--count", "2").output == "one\ntwo\n")
            let list = await tool.run("queue", "list", "/q/a", "--json").output
            #expect(list.hasPrefix("{\"name\":\"qn-0000000002\",\"item\":\"three\",\"since\":"))
            #expect(await tool.run("queue", "take", "/q/a", "--json").output == "{\"item\":\"three\"}\n")
            #expect(
                await tool.run("queue", "take", "/q/a", "--try")
                    == .init(status: 4, output: "", errors: "conclave queue: there is no item at /q/a\n"))
            #expect(await tool.run("queue", "take", "/q/a", "--timeout", "10ms").status == 4)
            #expect(await tool.run("queue", "put", "/q/a", "x", "--limit", "1").status == 0)
            #expect(
                await tool.run("queue", "put", "/q/a", "y", "--limit", "1", "--try")
                    == .init(status: 4, output: "", errors: "conclave queue: the queue at /q/a is full\n"))
        }
    }

    @Test("Priorities and delays")
    func forms() async throws {
        try await withServer { server in
            let tool = ToolFixture(server: server.connectString)
            #expect(await tool.run("queue", "put", "/q/p", "later", "--priority", "5").status == 0)
            #expect(await tool.run("queue", "put", "/q/p", "now", "--priority=-5").status == 0)
            let taken = await tool.run("queue", "take", "/q/p", "--form", "priority", "--count", "2")
            #expect(taken.output == "now\nlater\n")
            #expect(await tool.run("queue", "put", "/q/d", "late", "--delay", "1h").status == 0)
            #expect(await tool.run("queue", "put", "/q/d", "soon", "--delay", "10ms").status == 0)
            #expect(await tool.run("queue", "take", "/q/d", "--form", "delay").output == "soon\n")
            #expect(await tool.run("queue", "take", "/q/d", "--form", "delay", "--try").status == 4)
        }
    }

    @Test("A command is run for each item; what fails is tried again, at last it is a dead letter")
    func consume() async throws {
        try await withServer { server in
            let tool = ToolFixture(server: server.connectString)
            #expect(await tool.run("queue", "put", "/q/c", "bad", "good", "better").status == 0)
            let command = ["--", "sh", "-c", "test \"$CONCLAVE_ITEM\" != bad"]
            let error = "conclave queue: sh ended with 1 for qn-0000000000\n"
            let consume = ["queue", "consume", "/q/c", "--deliveries", "2", "--count"]
            // What was given back comes again after those that had been read ahead.
            #expect(await tool.run(consume + ["2"] + command) == .init(status: 0, output: "", errors: error))
            #expect(await tool.run("queue", "put", "/q/c", "best").status == 0)
            #expect(await tool.run(consume + ["1"] + command) == .init(status: 0, output: "", errors: error))
            #expect(await tool.run("queue", "size", "/q/c").output == "0\n")
            #expect(await tool.run("queue", "take", "/q/c-dead", "--try").output == "bad\n")
        }
    }

    @Test("A signal while a command runs is the last: the item goes back, no other is begun")
    func interrupted() async throws {
        try await withServer { server in
            let tool = ToolFixture(server: server.connectString)
            #expect(await tool.run("queue", "put", "/q/i", "it").status == 0)
            let consumer = ToolFixture(server: server.connectString)
            async let consuming = consumer.run("queue", "consume", "/q/i", "--identity", "me", "--", "sleep", "600")
            while await !tool.run("queue", "list", "/q/i").output.contains("with me") {}
            consumer.interrupts.deliver(15)
            #expect(await consuming.status == 143)
            let list = await tool.run("queue", "list", "/q/i").output
            #expect(list.contains("tried 1×") && !list.contains("with me"))
        }
    }

    @Test("Mistakes are told")
    func mistakes() async {
        let tool = ToolFixture()
        for (words, message) in [
            (["queue", "putt", "/a"], "did you mean put?"), (["queue", "take", "/a", "b"], "takes nothing but PATH"),
            (["queue", "consume", "/a"], "the command to run is missing"),
            (["queue", "put", "/a", "x", "--priority", "1", "--delay", "1s"], "exclude each other"),
            (["queue", "take", "/a", "--form", "lifo"], "must be fifo, priority or delay"),
            (["queue", "put", "/a", "x", "--layout", "none"], "must be zookeeper, curator or kazoo"),
            (["barrier", "mete", "/a"], "did you mean meet?"), (["barrier", "await", "/a"], "await needs --count"),
            (["barrier", "open", "/a", "b"], "takes nothing but PATH"),
            (["barrier", "together", "/a", "--count", "2"], "the command to run is missing"),
            (["barrier", "pass", "/a", "--breaks"], "--breaks is for meet and together"),
            (["barrier", "close", "/"], "PATH must begin with /"),
            (["queue", "put", "a", "b"], "PATH must begin with /"),
        ] {
            let result = await tool.run(words)
            #expect(result.status == 2 && result.errors.contains(message), "\(words): \(result.errors)")
        }
    }

    @Test("Gates, meetings, double barriers and latches")
    func barriers() async throws {
        try await withServer { server in
            let tool = ToolFixture(server: server.connectString)
            #expect(await tool.run("barrier", "pass", "/b/gate").status == 0)
            #expect(await tool.run("barrier", "close", "/b/gate").status == 0)
            #expect(await tool.run("barrier", "pass", "/b/gate", "--timeout", "10ms").status == 4)
            #expect(await tool.run("barrier", "open", "/b/gate").status == 0)
            #expect(await tool.run("barrier", "pass", "/b/gate").status == 0)

            async let first = ToolFixture(server: server.connectString).run("barrier", "meet", "/b/m", "--count", "2")
            async let second = ToolFixture(server: server.connectString).run("barrier", "meet", "/b/m", "--count", "2")
            #expect(await [first, second].map(\.output) == ["round 0\n", "round 0\n"])

            async let third = ToolFixture(server: server.connectString)
                .run("barrier", "together", "/b/t", "--count", "2", "--", "sh", "-c", "exit 7")
            async let fourth = ToolFixture(server: server.connectString)
                .run("barrier", "together", "/b/t", "--count", "2", "--", "true")
            #expect(await [third, fourth].map(\.status) == [7, 0])

            #expect(
                await tool.run("barrier", "count-down", "/b/l", "--count", "2", "--json").output == "{\"left\":1}\n")
            #expect(await tool.run("barrier", "await", "/b/l", "--count", "2", "--timeout", "10ms").status == 4)
            let named = ["barrier", "count-down", "/b/l", "--count", "2", "--identity", "x"]
            #expect(await tool.run(named).output == "0 left\n")
            #expect(await tool.run(named).output == "0 left\n")
            #expect(await tool.run("barrier", "await", "/b/l", "--count", "2").status == 0)
        }
    }
}
