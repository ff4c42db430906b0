import ConclaveClient
import ConclaveCore
import TestLanes
import Testing

@Suite(.onServer, .live) struct WatchingTests {
    @Test("One-shot watches see the first change of what they watch")
    func oneShot() async throws {
        try await withClient { client, servers in
            try await client.create("/a", [1])
            try await withZooKeeperClient(connectedTo: servers) { other in
                let (node, data) = try await client.watchData(at: "/a")
                #expect(node.bytes == [1])
                let (children, child) = try await client.watchChildren(of: "/a")
                #expect(children.names.isEmpty)
                let (missing, existence) = try await client.watchExists("/b")
                #expect(missing == nil)
                let (there, change) = try await client.watchExists("/a")
                #expect(there == node.stat)
                try await other.setData(at: "/a", to: [2])
                try await other.setData(at: "/a", to: [3])
                try await other.create("/a/x")
                try await other.create("/b")
                #expect(try await data.fired() == WatchEvent(.dataChanged, path: "/a"))
                #expect(try await change.fired() == WatchEvent(.dataChanged, path: "/a"))
                #expect(try await child.fired() == WatchEvent(.childrenChanged, path: "/a"))
                #expect(try await existence.fired() == WatchEvent(.created, path: "/b"))
                #expect(
                    await LostConnectionTests.error { _ = try await client.watchData(at: "/none") }?.code == .noNode)
                let (_, parent) = try await client.watchChildren(of: "/b")
                try await other.delete("/b")
                #expect(try await parent.fired() == WatchEvent(.deleted, path: "/b"))
            }
        }
    }

    @Test("A persistent watch sees everything of its path, a recursive one everything below")
    func persistent() async throws {
        try await withClient { client, servers in
            try await withZooKeeperClient(connectedTo: servers) { watcher in
                let plain = try await watcher.watch("/a")
                let deep = try await client.watch("/", recursive: true)
                try await client.create("/a", [])
                try await client.create("/a/b", [])
                try await client.setData(at: "/a/b", to: [1])
                try await client.setData(at: "/a", to: [1])
                try await client.delete("/a/b")
                try await client.delete("/a")
                #expect(
                    try await Self.take(4, from: plain) == [
                        WatchEvent(.created, path: "/a"), WatchEvent(.childrenChanged, path: "/a"),
                        WatchEvent(.dataChanged, path: "/a"), WatchEvent(.childrenChanged, path: "/a"),
                    ])
                #expect(
                    try await Self.take(6, from: deep) == [
                        WatchEvent(.created, path: "/a"), WatchEvent(.created, path: "/a/b"),
                        WatchEvent(.dataChanged, path: "/a/b"), WatchEvent(.dataChanged, path: "/a"),
                        WatchEvent(.deleted, path: "/a/b"), WatchEvent(.deleted, path: "/a"),
                    ])
            }
        }
    }

    @Test("Watches removed by hand end, and there is nothing to remove afterwards")
    func removed() async throws {
        try await withClient { client, _ in
            try await client.create("/a")
            let (_, data) = try await client.watchData(at: "/a")
            let (_, child) = try await client.watchChildren(of: "/a")
            try await client.removeWatches(at: "/a", kind: .data)
            #expect(await LostConnectionTests.error { _ = try await data.fired() }?.code == .noWatcher)
            #expect(
                await LostConnectionTests.error { try await client.removeWatches(at: "/a", kind: .data) }?.code
                    == .noWatcher)
            try await client.create("/a/b")
            #expect(try await child.fired().kind == .childrenChanged)
        }
    }

    @Test("A dropped watch is gone at the server: there is nothing left to remove")
    func dropped() async throws {
        try await withClient { client, _ in
            try await client.create("/a")
            do {
                let (_, change) = try await client.watchData(at: "/a")
                #expect(change.event == nil)
            }
            #expect(
                await LostConnectionTests.error { try await client.removeWatches(at: "/a", kind: .any) }?.code
                    == .noWatcher)
            #expect(client.shell.load.watchers == 0)
        }
    }

    @Test("Closing ends all watches")
    func closed() async throws {
        try await withClient { _, servers in
            let client = try await ZooKeeperClient.connect(to: servers)
            let (_, change) = try await client.watchExists("/")
            let all = try await client.watch("/", recursive: true)
            await client.close()
            #expect(await LostConnectionTests.error { _ = try await change.fired() }?.code == .closed)
            #expect(await LostConnectionTests.error { for try await _ in all {} }?.code == .closed)
        }
    }

    static func take(_ count: Int, from watch: PersistentWatch) async throws -> [WatchEvent] {
        var events: [WatchEvent] = []
        for try await event in watch {
            events.append(event)
            if events.count == count { break }
        }
        return events
    }
}
