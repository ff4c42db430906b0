import ConclaveClient
import ConclaveCore
import TestLanes
import Testing

@testable import Recipes

@Suite("Caches", .onServer, .live)
struct LiveCacheTests {
    static func text(_ node: CachedNode?) -> String? { node.map { String(decoding: $0.bytes, as: UTF8.self) } }

    /// Reads changes until one is the expected one.
    static func until(
        _ changes: inout CacheChanges.AsyncIterator, _ isExpected: (CacheChange) -> Bool
    ) async throws {
        while let change = try await changes.next() {
            if isExpected(change) { return }
        }
        Issue.record("the changes have ended")
    }

    @Test("A node cache waits for its node and follows it through change, deletion and remaking")
    func node() async throws {
        try await Live.run { live in
            let writer = try await live.connect()
            let cache = NodeCache(try await live.connect(), at: live.path)
            try await cache.ready(timeout: .seconds(60))
            #expect(cache.node == nil)
            #expect(cache.status == .current)
            var changes = cache.changes.makeAsyncIterator()
            #expect(try await changes.next() == .status(.current))
            try await writer.create(live.path, Array("1".utf8))
            guard case .added(let node)? = try await changes.next() else { throw Missed() }
            #expect(Self.text(node) == "1")
            try await writer.setData(at: live.path, to: Array("2".utf8))
            guard case .changed(let changed)? = try await changes.next() else { throw Missed() }
            #expect(Self.text(changed) == "2" && changed.stat.version == 1)
            #expect(Self.text(cache.node) == "2")
            try await writer.delete(live.path)
            #expect(try await changes.next() == .removed(changed))
            try await writer.create(live.path, Array("3".utf8))
            guard case .added? = try await changes.next() else { throw Missed() }
            await cache.close()
            #expect(try await changes.next() == nil)
            #expect(cache.status == .ended(nil))
            #expect(Self.text(cache.node) == "3")
        }
    }

    struct Missed: Error {}

    @Test("A children cache holds the children and their values, not the node itself and nothing deeper")
    func children() async throws {
        try await Live.run { live in
            let writer = try await live.connect()
            try await writer.ensurePath(live.path + "/a/deeper")
            let cache = ChildrenCache(try await live.connect(), at: live.path)
            try await cache.ready(timeout: .seconds(60))
            #expect(cache.nodes.map(\.name) == ["a"])
            var changes = cache.changes.makeAsyncIterator()
            for number in 0..<50 { try await writer.create(live.path + "/n\(number)", Array("\(number)".utf8)) }
            try await writer.setData(at: live.path, to: [1])
            try await writer.setData(at: live.path + "/a/deeper", to: [1])
            try await writer.setData(at: live.path + "/n7", to: [1])
            try await Self.until(&changes) { _ in cache["n7"]?.bytes == [1] && cache.count == 51 }
            for number in 0..<50 { try await writer.delete(live.path + "/n\(number)") }
            try await Self.until(&changes) { _ in cache.count == 1 }
            #expect(cache["a"] != nil)
        }
    }

    @Test("A dropped cache stops, and the server forgets its watch")
    func dropped() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            var cache: SubtreeCache? = SubtreeCache(client, at: live.path)
            try await cache?.ready(timeout: .seconds(60))
            weak let dropped = cache
            cache = nil
            #expect(dropped == nil)
        }
    }

    @Test("More than the limit ends a cache with an error for everybody")
    func overflow() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            try await client.ensurePath(live.path)
            let cache = ChildrenCache(client, at: live.path, limits: CacheLimits(nodes: 2))
            try await cache.ready(timeout: .seconds(60))
            var changes = cache.changes.makeAsyncIterator()
            for number in 0..<3 { try await client.create(live.path + "/\(number)") }
            await #expect(throws: ZooKeeperError(.quotaExceeded, path: live.path)) {
                while try await changes.next() != nil {}
            }
            await #expect(throws: ZooKeeperError(.quotaExceeded, path: live.path)) {
                try await ChildrenCache(client, at: live.path, limits: CacheLimits(nodes: 2)).ready()
            }
        }
    }

    @Test("A session that ends ends the cache; what was read stays")
    func expired() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            try await client.create(live.path, [7])
            let caches = (NodeCache(client, at: live.path), SubtreeCache(client, at: live.path))
            try await caches.0.ready()
            try await caches.1.ready()
            var changes = caches.1.changes.makeAsyncIterator()
            try await Live.expire(client)
            await Live.poke(client)
            await #expect(throws: ZooKeeperError.self) { while try await changes.next() != nil {} }
            guard case .ended(.some) = caches.1.status else { throw Missed() }
            #expect(caches.0.node?.bytes == [7])
        }
    }

    @Test("Waiting for readiness ends with the deadline, with cancellation, and with the cache")
    func readiness() async throws {
        let core = CacheCore(path: "/c")
        await #expect(throws: ZooKeeperError(.deadlineExceeded, path: "/c")) {
            try await core.waitUntilFilled(timeout: .milliseconds(1))
        }
        let waiting = Task { try await core.waitUntilFilled(timeout: nil) }
        waiting.cancel()
        await #expect(throws: ZooKeeperError(.cancelled, path: "/c")) { try await waiting.value }
        #expect(core.status == .filling)
        let ended = Task { try await core.waitUntilFilled(timeout: nil) }
        core.apply([.status(.ended(ZooKeeperError(.sessionExpired, path: "/c")))])
        await #expect(throws: ZooKeeperError(.sessionExpired, path: "/c")) { try await ended.value }
    }

    @Test("Whatever happens to a tree and to the connection, every cache comes to hold what the server holds")
    func churn() async throws {
        try await Live.run { live in
            let writer = try await live.connect()
            let (client, relay) = try await LostConnectionTests.relayed(live)
            defer { relay.stop() }
            let whole = SubtreeCache(client, at: live.path)
            let children = ChildrenCache(client, at: live.path)
            let root = NodeCache(client, at: live.path)
            try await whole.ready(timeout: .seconds(60))
            var random = SplitMix(seed: 42)
            for round in 0..<400 {
                var path = live.path
                for _ in 0..<Int.random(in: 0...3, using: &random) {
                    path += "/" + ["a", "b", "c"][Int.random(in: 0..<3, using: &random)]
                }
                switch Int.random(in: 0..<6, using: &random) {
                case 0...2: try await writer.ensurePath(path)
                case 3: _ = try? await writer.setData(at: path, to: Array("\(round)".utf8))
                default: _ = try? await writer.deleteSubtree(path)
                }
                if round % 80 == 40 { relay.drop() }
            }
            try await writer.ensurePath(live.path + "/end")
            var expected: [String: [UInt8]] = [:]
            var stack = [live.path]
            while let path = stack.popLast() {
                expected[path] = try await writer.data(at: path).bytes
                for name in try await writer.children(of: path).names { stack.append(path + "/" + name) }
            }
            let content = expected
            var changes = whole.changes.makeAsyncIterator()
            try await Self.until(&changes) { _ in
                Dictionary(uniqueKeysWithValues: whole.nodes.map { ($0.path, $0.bytes) }) == content
            }
            var listed = children.changes.makeAsyncIterator()
            let first = content.filter { $0.key.split(separator: "/").count == 2 }
            try await Self.until(&listed) { _ in
                Dictionary(uniqueKeysWithValues: children.nodes.map { ($0.path, $0.bytes) }) == first
            }
            var single = root.changes.makeAsyncIterator()
            try await Self.until(&single) { _ in root.node?.bytes == content[live.path] }
        }
    }

    @Test("Without persistent watches one-shot watches keep a subtree just as well")
    func oneShot() async throws {
        try await Live.run { live in
            let writer = try await live.connect()
            let core = CacheCore(path: live.path)
            let task = CacheShell.start(
                try await live.connect(), core, .subtree, CacheLimits(), noticing: .oneShot)
            defer { task.cancel() }
            try await core.waitUntilFilled(timeout: .seconds(60))
            var changes = CacheChanges(core: core).makeAsyncIterator()
            for round in 0..<3 {
                try await writer.ensurePath(live.path + "/a/b")
                try await writer.create(live.path + "/a/c", [1])
                try await Self.until(&changes) { _ in core.count == 4 && core.node(at: live.path + "/a/c")?.bytes == [1]
                }
                try await writer.setData(at: live.path + "/a/c", to: [2])
                try await Self.until(&changes) { _ in core.node(at: live.path + "/a/c")?.bytes == [2] }
                try await writer.deleteSubtree(round == 1 ? live.path : live.path + "/a")
                try await Self.until(&changes) { _ in core.count == (round == 1 ? 0 : 1) }
            }
        }
    }

    @Test("A lost connection makes a cache stale; what was read stays readable")
    func stale() async throws {
        try await Live.run { live in
            let (client, relay) = try await LostConnectionTests.relayed(live)
            defer { relay.stop() }
            try await client.create(live.path, [9])
            let cache = SubtreeCache(client, at: live.path)
            var changes = cache.changes.makeAsyncIterator()
            try await Self.until(&changes) { $0 == .status(.current) }
            let before = ContinuousClock.now
            relay.stop()
            guard case .status(.stale(let since))? = try await changes.next() else { throw Missed() }
            #expect(since >= before)
            #expect(cache[live.path]?.bytes == [9])
        }
    }
}

/// Random numbers that are the same in every run.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
