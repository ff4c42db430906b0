import ConclaveClient
import ConclaveCore
import Synchronization
import TestLanes
import Testing

/// Every operation against a server: the bundled one, or any other.
@Suite(.onServer, .live) struct OperationTests {
    @Test("A node is made, read, changed and deleted, and its facts follow")
    func life() async throws {
        try await withClient { client, _ in
            #expect(try await client.exists("/a") == nil)
            let made = try await client.create("/a", [1, 2])
            #expect(made.path == "/a")
            #expect(made.name == "a")
            #expect(made.stat.dataLength == 2)
            #expect(made.stat.czxid > .zero)
            let read = try await client.data(at: "/a")
            #expect(read.bytes == [1, 2])
            #expect(read.stat == made.stat)
            let changed = try await client.setData(at: "/a", to: [3], version: 0)
            #expect(changed.version == 1)
            #expect(try await client.data(at: "/a").data == [3])
            #expect(
                await LostConnectionTests.error { try await client.setData(at: "/a", to: [], version: 0) }?.code
                    == .badVersion)
            #expect(await LostConnectionTests.error { try await client.create("/a") }?.code == .nodeExists)
            #expect(await LostConnectionTests.error { try await client.create("/b/c") }?.code == .noNode)
            try await client.create("/a/x")
            try await client.create("/a/b", nil)
            #expect(try await client.data(at: "/a/b").data?.isEmpty != false)
            let children = try await client.children(of: "/a")
            #expect(children.names == ["b", "x"])
            #expect(children.stat.numChildren == 2)
            #expect(try await client.descendantCount(of: "/") == 3)
            #expect(await LostConnectionTests.error { try await client.delete("/a") }?.code == .notEmpty)
            try await client.delete("/a/x", version: 0)
            let missing = await LostConnectionTests.error { _ = try await client.data(at: "/a/x") }
            #expect(missing?.code == .noNode)
            #expect(missing?.path == "/a/x")
            try await client.sync("/a")
        }
    }

    @Test("Every kind of node is what it says")
    func modes() async throws {
        try await withClient { client, servers in
            let first = try await client.create("/s-", mode: .persistentSequential)
            let second = try await client.create("/s-", mode: .ephemeralSequential)
            #expect(first.path == "/s-0000000000")
            #expect(second.path == "/s-0000000001")
            #expect(second.stat.ephemeralOwner == client.sessionID)
            #expect(try await client.create("/", mode: .persistentSequential).path == "/0000000002")
            try await client.create("/e", mode: .ephemeral)
            #expect(try await client.ephemerals() == ["/e", "/s-0000000001"])
            #expect(try await client.ephemerals(under: "/e") == ["/e"])
            #expect(
                await LostConnectionTests.error { try await client.create("/e/x") }?.code == .noChildrenForEphemerals)
            try await client.create("/c", mode: .container)
            try await withZooKeeperClient(connectedTo: servers) { other in
                try await other.create("/gone", mode: .ephemeral)
                #expect(try await client.exists("/gone") != nil)
            }
            #expect(try await client.exists("/gone") == nil)
        }
    }

    @Test("A transaction does all or nothing, with paths inside the chroot")
    func transactions() async throws {
        try await withClient { client, _ in
            let results = try await client.transaction([
                .create("/a", [1]), .create("/a/b-", nil, mode: .persistentSequential), .setData("/a", [2], version: 0),
                .check("/a", version: 1), .create("/c", []), .delete("/c"),
            ])
            guard case .created("/a", _) = results[0], case .created("/a/b-0000000000", _) = results[1],
                case .dataSet(let stat) = results[2]
            else { return #expect(Bool(false), "\(results)") }
            #expect(stat.version == 1)
            #expect(results[3] == .checked)
            #expect(results[5] == .deleted)
            let error = await LostConnectionTests.error {
                try await client.transaction([.delete("/a/b-0000000000"), .check("/a", version: 7), .delete("/a")])
            }
            #expect(error?.code == .badVersion)
            #expect(error?.path == "/a")
            #expect(error?.message.contains("operation 1 of 3 (check)") == true)
            #expect(try await client.exists("/a/b-0000000000") != nil)
            #expect(try await client.transaction([]).isEmpty)
            let read = try await client.read([.data("/a"), .children("/a"), .data("/none")])
            guard case .data(let node) = read[0], case .failed(let failure) = read[2] else {
                return #expect(Bool(false))
            }
            #expect(node.bytes == [2])
            #expect(read[1] == .children(["b-0000000000"]))
            #expect(failure == ZooKeeperError(.noNode, path: "/none"))
        }
    }

    @Test("Identities open what access control lists close, also on the next connection")
    func accessControl() async throws {
        try await withClient { client, servers in
            try await client.authenticate(.digest(user: "ann", password: "secret"))
            #expect(try await client.identities().contains { $0.scheme == "digest" && $0.id == "ann" })
            try await client.create("/own", [1], acl: .creatorOnly)
            let (acl, stat) = try await client.acl(of: "/own")
            #expect(acl.count == 1)
            #expect(acl.first?.permissions == .all)
            #expect(stat.aversion == 0)
            try await withZooKeeperClient(connectedTo: servers) { other in
                #expect(await LostConnectionTests.error { _ = try await other.data(at: "/own") }?.code == .noAuth)
            }
            var options = ZooKeeperClient.Options()
            options.credentials = [.digest(user: "ann", password: "secret")]
            try await withZooKeeperClient(connectedTo: servers, options: options) { other in
                #expect(try await other.data(at: "/own").bytes == [1])
                let changed = try await other.setACL(of: "/own", to: .open, version: 0)
                #expect(changed.aversion == 1)
            }
            #expect(await LostConnectionTests.error { try await client.create("/none", acl: []) }?.code == .invalidACL)
        }
    }

    @Test("Missing parents are made, existing ones kept, and whole subtrees deleted")
    func subtrees() async throws {
        try await withClient { client, _ in
            try await client.create("/a", [1])
            try await client.ensurePath("/a/b/c/d")
            try await client.ensurePath("/a/b/c/d")
            #expect(try await client.data(at: "/a").bytes == [1])
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<30 {
                    group.addTask {
                        try await client.ensurePath("/a/x\(number)")
                        for part in 0..<10 { try await client.create("/a/x\(number)/\(part)") }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await client.descendantCount(of: "/a") == 333)
            try await client.deleteSubtree("/a")
            #expect(try await client.exists("/a") == nil)
            #expect(await LostConnectionTests.error { try await client.deleteSubtree("/a") }?.code == .noNode)
        }
    }

    @Test("Data up to the frame limit goes there and back")
    func largeData() async throws {
        try await withClient { client, _ in
            let data = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            try await client.create("/large", data)
            #expect(try await client.data(at: "/large").bytes == data)
        }
    }

    @Test("Many tasks on one client each get their own answers")
    func manyTasks() async throws {
        try await withClient { client, _ in
            for number in 0..<16 { try await client.create("/\(number)", [UInt8(number)]) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<16 {
                    group.addTask {
                        for _ in 0..<100 {
                            let bytes = try await client.data(at: "/\(number)").bytes
                            #expect(bytes == [UInt8(number)])
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test("A protected create makes one node, whatever its kind")
    func protected() async throws {
        try await withClient { client, _ in
            let node = try await client.createProtected("/x-", mode: .ephemeralSequential)
            #expect(node.name.hasPrefix("_c_"))
            #expect(node.name.hasSuffix("-x-0000000000"))
            #expect(try await client.createProtected("/plain", prefix: "id").path == "/_c_id-plain")
            #expect(
                await LostConnectionTests.error { _ = try await client.createProtected("/plain", prefix: "id") }?.code
                    == .nodeExists)
        }
    }

    @Test("A call cancelled at any of its steps leaves no waiter, and the client goes on")
    func cancelledAtEachStep() async throws {
        try await withClient { client, _ in
            for target in 1...4 {
                let task = Task {
                    await ClientStep.$observer.withValue(StepCanceller(at: target).step) {
                        await LostConnectionTests.error {
                            try await client.create("/c\(target)")
                            _ = try await client.watchData(at: "/c\(target)")
                        }
                    }
                }
                let error = await task.value
                #expect(error == nil ? target == 4 : error?.code == .cancelled, "step \(target)")
            }
            let names = try await client.children(of: "/").names
            #expect(names == ["c2", "c3", "c4"])
            #expect(client.shell.load.waiters == 0)
            #expect(client.shell.load.watchers == 0)
        }
    }

    @Test("A session can be taken up by another client, and is gone when that one closes it")
    func resumedSession() async throws {
        try await withClient { client, servers in
            let first = try await ZooKeeperClient.connect(to: servers)
            try await first.create("/e", mode: .ephemeral)
            var options = ZooKeeperClient.Options()
            options.resume = first.ticket
            let second = try await ZooKeeperClient.connect(to: servers, options: options)
            #expect(second.sessionID == first.sessionID)
            #expect(try await client.exists("/e")?.ephemeralOwner == second.sessionID)
            // The first takes its session back where it can, so that one close may come too late.
            await first.close()
            var last: ZooKeeperError?
            while last?.code != .sessionExpired {
                last = await LostConnectionTests.error {
                    await (try await ZooKeeperClient.connect(to: servers, options: options)).close()
                }
            }
            #expect(try await client.exists("/e") == nil)
        }
    }
}

/// Cancels the calling task at one of its steps.
final class StepCanceller: Sendable {
    private let left: Atomic<Int>

    init(at target: Int) { left = Atomic(target) }

    @Sendable func step(_ name: String) async {
        if left.subtract(1, ordering: .relaxed).newValue == 0 { withUnsafeCurrentTask { $0?.cancel() } }
    }
}
