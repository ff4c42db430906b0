import ConclaveClient
import Recipes
import TestLanes
import Testing

/// The examples of the pages on locks, semaphores and elections, as they stand there.
@Suite("Examples: locks and elections", .onServer, .live)
struct LockExamples {
    struct Store: Sendable {
        func write(_ order: Int, fencingToken: FencingToken) async throws {}
    }

    let store = Store()
    let order = 4711

    @Sendable static func importNextFile(fencingToken: FencingToken) async throws {}
    @Sendable static func move(fencingToken: FencingToken) async throws {}
    @Sendable static func writeReport() async throws {}
    @Sendable static func longWork() async throws {
        // Gives nothing, and ends when the task is cancelled.
        let (nothing, source) = AsyncStream<Void>.makeStream()
        for await _ in nothing {}
        withExtendedLifetime(source) {}
    }
    @Sendable static func isOutdated() async throws -> Bool { true }
    @Sendable static func save(token: FencingToken) async throws {}
    @Sendable static func stopBilling() async {}
    @Sendable static func runBilling(term: FencingToken) async throws {}

    @Test("Semaphore")
    func semaphores() async throws {
        try await Live.run { live in
            let client = try await live.connect(chroot: live)
            let imports = Semaphore(client, at: "/semaphores/imports", limit: 4, identity: "host-7")
            try await imports.withLease(timeout: .seconds(30)) { lease in
                try await Self.importNextFile(fencingToken: lease.token)
            }

            // Several at once, all or none.
            let two = try await imports.acquire(permits: 2)
            await two.release()

            // A limit that can be changed at any time, by everybody, for everybody.
            let workers = Semaphore(client, at: "/semaphores/workers", limitAt: "/limits/workers", initially: 10)
            try await workers.setLimit(12)
            #expect(try await workers.currentLimit() == 12)
        }
    }

    @Test("Several locks together")
    func together() async throws {
        try await Live.run { live in
            let client = try await live.connect(chroot: live)
            let transfer = MultiLock(client, at: ["/locks/account-7", "/locks/account-9"])
            try await transfer.withLock { grant in try await Self.move(fencingToken: grant.token) }

            // Mixed: one for reading, one for writing.
            let report = MultiLock(client, [.read("/locks/catalogue"), .write("/locks/report")])
            let written: Void? = try await report.tryWithLock { _ in try await Self.writeReport() }
            #expect(written != nil)
        }
    }

    @Test("Exclusive lock: place, revocation, sequencer, reentrancy, lock-delay")
    func exclusive() async throws {
        let (store, order) = (store, order)
        try await Live.run { live in
            let client = try await live.connect(chroot: live)
            let orders = DistributedLock(client, at: "/locks/orders", identity: "host-7")
            try await orders.withLock(onPosition: { position in print("\(position.ahead) before us") }) { grant in
                try await store.write(order, fencingToken: grant.token)
            }

            let asking = Task {
                // Somewhere: ask the holder.
                while true {
                    if let holder = try await orders.contenders().first {
                        return try await orders.requestRevocation(of: holder)
                    }
                }
            }
            // In the holder: hear it.
            try await orders.withLock { grant in
                try await withThrowingTaskGroup { group in
                    group.addTask { try await Self.longWork() }
                    group.addTask { _ = try await grant.revocationRequested() }
                    try await group.next()  // the work is done, or somebody asks for the lock
                    group.cancelAll()
                }
            }
            #expect(try await asking.value)

            let grant = try await orders.acquire()
            try await client.create("/orders-last")
            let text = grant.sequencer.description  // send this along
            guard let sequencer = Sequencer(text), try await sequencer.isValid(using: client) else {
                Issue.record("not valid")
                return
            }
            try await client.transaction(
                sequencer.checks(using: client) + [.setData("/orders-last", Array("4711".utf8))])
            await grant.release()

            let ledger = DistributedLock(client, at: "/locks/ledger", isReentrant: true)
            try await ledger.withLock { outer in
                try await ledger.withLock { inner in #expect(inner.token == outer.token) }  // no request
            }

            let tape = DistributedLock(client, at: "/locks/tape", lockDelay: .seconds(30))
            try await tape.withLock { _ in }
        }
    }

    @Test("Upgradable reader")
    func upgradable() async throws {
        try await Live.run { live in
            let client = try await live.connect(chroot: live)
            let catalogue = ReadWriteLock(client, at: "/locks/catalogue")
            // Read, and decide under the same hold whether to write.
            try await catalogue.withUpgradableReadLock { grant in
                guard try await Self.isOutdated() else { return }
                try await catalogue.upgrade(grant)  // waits until the readers before it have gone
                try await Self.save(token: grant.token)
            }
        }
    }

    @Test("Handing over, the simple form, a single service")
    func election() async throws {
        try await Live.run { live in
            let client = try await live.connect(chroot: live)
            let billing = MasterElection(client, at: "/masters/billing", identity: "host-7:8080")
            let term = try await billing.campaign()
            let other = MasterElection(client, at: "/masters/billing", identity: "host-9:8080")
            let next = Task { try await other.campaign() }
            try await Live.waitUntil(2, contendAt: "/masters/billing", with: client)

            let candidates = try await billing.candidates()
            if let successor = candidates.first(where: { $0.identity == "host-9:8080" }) {
                await Self.stopBilling()
                // false: this one still leads
                let isTaken = try await term.handOver(to: successor, within: .seconds(60))
                #expect(isTaken)
            }
            await (try await next.value).resign()

            let election = MasterElection(client, at: "/masters/simple", order: .firstCome)
            try await election.whileLeader { _ in }

            let servers = LiveServer.servers + live.path
            let service = Singleton(connectedTo: servers, at: "/singletons/billing", identity: "host-7")
            try await service.run { term in try await Self.runBilling(term: term.token) }
        }
    }
}

extension Live {
    /// A client whose root is the test's own path.
    func connect(chroot live: Live) async throws -> ZooKeeperClient {
        try await connect().ensurePath(live.path)
        return try await connect(to: LiveServer.servers + live.path)
    }
}
