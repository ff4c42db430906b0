import ConclaveClient
import ConclaveCore
import TestLanes
import Testing

@testable import Recipes

/// What all lock-like recipes have in common, for tests that run on each of them.
struct AnyRecipe: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let acquire: @Sendable () async throws(ZooKeeperError) -> any AnyGrant
    let tryAcquire: @Sendable () async throws(ZooKeeperError) -> (any AnyGrant)?
    let contenders: @Sendable () async throws(ZooKeeperError) -> [Contender]
    let waitUntilClean: @Sendable () async -> Void

    enum Kind: String, CaseIterable, Sendable, CustomTestStringConvertible {
        case fair, firstCome, read, write, election, withDeadline, delayed, semaphore, sharedLimit, multiLock
        case simpleElection, upgradable
        var testDescription: String { rawValue }
    }

    init(_ kind: Kind, _ client: ZooKeeperClient, at path: String) {
        testDescription = kind.rawValue
        switch kind {
        case .fair, .firstCome, .withDeadline, .delayed:
            let lock = DistributedLock(
                client, at: path, order: kind == .firstCome ? .firstCome : .fair,
                lockDelay: kind == .delayed ? .zero : nil)
            let timeout: Duration? = kind == .withDeadline ? .seconds(600) : nil
            acquire = { () async throws(ZooKeeperError) in try await lock.acquire(timeout: timeout) }
            tryAcquire = { () async throws(ZooKeeperError) in try await lock.tryAcquire() }
            contenders = { () async throws(ZooKeeperError) in
                var names: [String] = []
                if let children = try? await client.children(of: path) { names = children.names }
                #expect(HoldMarker.orphans(among: names).isEmpty)
                return try await lock.contenders()
            }
            waitUntilClean = { await lock.waitUntilClean() }
        case .upgradable:
            let lock = ReadWriteLock(client, at: path)
            acquire = { () async throws(ZooKeeperError) in
                let grant = try await lock.acquireUpgradableRead()
                try await lock.upgrade(grant)
                return grant
            }
            tryAcquire = { () async throws(ZooKeeperError) in try await lock.tryAcquireWrite() }
            contenders = { () async throws(ZooKeeperError) in try await lock.contenders() }
            waitUntilClean = { await lock.waitUntilClean() }
        case .read, .write:
            let lock = ReadWriteLock(client, at: path)
            acquire = { () async throws(ZooKeeperError) in
                kind == .read ? try await lock.acquireRead() : try await lock.acquireWrite()
            }
            tryAcquire = { () async throws(ZooKeeperError) in
                kind == .read ? try await lock.tryAcquireRead() : try await lock.tryAcquireWrite()
            }
            contenders = { () async throws(ZooKeeperError) in try await lock.contenders() }
            waitUntilClean = { await lock.waitUntilClean() }
        case .semaphore, .sharedLimit:
            let semaphore =
                kind == .semaphore
                ? Semaphore(client, at: path, limit: 1)
                : Semaphore(client, at: path, limitAt: path + "/limit", initially: 1)
            acquire = { () async throws(ZooKeeperError) in try await semaphore.acquire() }
            tryAcquire = { () async throws(ZooKeeperError) in try await semaphore.tryAcquire() }
            contenders = { () async throws(ZooKeeperError) in try await semaphore.contenders() }
            waitUntilClean = { await semaphore.waitUntilClean() }
        case .multiLock:
            let paths = [path + "/b", path + "/a"]
            let lock = MultiLock(client, at: paths)
            acquire = { () async throws(ZooKeeperError) in try await lock.acquire() }
            tryAcquire = { () async throws(ZooKeeperError) in try await lock.tryAcquire() }
            contenders = { () async throws(ZooKeeperError) in
                let first = try await Contenders(client, at: paths[0]).list()
                let second = try await Contenders(client, at: paths[1]).list()
                return first.map(\.token) == second.map(\.token) ? first : first + second
            }
            waitUntilClean = { await lock.waitUntilClean() }
        case .election, .simpleElection:
            let order: DistributedLock.Order = kind == .election ? .fair : .firstCome
            let election = MasterElection(client, at: path, order: order)
            acquire = { () async throws(ZooKeeperError) in try await election.campaign() }
            tryAcquire = { () async throws(ZooKeeperError) in try await election.tryCampaign() }
            contenders = { () async throws(ZooKeeperError) in try await election.candidates() }
            waitUntilClean = { await election.waitUntilClean() }
        }
    }
}

protocol AnyGrant: Sendable {
    var token: FencingToken { get }
    func release() async
    func lost() async throws(CancellationError) -> HoldLoss?
}

extension LockGrant: AnyGrant {}

extension LeadershipTerm: AnyGrant {
    func release() async { await resign() }
}

/// S7 and S9 the hard way: something goes wrong at the first suspension point of an acquire, then at the second, and so
/// on.
@Suite("Interrupted at every suspension point", .onServer, .live)
struct InterruptionTests {
    @Test(
        "S7: cancelled at any point, nothing is left and the next contender gets it", arguments: AnyRecipe.Kind.allCases
    )
    func cancelled(_ kind: AnyRecipe.Kind) async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let rival = AnyRecipe(kind, try await live.connect(), at: live.path)
            var cancelledRuns = 0
            for step in 1... {
                let recipe = AnyRecipe(kind, client, at: live.path)
                let task = Signal<Task<Void, any Error>>()
                let trigger = StepTrigger(at: step) { try? await task.wait().cancel() }
                let attempt = Task {
                    do {
                        try await trigger.observe { try await recipe.acquire() }.release()
                    } catch let error as ZooKeeperError where error.code == .cancelled {
                        // The release that a grant in the last moment gets is the other way out.
                    }
                }
                task.fire(attempt)
                try await attempt.value
                await recipe.waitUntilClean()
                #expect(try await rival.contenders().isEmpty, "cancelled at step \(step)")
                let next = try #require(try await rival.tryAcquire(), "cancelled at step \(step)")
                await next.release()
                guard trigger.hasFired else { break }
                cancelledRuns += 1
            }
            #expect(cancelledRuns >= 2)
        }
    }

    @Test(
        "S7: a waiter cancelled at any point leaves the queue, and whoever is behind it gets its turn",
        arguments: AnyRecipe.Kind.allCases)
    func waiterCancelled(_ kind: AnyRecipe.Kind) async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let holder = AnyRecipe(kind == .read ? .write : kind, try await live.connect(), at: live.path)
            for step in 1... {
                let grant = try await holder.acquire()
                let recipe = AnyRecipe(kind, client, at: live.path)
                let task = Signal<Task<Void, any Error>>()
                let trigger = StepTrigger(at: step) { try? await task.wait().cancel() }
                let attempt = Task {
                    do {
                        try await trigger.observe { try await recipe.acquire() }.release()
                    } catch let error as ZooKeeperError where error.code == .cancelled {
                        // Cancelled before it was its turn.
                    }
                }
                task.fire(attempt)
                // The holder goes while the waiter is somewhere between its first and its last step.
                await grant.release()
                try await attempt.value
                await recipe.waitUntilClean()
                #expect(try await holder.contenders().isEmpty, "cancelled at step \(step)")
                guard trigger.hasFired else { break }
            }
        }
    }

    @Test(
        "S9: a session that ends at any point ends the attempt or the hold, and the next contender gets it",
        arguments: AnyRecipe.Kind.allCases.filter { $0 != .upgradable })
    func expired(_ kind: AnyRecipe.Kind) async throws {
        try await Live.run { live in
            let rival = AnyRecipe(kind, try await live.connect(), at: live.path)
            for step in 1... {
                let client = try await live.connect()
                let recipe = AnyRecipe(kind, client, at: live.path)
                let trigger = StepTrigger(at: step) {
                    do { try await Live.expire(client) } catch { Issue.record(error) }
                }
                do {
                    let grant = try await trigger.observe { try await recipe.acquire() }
                    if trigger.hasFired {
                        async let poked: Void = Live.poke(client)
                        #expect(try await grant.lost() != nil, "expired at step \(step)")
                        await poked
                    } else {
                        await grant.release()
                    }
                } catch let error as ZooKeeperError {
                    #expect(error.isSessionOver, "expired at step \(step): \(error)")
                    #expect(trigger.hasFired)
                }
                await recipe.waitUntilClean()
                let next = try #require(try await rival.tryAcquire(), "expired at step \(step)")
                await next.release()
                guard trigger.hasFired else { break }
            }
        }
    }
}
