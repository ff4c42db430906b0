import ConclaveClient
import ConclaveCore
import TestLanes
import Testing

@testable import Recipes

@Suite("Worker slots", .onServer, .live)
struct LiveWorkerSlotsTests {
    @Test("Workers get the lowest free numbers, and what is given back goes to the next")
    func lowest() async throws {
        try await Live.run { live in
            let slots = WorkerSlots(try await live.connect(), at: live.path, count: 3, identity: "us")
            let others = WorkerSlots(try await live.connect(), at: live.path, count: 3, identity: "them")
            let first = try await slots.acquire()
            let second = try await others.acquire()
            let third = try await slots.acquire(timeout: .zero)
            #expect([first.number, second.number, third.number] == [0, 1, 2])
            #expect(first.token < second.token && second.token < third.token)
            #expect(try await others.tryAcquire() == nil)
            await #expect(throws: ZooKeeperError(.deadlineExceeded, path: live.path)) {
                try await slots.acquire(timeout: .zero)
            }
            let holders = try await slots.holders()
            #expect(holders.map(\.number) == [0, 1, 2])
            #expect(holders.map(\.identity) == ["us", "them", "us"])
            #expect(holders.map(\.token) == [first.token, second.token, third.token])
            await second.release()
            #expect(try await slots.acquire().number == 1)
            try await third.guarded([.check(third.path)])
            await third.release()
            await #expect(throws: ZooKeeperError(.holdLost, path: third.path)) { try await third.guarded([]) }
        }
    }

    @Test("Many workers at once never share a number, and each gets its turn")
    func exclusive() async throws {
        try await Live.run { live in
            let clients = [try await live.connect(), try await live.connect(), try await live.connect()]
            let held = Shared(Set<Int>())
            let served = Shared(0)
            try await withThrowingTaskGroup { group in
                for worker in 0..<12 {
                    let slots = WorkerSlots(clients[worker % 3], at: live.path, count: 3)
                    group.addTask {
                        for _ in 0..<3 {
                            try await slots.withSlot { slot in
                                #expect(held.change { $0.insert(slot.number).inserted })
                                try await clients[0].sync()
                                held.change { _ = $0.remove(slot.number) }
                            }
                            served.change { $0 += 1 }
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(served.value == 36)
        }
    }

    @Test("S7: cancelled at any point, nothing is left and the number is free")
    func cancelled() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let rival = WorkerSlots(try await live.connect(), at: live.path, count: 1)
            for isContended in [false, true] {
                for step in 1... {
                    let slots = WorkerSlots(client, at: live.path, count: 1)
                    let taken = isContended ? try await rival.acquire() : nil
                    let task = Signal<Task<Void, any Error>>()
                    let trigger = StepTrigger(at: step) { try? await task.wait().cancel() }
                    let attempt = Task {
                        do {
                            try await trigger.observe { try await slots.acquire() }.release()
                        } catch let error as ZooKeeperError where error.code == .cancelled {
                            // The other way out is the release of a number that was granted in the last moment.
                        }
                    }
                    task.fire(attempt)
                    await taken?.release()
                    try await attempt.value
                    await slots.waitUntilClean()
                    #expect(try await rival.holders().isEmpty, "cancelled at step \(step)")
                    let next = try #require(try await rival.tryAcquire(), "cancelled at step \(step)")
                    await next.release()
                    guard trigger.hasFired else { break }
                }
            }
        }
    }

    @Test("The connection fails at any step: a number is taken all the same, once")
    func lostConnections() async throws {
        try await Live.run { live in
            let (client, relay) = try await LostConnectionTests.relayed(live)
            defer { relay.stop() }
            let observer = WorkerSlots(try await live.connect(), at: live.path, count: 4)
            for fault in LostConnectionTests.Fault.allCases {
                for step in 1... {
                    let slots = WorkerSlots(client, at: live.path, count: 4)
                    let trigger = StepTrigger(at: step) {
                        fault == .droppedConnection ? relay.drop() : relay.loseNextAnswer()
                    }
                    let slot = try await trigger.observe { try await slots.acquire() }
                    #expect(try await observer.holders().map(\.token) == [slot.token], "\(fault) at step \(step)")
                    await slot.release()
                    await slots.waitUntilClean()
                    guard trigger.hasFired else { break }
                }
            }
        }
    }

    @Test("S9: a session that ends at any point ends the attempt or the hold, and the number is free")
    func expiredAnywhere() async throws {
        try await Live.run { live in
            let rival = WorkerSlots(try await live.connect(), at: live.path, count: 1)
            for step in 1... {
                let client = try await live.connect()
                let slots = WorkerSlots(client, at: live.path, count: 1)
                let trigger = StepTrigger(at: step) {
                    do { try await Live.expire(client) } catch { Issue.record(error) }
                }
                do {
                    let slot = try await trigger.observe { try await slots.acquire() }
                    if trigger.hasFired {
                        async let poked: Void = Live.poke(client)
                        #expect(try await slot.lost() != nil, "expired at step \(step)")
                        await poked
                    } else {
                        await slot.release()
                    }
                } catch let error as ZooKeeperError {
                    #expect(error.isSessionOver && trigger.hasFired, "expired at step \(step): \(error)")
                }
                await slots.waitUntilClean()
                let next = try #require(try await rival.tryAcquire(), "expired at step \(step)")
                await next.release()
                guard trigger.hasFired else { break }
            }
        }
    }

    @Test("A session that ends frees its number and tells its holder")
    func expired() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let slots = WorkerSlots(client, at: live.path, count: 1)
            let rival = WorkerSlots(try await live.connect(), at: live.path, count: 1)
            let slot = try await slots.acquire()
            async let next = rival.acquire()
            try await Live.expire(client)
            await Live.poke(client)
            #expect(try await slot.lost() == .sessionOver)
            #expect(try await next.number == 0)
            await #expect(throws: ZooKeeperError.self) { try await slots.acquire() }
        }
    }
}

@Suite("Services", .onServer, .live)
struct LiveServicesTests {
    struct Place: Codable, Hashable, Sendable { var zone: String }

    static func instance(_ id: String, zone: String = "a") -> ServiceInstance<Place> {
        ServiceInstance(service: "orders", id: id, address: "10.0.0.7", port: 80, metadata: Place(zone: zone))
    }

    @Test("What is registered is found, with its metadata, until it is given up")
    func register() async throws {
        try await Live.run { live in
            let services = Services<Place>(try await live.connect(), at: live.path)
            #expect(try await services.names().isEmpty)
            #expect(try await services.instances(of: "orders").isEmpty)
            let one = try await services.register(Self.instance("1"))
            let two = try await services.register(ServiceInstance(service: "orders", address: "::1", tlsPort: 443))
            #expect(two.instance.id.count == 36)
            #expect(try await services.names() == ["orders"])
            let found = try await services.instances(of: "orders")
            #expect(Set(found) == [one.instance, two.instance])
            #expect(one.instance.registeredMilliseconds > 0)
            try await one.update {
                $0.isEnabled = false; $0.id = "other"
            }
            let changed = try await services.instances(of: "orders").first { $0.id == "1" }
            #expect(changed?.isEnabled == false)
            await two.release()
            #expect(try await two.ended() == .released)
            #expect(try await services.instances(of: "orders").map(\.id) == ["1"])
            await #expect(throws: ZooKeeperError.self) { try await two.update { $0.port = 1 } }
            await #expect(throws: ZooKeeperError(.badArguments, path: live.path)) {
                try await services.register(ServiceInstance(service: "a/b", address: ""))
            }
            let during = try await services.withRegistration(Self.instance("3")) { _ in
                try await services.instances(of: "orders").map(\.id)
            }
            #expect(during == ["1", "3"])
            #expect(try await services.instances(of: "orders").map(\.id) == ["1"])
            withExtendedLifetime(one) {}
        }
    }

    @Test("A registration that is dropped is given up")
    func dropped() async throws {
        try await Live.run { live in
            let services = Services<Place>(try await live.connect(), at: live.path)
            var one: ServiceRegistration<Place>? = try await services.register(Self.instance("1"))
            #expect(one?.isRegistered == true)
            one = nil
            await services.waitUntilClean()
            #expect(try await services.instances(of: "orders").isEmpty)
        }
    }

    @Test("A directory follows who comes, changes and goes, and what is no instance is passed over")
    func directory() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let services = Services<Place>(client, at: live.path)
            let directory = Services<Place>(try await live.connect(), at: live.path).directory(of: "orders")
            try await directory.ready(timeout: .seconds(60))
            var updates = directory.updates.makeAsyncIterator()
            #expect(try await updates.next() == [])
            let one = try await services.register(Self.instance("1"))
            #expect(try await updates.next() == [one.instance])
            try await client.create(live.path + "/orders/0", Array("nonsense".utf8))
            let two = try await services.register(Self.instance("2", zone: "b"))
            while let instances = try await updates.next(), instances.count < 2 {}
            #expect(directory.instances == [one.instance, two.instance])
            let picker = ServicePicker(directory)
            #expect([picker.pick()?.id, picker.pick()?.id, picker.pick()?.id] == ["1", "2", "1"])
            try await two.update { $0.isEnabled = false }
            while let instances = try await updates.next(), instances.allSatisfy(\.isEnabled) {}
            #expect([picker.pick()?.id, picker.pick()?.id] == ["1", "1"])
            await one.release()
            while let instances = try await updates.next(), instances.count > 1 {}
            #expect(picker.pick() == nil)
            await #expect(throws: ZooKeeperError(.noNode)) { try await picker.withInstance { _ in } }
            withExtendedLifetime(two) {}
        }
    }

    @Test("Picks count their uses, and failures are passed over")
    func uses() async throws {
        try await Live.run { live in
            let services = Services<Place>(try await live.connect(), at: live.path)
            let registrations = [
                try await services.register(Self.instance("1")), try await services.register(Self.instance("2")),
            ]
            let directory = services.directory(of: "orders")
            try await directory.ready(timeout: .seconds(60))
            let picker = ServicePicker(directory, .leastUsed, penalty: .seconds(3_600))
            try await picker.withInstance { first in
                try await picker.withInstance { second in #expect([first.id, second.id] == ["1", "2"]) }
                #expect(picker.pick()?.id == "2")
            }
            struct Failure: Error {}
            await #expect(throws: Failure.self) { try await picker.withInstance { _ in throw Failure() } }
            let avoided = try #require(picker.pick()?.id)
            #expect((0..<4).allSatisfy { _ in picker.pick()?.id == avoided })
            withExtendedLifetime(registrations) {}
        }
    }

    @Test("A node that somebody removes is made again; one that another session takes ends the registration")
    func upkeep() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let services = Services<Place>(client, at: live.path)
            let one = try await services.register(Self.instance("1"))
            let directory = services.directory(of: "orders")
            var updates = directory.updates.makeAsyncIterator()
            while let instances = try await updates.next(), instances.isEmpty {}
            let before = try #require(try await client.exists(one.path))
            try await client.delete(one.path)
            while try await client.exists(one.path)?.czxid ?? before.czxid == before.czxid {}
            #expect(one.isRegistered)
            let rival = Services<Place>(try await live.connect(), at: live.path)
            let taken = try await rival.register(Self.instance("1", zone: "z"))
            #expect(try await one.ended() == .replaced)
            // The loser does not take the winner's node along.
            await one.release()
            await services.waitUntilClean()
            #expect(try await services.instances(of: "orders").map(\.metadata) == [Place(zone: "z")])
            withExtendedLifetime(taken) {}
        }
    }

    @Test("A session that ends tells, and the next session registers again")
    func expired() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let one = try await Services<Place>(client, at: live.path).register(Self.instance("1"))
            try await Live.expire(client)
            await Live.poke(client)
            guard case .failed(let error) = try await one.ended() else { throw LiveCacheTests.Missed() }
            #expect(error.isSessionOver)
            let services = Services<Place>(try await live.connect(), at: live.path)
            #expect(try await services.instances(of: "orders").isEmpty)
            let again = try await services.register(one.instance)
            #expect(try await services.instances(of: "orders") == [one.instance])
            withExtendedLifetime(again) {}
        }
    }

    @Test("S7: registering that is cancelled or whose connection fails at any point leaves nothing, or one node")
    func interrupted() async throws {
        try await Live.run { live in
            let (client, relay) = try await LostConnectionTests.relayed(live)
            defer { relay.stop() }
            let observer = Services<Place>(try await live.connect(), at: live.path)
            for fault in 0..<3 {
                for step in 1... {
                    let services = Services<Place>(client, at: live.path)
                    let task = Signal<Task<Void, any Error>>()
                    let trigger = StepTrigger(at: step) {
                        switch fault {
                        case 0: try? await task.wait().cancel()
                        case 1: relay.drop()
                        default: relay.loseNextAnswer()
                        }
                    }
                    let attempt = Task {
                        do {
                            let one = try await trigger.observe { try await services.register(Self.instance("1")) }
                            #expect(try await observer.instances(of: "orders") == [one.instance] || Task.isCancelled)
                            await one.release()
                        } catch let error as ZooKeeperError where error.code == .cancelled {
                            #expect(fault == 0)
                        }
                    }
                    task.fire(attempt)
                    try await attempt.value
                    await services.waitUntilClean()
                    #expect(try await observer.instances(of: "orders").isEmpty, "fault \(fault) at step \(step)")
                    guard trigger.hasFired else { break }
                }
            }
        }
    }

    @Test("The JSON is Curator's: its own is read, and ours has all its members")
    func json() throws {
        let curator = """
            {"name":"orders","id":"7","address":"h","port":8080,"sslPort":null,"payload":{"@class":"x.Y","zone":"b"},\
            "registrationTimeUTC":1700000000000,"serviceType":"DYNAMIC","uriSpec":{"parts":[]},"enabled":false}
            """
        let instance = try ServiceInstance<Place>(configurationBytes: Array(curator.utf8))
        let expected = ServiceInstance(
            service: "orders", id: "7", address: "h", port: 8080, metadata: Place(zone: "b"),
            registeredMilliseconds: 1_700_000_000_000, isEnabled: false)
        #expect(instance == expected)
        let ours = """
            {"address":"h","enabled":false,"id":"7","name":"orders","payload":{"zone":"b"},"port":8080,\
            "registrationTimeUTC":1700000000000,"serviceType":"DYNAMIC","sslPort":null,"uriSpec":null}
            """
        #expect(String(decoding: try expected.configurationBytes(), as: UTF8.self) == ours)
    }
}
