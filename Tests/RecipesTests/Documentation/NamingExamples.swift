import ConclaveClient
import ConclaveCore
import Foundation
import Recipes
import TestLanes
import Testing

/// The examples of the pages on counters, services, worker numbers, caches and configuration, compiled and run.
@Suite("Examples: counters, naming, caches, configuration", .onServer, .live)
struct NamingExamples {
    struct Limits: Codable, ConfigurationValue { var rate: Int }
    struct Place: Codable, Sendable { var zone: String }
    struct Done: Error {}

    @Test("Counters and shared values")
    func counting() async throws {
        try await Live.run { live in
            let client = try await live.connect(to: LiveServer.servers + live.chroot())
            func resize(to size: Int32) throws { if size == 16 { throw Done() } }

            let visits = SharedCounter(client, at: "/counters/visits")
            let isFirst = try await visits.compareAndSet(0, to: 1)
            let change = try await visits.add(1)

            let limit = SharedValue<Int32>(client, at: "/values/limit")
            _ = try await limit.seed(8)
            try await limit.update { ($0 ?? 8) * 2 }
            await #expect(throws: Done.self) {
                for try await reading in limit.updates { try resize(to: reading.value) }
            }
            #expect(isFirst && change.before == 1 && change.after == 2)
        }
    }

    @Test("Services by name")
    func services() async throws {
        try await Live.run { live in
            let client = try await live.connect(to: LiveServer.servers + live.chroot())
            func call(_ address: String, _ port: Int?) async throws -> String { "\(address):\(port ?? 0)" }

            let services = Services<Place>(client, at: "/services")
            let registration = try await services.register(
                ServiceInstance(service: "orders", address: "10.0.0.7", port: 8080, metadata: Place(zone: "b")))

            let orders = services.directory(of: "orders")
            try await orders.ready(timeout: .seconds(60))
            let picker = ServicePicker(orders, .leastUsed)
            let answer = try await picker.withInstance { instance in
                try await call(instance.address, instance.port)
            }
            #expect(answer == "10.0.0.7:8080")

            try await registration.update { $0.isEnabled = false }
            await registration.release()
        }
    }

    @Test("Staying registered over sessions")
    func staying() async throws {
        try await Live.run { live in
            let servers = LiveServer.servers + (try await live.chroot())
            let instance = ServiceInstance<Place>(service: "orders", id: "7", address: "10.0.0.7")
            let sessions = Shared<[ZooKeeperClient]>([])
            let staying = Task {
                while !Task.isCancelled {
                    let client = try await ZooKeeperClient.connect(to: servers)
                    let registration = try await Services<Place>(client, at: "/services").register(instance)
                    sessions.change { $0.append(client) }
                    _ = try? await registration.ended()
                    await client.close()
                }
            }
            let client = try await live.connect(to: servers)
            let directory = Services<Place>(client, at: "/services").directory(of: "orders")
            var updates = directory.updates.makeAsyncIterator()
            var owners: Set<SessionID> = []
            // The first session is ended from outside as soon as it has registered; the second registers again.
            while owners.count < 2, try await updates.next() != nil {
                guard let owner = try await client.exists("/services/orders/7")?.ephemeralOwner else { continue }
                if owners.insert(owner).inserted, owners.count == 1 {
                    while sessions.value.isEmpty { await Task.yield() }
                    let first = sessions.value[0]
                    try await Live.expire(first)
                    await Live.poke(first)
                }
            }
            #expect(owners.count == 2)
            staying.cancel()
            try await staying.value
        }
    }

    @Test("Numbers for workers")
    func workers() async throws {
        try await Live.run { live in
            let client = try await live.connect(to: LiveServer.servers + live.chroot())
            @Sendable func serve(workerNumber: Int) async throws -> Int { workerNumber }

            let slots = WorkerSlots(client, at: "/workers", count: 1_024, identity: "host-7")
            let number = try await slots.withSlot { slot in
                let holders = try await slots.holders()
                #expect(holders.map(\.identity) == ["host-7"])
                return try await serve(workerNumber: slot.number)
            }
            #expect(number == 0)
        }
    }

    @Test("Caches")
    func caches() async throws {
        try await Live.run { live in
            let client = try await live.connect(to: LiveServer.servers + live.chroot())
            try await client.ensurePath("/flags/ui")
            try await client.create("/flags/ui/dark", Array("on".utf8))
            var applied: [String] = []
            func apply(_ path: String, _ bytes: [UInt8]) { applied.append(path) }

            let flags = SubtreeCache(client, at: "/flags")
            try await flags.ready(timeout: .seconds(60))
            let dark = try flags["/flags/ui/dark"]?.value(as: String.self)
            loop: for try await change in flags.changes {
                switch change {
                case .added(let node), .changed(let node): apply(node.path, node.bytes)
                case .removed: break
                case .status(let status): if status == .current { break loop }
                }
            }
            #expect(dark == "on")
            #expect(applied == ["/flags", "/flags/ui", "/flags/ui/dark"])
        }
    }

    @Test("Configuration with history, answers and several keys")
    func configuration() async throws {
        try await Live.run { live in
            let client = try await live.connect(to: LiveServer.servers + live.chroot())
            let file = FileManager.default.temporaryDirectory.appending(path: "conclave-\(UUID().uuidString)").path()
            defer { try? FileManager.default.removeItem(atPath: file) }
            @Sendable func apply(_ limits: Limits) throws { if limits.rate > 99 { throw Done() } }

            let kept = Configuration<Limits>(
                client, at: "/config/limits",
                options: .init(
                    historyLimit: 20, backupFile: file,
                    validation: { if $0.rate < 0 { throw InvalidConfiguration("negative rate") } }))
            try await kept.publish(Limits(rate: 1))

            let subscriber = Task { [limits = Configuration<Limits>(client, at: "/config/limits")] in
                try await limits.follow(as: "host-7") { revision in try apply(revision.value) }
            }
            let new = try await kept.publish(Limits(rate: 100))
            let answers = try await kept.answers(to: new, from: 1, timeout: .seconds(60))
            if answers.contains(where: { $0.refusal != nil }) { try await kept.rollBack(to: 0) }
            #expect(try await kept.history().map(\.value.rate) == [1, 100, 1])
            subscriber.cancel()
            try await subscriber.value

            let routing = ConfigurationSet(client, at: "/config/routing")
            for rate in [1, 100] {
                try await routing.update { draft in
                    try draft.set("primary", to: "db-2")
                    try draft.set("weights", to: Limits(rate: rate))
                }
            }
            try await routing.rollBack(to: 0)
            for try await snapshot in routing.updates {
                #expect(try snapshot.value(of: "weights", as: Limits.self)?.rate == 1)
                break
            }
        }
    }
}
