import ConclaveClient
import ConclaveCore
import ConclaveWire
import TestLanes
import Testing

@Suite(.live) struct CancellationTests {
    @Test("A cancelled call ends at once; its late answer is swallowed and the next call gets its own")
    func lateAnswer() async throws {
        let server = try FakeServer()
        defer { server.stop() }
        let (client, peer) = try await server.client()
        let task = Task { await LostConnectionTests.error { _ = try await client.data(at: "/slow") } }
        let slow = try await peer.request()
        task.cancel()
        let error = await task.value
        #expect(error?.code == .cancelled)
        #expect(error?.message.contains("outcome is unknown") == true)
        async let stat = client.exists("/next")
        let next = try await peer.request()
        peer.reply(slow.xid, .data([1], .owned()), to: .getData)
        peer.reply(next.xid, .stat(.owned(czxid: 7)), to: .exists)
        #expect(try await stat?.czxid == Zxid(rawValue: 7))
        #expect(client.shell.load == (0, 0, 0))
    }

    @Test("A call in a task that was cancelled before is not sent")
    func cancelledBefore() async throws {
        let server = try FakeServer()
        defer { server.stop() }
        let (client, peer) = try await server.client()
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return await LostConnectionTests.error { try await client.delete("/a") }
        }
        let error = await task.value
        #expect(error?.code == .cancelled)
        #expect(error?.message.contains("not sent") == true)
        async let sync: Void = client.sync()
        let (xid, body) = try await peer.request()
        #expect(body == .sync(path: "/"))
        peer.reply(xid, .path("/"), to: .sync)
        try await sync
    }

    @Test("A watch that a cancelled call arms is removed at the server")
    func cancelledArming() async throws {
        let server = try FakeServer()
        defer { server.stop() }
        let (client, peer) = try await server.client()
        let task = Task { await LostConnectionTests.error { _ = try await client.watchData(at: "/a") } }
        let (xid, _) = try await peer.request()
        task.cancel()
        #expect(await task.value?.code == .cancelled)
        peer.reply(xid, .data([], .owned()), to: .getData)
        let (removal, body) = try await peer.request()
        #expect(body == .removeWatches(path: "/a", type: 2))
        peer.reply(removal)
        #expect(client.shell.load.watchers == 0)
        #expect(client.shell.load.registered == 0)
    }

    @Test("A dropped watch is removed at the server, once for all of its path and kind")
    func droppedWatch() async throws {
        let server = try FakeServer()
        defer { server.stop() }
        let (client, peer) = try await server.client()
        var watches: [Watch] = []
        for _ in 0..<3 {
            async let armed = client.watchData(at: "/a")
            peer.reply(try await peer.request().xid, .data([], .owned()), to: .getData)
            watches.append(try await armed.change)
        }
        #expect(client.shell.load.watchers == 3)
        watches.removeAll()
        #expect(try await peer.request().body == .removeWatches(path: "/a", type: 2))
        #expect(client.shell.load.watchers == 0)
    }

    @Test("Waiting for a watch can be cancelled and taken up again; all who wait are told")
    func waitingForWatch() async throws {
        let server = try FakeServer()
        defer { server.stop() }
        let (client, peer) = try await server.client()
        async let armed = client.watchData(at: "/a")
        peer.reply(try await peer.request().xid, .data([], .owned()), to: .getData)
        let change = try await armed.change
        let waiting = Task { await LostConnectionTests.error { _ = try await change.fired() } }
        waiting.cancel()
        #expect(await waiting.value?.code == .cancelled)
        #expect(change.event == nil)
        async let one = change.fired()
        async let two = change.fired()
        peer.event(.deleted, "/a")
        #expect(try await one == WatchEvent(.deleted, path: "/a"))
        #expect(try await two == WatchEvent(.deleted, path: "/a"))
        #expect(change.event == WatchEvent(.deleted, path: "/a"))
    }

    @Test("Reading a persistent watch ends quietly when cancelled, and the watch goes with its last reader")
    func persistentReader() async throws {
        let server = try FakeServer()
        defer { server.stop() }
        let (client, peer) = try await server.client()
        let seen = Mailbox<WatchEvent>()
        let reader = Task {
            for try await event in try await client.watch("/a") { seen.put(event) }
        }
        peer.reply(try await peer.request().xid, to: .addWatch)
        peer.event(.created, "/a")
        peer.event(.childrenChanged, "/a")
        #expect(await seen.next().kind == .created)
        #expect(await seen.next().kind == .childrenChanged)
        reader.cancel()
        try await reader.value
        #expect(try await peer.request().body == .removeWatches(path: "/a", type: 3))
    }

    @Test("Waiting for the end of a hold can be cancelled")
    func cancelledHold() async throws {
        let server = try FakeServer()
        defer { server.stop() }
        let (client, _) = try await server.client()
        let task = Task { try await client.holdEnd() }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test("A reader that is too far behind is told so instead of eating memory")
    func slowReader() async throws {
        let server = try FakeServer()
        defer { server.stop() }
        let (client, peer) = try await server.client()
        async let watching = client.watch("/a")
        peer.reply(try await peer.request().xid, to: .addWatch)
        let watch = try await watching
        var writer = ByteWriter()
        for _ in 0...65_536 { writer.writeEventFrame(type: 3, path: "/a") }
        peer.send(writer.bytes)
        #expect(try await peer.request().body == .removeWatches(path: "/a", type: 3))
        var count = 0
        do {
            for try await _ in watch { count += 1 }
        } catch {
            #expect(error.code == .throttled)
        }
        #expect(count == 65_536)
    }
}
