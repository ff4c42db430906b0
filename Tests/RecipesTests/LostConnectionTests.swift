import ConclaveClient
import ConclaveCore
import TestLanes
import Testing

@testable import Recipes

/// Connections fail, sessions live: nobody loses a place in the queue or a hold, and nothing is made twice.
@Suite("Lost connections", .onServer, .live)
struct LostConnectionTests {
    enum Fault: CaseIterable, Sendable { case droppedConnection, lostAnswer }

    /// A client behind a relay to the first server of the suite.
    static func relayed(_ live: Live) async throws -> (client: ZooKeeperClient, relay: Relay) {
        let relay = try relay()
        return (try await live.connect(to: relay.connectString), relay)
    }

    /// A relay to the first server of the suite. A client that loses one connection after the other waits longer each time,
    /// so tests with many losses make a client for each.
    static func relay() throws -> Relay {
        let port = try #require(LiveServer.servers.split(separator: ",").first?.split(separator: ":").last)
        return try Relay(to: try #require(Int(port)))
    }

    @Test(
        "The connection fails at any step of an acquire: it is acquired all the same, with one node, and given back",
        arguments: AnyRecipe.Kind.allCases, Fault.allCases)
    func duringAcquire(_ kind: AnyRecipe.Kind, _ fault: Fault) async throws {
        try await Live.run { live in
            let (client, relay) = try await Self.relayed(live)
            defer { relay.stop() }
            let observer = AnyRecipe(kind, try await live.connect(), at: live.path)
            for step in 1... {
                let recipe = AnyRecipe(kind, client, at: live.path)
                let trigger = StepTrigger(at: step) {
                    fault == .droppedConnection ? relay.drop() : relay.loseNextAnswer()
                }
                let grant = try await trigger.observe { try await recipe.acquire() }
                let contenders = try await observer.contenders()
                #expect(contenders.map(\.token) == [grant.token], "step \(step)")
                #expect(contenders.map(\.session) == [client.sessionID], "step \(step)")
                let other = try await observer.tryAcquire()
                #expect((other != nil) == (kind == .read), "step \(step)")
                await other?.release()
                await grant.release()
                await recipe.waitUntilClean()
                #expect(try await observer.contenders().isEmpty, "step \(step)")
                guard trigger.hasFired else { break }
            }
        }
    }

    @Test("A waiter whose connection is lost keeps its place and its turn comes", arguments: AnyRecipe.Kind.allCases)
    func whileWaiting(_ kind: AnyRecipe.Kind) async throws {
        try await Live.run { live in
            let (client, relay) = try await Self.relayed(live)
            defer { relay.stop() }
            let other = try await live.connect()
            let holder = AnyRecipe(kind == .read ? .write : kind, other, at: live.path)
            let grant = try await holder.acquire()
            let armed = Signal<Void>()
            let waiter = AnyRecipe(kind, client, at: live.path)
            let waiting = Task {
                try await ClientStep.$observer.withValue({ step in
                    if step.hasPrefix("answer exists") { armed.fire(()) }
                }) { try await waiter.acquire() }
            }
            try await armed.wait()
            for _ in 0..<3 {
                relay.drop()
                // The answer comes over the next connection.
                while (try? await client.sync()) == nil {}
            }
            await grant.release()
            let next = try await waiting.value
            #expect(next.token > grant.token || kind != .firstCome)
            await next.release()
        }
    }

    @Test("A holder whose connection is lost goes on within the hold window, and still releases")
    func whileHolding() async throws {
        try await Live.run { live in
            let (client, relay) = try await Self.relayed(live)
            defer { relay.stop() }
            let lock = DistributedLock(client, at: live.path)
            try await lock.withLock { grant in
                relay.drop()
                while (try? await client.sync()) == nil {}
                #expect(grant.isHeld)
                try await grant.guarded([.check(grant.path)])
            }
            await lock.waitUntilClean()
            #expect(try await lock.contenders().isEmpty)
        }
    }

    @Test("A release whose answer is lost is finished in the background")
    func whileReleasing() async throws {
        try await Live.run { live in
            let (client, relay) = try await Self.relayed(live)
            defer { relay.stop() }
            for order in [DistributedLock.Order.fair, .firstCome] {
                let lock = DistributedLock(client, at: live.path + "/\(order)", order: order)
                for lose in [relay.drop, relay.loseNextAnswer] {
                    let grant = try await lock.acquire()
                    lose()
                    await grant.release()
                    #expect(!grant.isHeld)
                    #expect(grant.loss == nil)
                    await lock.waitUntilClean()
                    #expect(try await lock.contenders().isEmpty)
                }
            }
        }
    }

    @Test("No server at all: the hold is lost by the client's own clock, and nobody is told twice")
    func noServer() async throws {
        try await Live.run { live in
            let port = try #require(LiveServer.servers.split(separator: ",").first?.split(separator: ":").last)
            let relay = try Relay(to: try #require(Int(port)))
            var options = ZooKeeperClient.Options()
            options.sessionTimeout = .milliseconds(10_000)
            let client = try await live.connect(to: "127.0.0.1:\(relay.port)", options: options)
            let lock = DistributedLock(client, at: live.path)
            let work = Task {
                try await lock.withLock { grant in
                    relay.stop()
                    // Only cancellation ends this body.
                    do {
                        try await Signal<Void>().wait()
                    } catch {
                        #expect(!grant.isHeld)
                        #expect(grant.validUntil <= .now)
                        throw error
                    }
                }
            }
            do {
                try await work.value
                Issue.record("a lost hold must throw")
            } catch let error as ZooKeeperError {
                #expect(error.code == .holdLost)
            }
        }
    }
}
