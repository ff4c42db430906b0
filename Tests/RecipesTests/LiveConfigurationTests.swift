import ConclaveClient
import ConclaveCore
import TestLanes
import Testing

@testable import Recipes

@Suite("Configuration", .onServer, .live)
struct LiveConfigurationTests {
    struct Limits: Codable, ConfigurationValue, Equatable {
        var rate: Int
    }

    @Test("Publishing needs what it expects: nothing, a version, or anything")
    func publish() async throws {
        try await Live.run { live in
            let configuration = Configuration<Limits>(try await live.connect(), at: live.path + "/a/limits")
            #expect(try await configuration.current() == nil)
            #expect(configuration.lastKnownGood == nil)
            await #expect(throws: ZooKeeperError(.noNode, path: live.path + "/a/limits")) {
                try await configuration.publish(Limits(rate: 1), expecting: .version(0))
            }
            let first = try await configuration.publish(Limits(rate: 1), expecting: .nothing)
            #expect(first.version == 0)
            await #expect(throws: ZooKeeperError(.nodeExists, path: live.path + "/a/limits")) {
                try await configuration.publish(Limits(rate: 2), expecting: .nothing)
            }
            let second = try await configuration.publish(Limits(rate: 2), expecting: .version(0))
            #expect(second.version == 1)
            #expect(second.zxid > first.zxid)
            await #expect(throws: ZooKeeperError(.badVersion, path: live.path + "/a/limits")) {
                try await configuration.publish(Limits(rate: 3), expecting: .version(0))
            }
            try await configuration.publish(Limits(rate: 4))
            #expect(try await configuration.current()?.value == Limits(rate: 4))
            #expect(configuration.lastKnownGood?.value == Limits(rate: 4))
        }
    }

    @Test("Concurrent updates all take effect")
    func update() async throws {
        try await Live.run { live in
            let clients = [try await live.connect(), try await live.connect()]
            try await withThrowingTaskGroup { group in
                for number in 0..<8 {
                    let configuration = Configuration<Limits>(clients[number % 2], at: live.path)
                    group.addTask {
                        for _ in 0..<3 { try await configuration.update { Limits(rate: ($0?.rate ?? 0) + 1) } }
                    }
                }
                try await group.waitForAll()
            }
            let value = try await Configuration<Limits>(clients[0], at: live.path).current()
            #expect(value?.value == Limits(rate: 24))
            #expect(value?.version == 23)
        }
    }

    @Test("Subscribers get the latest, and are told exactly how many revisions they missed")
    func skipped() async throws {
        try await Live.run { live in
            let publisher = Configuration<String>(try await live.connect(), at: live.path)
            let subscriber = Configuration<String>(try await live.connect(), at: live.path)
            var updates = subscriber.updates.makeAsyncIterator()
            try await publisher.publish("a")
            #expect(try await updates.next()?.value == "a")
            for number in 1...5 { try await publisher.publish("b\(number)") }
            try await subscriber.client.sync(live.path)
            let second = try #require(try await updates.next())
            #expect(second.value == "b5")
            #expect(second.skipped == 4)
            #expect(!second.recreated)
            #expect(subscriber.lastKnownGood == second)
        }
    }

    @Test("Data that is no value is passed over and counted, and the last good value stays")
    func invalid() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let configuration = Configuration<Limits>(client, at: live.path)
            try await configuration.publish(Limits(rate: 1))
            var updates = configuration.updates.makeAsyncIterator()
            #expect(try await updates.next()?.value == Limits(rate: 1))
            try await client.setData(at: live.path, to: Array("nonsense".utf8))
            await #expect(throws: (any Error).self) { try await configuration.current() }
            #expect(configuration.lastKnownGood?.value == Limits(rate: 1))
            try await configuration.publish(Limits(rate: 2))
            let revision = try #require(try await updates.next())
            #expect(revision.value == Limits(rate: 2))
            #expect(revision.invalid + revision.skipped == 1)
        }
    }

    @Test("A deleted node changes nothing until it is made anew, which is told")
    func recreated() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let configuration = Configuration<String>(client, at: live.path)
            var updates = configuration.updates.makeAsyncIterator()
            try await configuration.publish("old")
            #expect(try await updates.next()?.value == "old")
            try await client.delete(live.path)
            #expect(configuration.lastKnownGood?.value == "old")
            try await configuration.publish("new", expecting: .nothing)
            let revision = try #require(try await updates.next())
            #expect(revision.value == "new")
            #expect(revision.recreated)
            #expect(revision.skipped == 0)
        }
    }

    @Test("A cancelled subscription ends, one whose session is over throws")
    func ends() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let configuration = Configuration<String>(client, at: live.path)
            let cancelled = Task { for try await _ in configuration.updates {} }
            cancelled.cancel()
            try await cancelled.value
            let expired = Task { for try await _ in configuration.updates {} }
            try await Live.expire(client)
            await Live.poke(client)
            await #expect(throws: ZooKeeperError.self) { try await expired.value }
            #expect(!configuration.isConnected)
        }
    }
}

@Suite("Sequential ids", .onServer, .live)
struct LiveSequentialIDsTests {
    @Test(
        "Concurrent tasks of several sessions draw different numbers",
        arguments: [
            SequentialIDs.Form.sequentialNodes(), .sequentialNodes(kept: true), .blocks(of: 1), .blocks(of: 7),
        ])
    func unique(_ form: SequentialIDs.Form) async throws {
        try await Live.run { live in
            let sources = [
                SequentialIDs(try await live.connect(), at: live.path, form: form),
                SequentialIDs(try await live.connect(), at: live.path, form: form),
            ]
            let numbers = try await withThrowingTaskGroup(of: [Int64].self) { group in
                for task in 0..<8 {
                    group.addTask {
                        var drawn: [Int64] = []
                        for _ in 0..<10 { drawn.append(try await sources[task % 2].next()) }
                        return drawn
                    }
                }
                var all: [[Int64]] = []
                for try await drawn in group { all.append(drawn) }
                return all
            }
            for drawn in numbers { #expect(zip(drawn, drawn.dropFirst()).allSatisfy { $0 < $1 }) }
            #expect(Set(numbers.joined()).count == 80)
            for source in sources { await source.waitUntilClean() }
            let left = try await live.names(with: try await live.connect()).count
            #expect(left == (form == .sequentialNodes(kept: true) ? 80 : 0))
        }
    }

    @Test("A damaged counter and one made anew are refused, not reused")
    func damaged() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let ids = SequentialIDs(client, at: live.path, form: .blocks(of: 1))
            #expect(try await ids.next() == 0)
            #expect(try await ids.next() == 1)
            try await client.setData(at: live.path, to: [1, 2, 3])
            await #expect(throws: ZooKeeperError(.dataInconsistency, path: live.path)) { try await ids.next() }
            try await client.setData(at: live.path, to: CounterBlock.encode(.max))
            await #expect(throws: ZooKeeperError(.sequenceExhausted, path: live.path)) { try await ids.next() }
            try await client.delete(live.path)
            await #expect(throws: ZooKeeperError(.dataInconsistency, path: live.path)) { try await ids.next() }
            try await client.create(live.path, CounterBlock.encode(0))
            await #expect(throws: ZooKeeperError(.dataInconsistency, path: live.path)) { try await ids.next() }
            let wrong = SequentialIDs(client, at: live.path, form: .blocks(of: 0))
            await #expect(throws: ZooKeeperError(.badArguments, path: live.path)) { try await wrong.next() }
        }
    }
}
