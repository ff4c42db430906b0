import ConclaveClient
import ConclaveCore
import ConclaveWire
import TestLanes
import Testing

@Suite(.live) struct ConnectionTests {
    @Test("Closing sends the request, waits for what was asked before, and ends for every caller")
    func close() async throws {
        let server = try FakeServer()
        defer { server.stop() }
        let (client, peer) = try await server.client()
        async let data = client.data(at: "/a")
        let (first, _) = try await peer.request()
        async let one: Void = client.close()
        async let two: Void = client.close()
        let (last, body) = try await peer.request()
        #expect(body == .closeSession)
        let refused = await LostConnectionTests.error { try await client.delete("/b") }
        #expect(refused?.code == .closed)
        peer.reply(first, .data([5], .owned()), to: .getData)
        #expect(try await data.bytes == [5])
        peer.reply(last)
        await one
        await two
        await client.close()
        #expect(client.state == .closed)
        #expect(await peer.isClosed())
    }

    @Test("Closing does not wait for ever for a server that does not answer")
    func closeUnanswered() async throws {
        let server = try FakeServer()
        defer { server.stop() }
        let (client, peer) = try await server.client(timeout: 9_000)
        async let call = LostConnectionTests.error { _ = try await client.data(at: "/a") }
        _ = try await peer.request()
        await client.close()
        #expect(await call?.code == .closed)
    }

    @Test("A client that is dropped ends its session and its connection")
    func dropped() async throws {
        let server = try FakeServer()
        defer { server.stop() }
        let peer: FakePeer
        do {
            let (client, connected) = try await server.client()
            _ = client
            peer = connected
        }
        let (xid, body) = try await peer.request()
        #expect(body == .closeSession)
        peer.reply(xid)
        #expect(await peer.isClosed())
    }

    @Test("The scoped form closes after the body, also when it throws")
    func scoped() async throws {
        struct Failure: Error {}
        let server = try FakeServer()
        defer { server.stop() }
        async let result: Void = withZooKeeperClient(connectedTo: server.connectString) { _ in throw Failure() }
        let peer = try await server.session().peer
        let (xid, body) = try await peer.request()
        #expect(body == .closeSession)
        peer.reply(xid)
        do {
            try await result
            Issue.record("the error of the body is lost")
        } catch is Failure {
            // As thrown.
        }
    }

    @Test("Answers that come byte by byte, and many in one piece, are all understood")
    func pieces() async throws {
        let server = try FakeServer()
        defer { server.stop() }
        let (client, peer) = try await server.client()
        async let stat = client.exists("/a")
        let (xid, _) = try await peer.request()
        for byte in FakePeer.replyFrame(xid, .stat(.owned(czxid: 3)), to: .exists) { peer.send([byte]) }
        #expect(try await stat?.czxid == Zxid(rawValue: 3))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<200 { group.addTask { try await client.sync("/\(number)") } }
            var answers: [UInt8] = []
            for _ in 0..<200 {
                let (xid, body) = try await peer.request()
                guard case .sync(let path) = body else { return #expect(Bool(false)) }
                answers += FakePeer.replyFrame(xid, .path(path.text), to: .sync)
            }
            peer.send(answers)
            try await group.waitForAll()
        }
    }

    @Test("More than the socket takes is sent when it takes more, in order and complete")
    func fullSocket() async throws {
        let server = try FakeServer()
        defer { server.stop() }
        async let connecting = ZooKeeperClient.connect(to: server.connectString)
        let peer = try await server.session().peer
        let client = try await connecting
        let data = [UInt8](repeating: 7, count: 900_000)
        peer.pauseReading()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<12 { group.addTask { try await client.setData(at: "/\(number)", to: data) } }
            while client.shell.load.waiters < 12 { await Task.yield() }
            peer.resumeReading()
            for _ in 0..<12 {
                let (xid, body) = try await peer.request()
                guard case .setData(_, let sent, _) = body else { return #expect(Bool(false)) }
                #expect(sent?.count == data.count)
                peer.reply(xid, .stat(.owned()), to: .setData)
            }
            try await group.waitForAll()
        }
    }

    @Test("Requests in one task keep their order, whoever sends them")
    func order() async throws {
        let server = try FakeServer()
        defer { server.stop() }
        let (client, peer) = try await server.client()
        let tasks = (0..<4).map { task in
            Task { for number in 0..<100 { try await client.sync("/\(task)/\(number)") } }
        }
        var next = [0, 0, 0, 0]
        for _ in 0..<400 {
            let (xid, body) = try await peer.request()
            guard case .sync(let path) = body else { return #expect(Bool(false)) }
            let parts = path.text.split(separator: "/").compactMap { Int($0) }
            #expect(next[parts[0]] == parts[1])
            next[parts[0]] += 1
            peer.reply(xid, .path(path.text), to: .sync)
        }
        for task in tasks { try await task.value }
    }

    @Test("A call without an answer in the time allowed fails as such, and the connection is given up")
    func requestTimeout() async throws {
        let server = try FakeServer()
        defer { server.stop() }
        let (client, peer) = try await server.client { $0.requestTimeout = .milliseconds(50) }
        async let call = LostConnectionTests.error { _ = try await client.data(at: "/a") }
        _ = try await peer.request()
        let error = await call
        #expect(error?.code == .requestTimeout)
        #expect(error?.isOutcomeUnknown == true)
        #expect(await peer.isClosed())
        _ = try await server.session()
    }

    @Test("Paths, options and connect strings that make no sense are refused before anything is sent")
    func badArguments() async throws {
        let server = try FakeServer()
        defer { server.stop() }
        let (client, _) = try await server.client()
        for path in ["", "a", "/a/", "//", "/a/../b", "/a\u{0}"] {
            let error = await LostConnectionTests.error { _ = try await client.create(path) }
            #expect(error?.code == .badArguments)
            #expect(error?.path == path)
        }
        let tooLong = [UInt8](repeating: 0, count: 1_048_576)
        #expect(
            await LostConnectionTests.error { try await client.setData(at: "/a", to: tooLong) }?.code == .badArguments)
        var options = ZooKeeperClient.Options()
        options.sessionTimeout = .zero
        let bad = options
        #expect(
            await LostConnectionTests.error { _ = try await ZooKeeperClient.connect(to: "a", options: bad) }?.code
                == .badArguments)
        #expect(
            await LostConnectionTests.error { _ = try await ZooKeeperClient.connect(to: "a:1:x") }?.code
                == .badArguments)
    }

    @Test("A failed transaction names its first failure: code, path and place")
    func failedTransaction() async throws {
        let server = try FakeServer()
        defer { server.stop() }
        let (client, peer) = try await server.client(chroot: "/shop")
        async let call = LostConnectionTests.error {
            try await client.transaction([.check("/a"), .delete("/b"), .setData("/c", [])])
        }
        let (xid, body) = try await peer.request()
        #expect(
            body
                == .multi([
                    .check(path: "/shop/a", version: -1), .delete(path: "/shop/b", version: -1),
                    .setData(path: "/shop/c", data: [], version: -1),
                ]))
        peer.reply(xid, .multi(MultiResult.failures(count: 3, failedAt: 1, .notEmpty)), to: .multi)
        let error = await call
        #expect(error?.code == .notEmpty)
        #expect(error?.path == "/b")
        #expect(error?.message.contains("operation 1 of 3 (delete)") == true)
    }

    @Test("A client at a read-only server asks the others, moves to one with a quorum, and holds only then")
    func readOnly() async throws {
        let (poor, rich) = (try FakeServer(), try FakeServer())
        defer {
            poor.stop()
            rich.stop()
        }
        rich.refuse(true)
        var options = ZooKeeperClient.Options()
        options.allowsReadOnly = true
        let chosen = options
        async let connecting = ZooKeeperClient.connect(
            to: poor.connectString + "," + rich.connectString, options: chosen)
        let peer = await poor.connection()
        #expect(try await peer.connectRequest().readOnly == true)
        peer.accept(readOnly: true)
        let client = try await connecting
        #expect(client.state == .readOnly)
        #expect(!client.isHolding)
        rich.answerProbes("rw")
        rich.refuse(false)
        let (_, request) = try await rich.session()
        #expect(request.session == SessionID.none)
        await LostConnectionTests.wait(for: .connected, of: client)
        #expect(client.isHolding)
    }
}
