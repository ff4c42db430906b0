import ConclaveCore
import ConclaveNode
import ConclaveTree
import ConclaveWire
import Testing

struct PipelineTests {
    @Test("Nothing is answered or shown before its receipt")
    func durableBeforeAcknowledged() throws {
        var server = MachineHarness()
        let writer = try server.connect().id
        let reader = try server.connect().id
        server.send(.create("/a", [1]), on: writer)
        #expect(try server.next(writer, for: .create2) == nil)
        server.send(.exists(path: "/a", watch: false), on: reader)
        guard case .reply(let miss)? = try server.next(reader, for: .exists) else {
            throw MachineHarness.HarnessError.noReply
        }
        #expect(miss.header.error == .noNode)
        server.sync()
        guard case .reply(let created)? = try server.next(writer, for: .create2) else {
            throw MachineHarness.HarnessError.noReply
        }
        #expect(created.header.error == .ok)
        #expect(try server.perform(.exists(path: "/a", watch: false), on: reader).header.error == .ok)
    }

    @Test("A read behind a write of the same connection waits; one of another connection does not")
    func orderWithinAConnection() throws {
        var server = MachineHarness()
        let client = try server.connect().id
        _ = try server.perform(.create("/a", [1]), on: client)
        let write = server.send(.setData(path: "/a", data: [2], version: -1), on: client)
        let read = server.send(.getData(path: "/a", watch: false), on: client)
        let second = server.send(.setData(path: "/a", data: [3], version: -1), on: client)
        let last = server.send(.getData(path: "/a", watch: false), on: client)
        #expect(try server.next(client) == nil)
        server.sync(1)
        var seen: [(Int32, ReplyBody)] = []
        for operation in [OperationCode.setData, .getData] {
            guard case .reply(let reply)? = try server.next(client, for: operation) else { break }
            seen.append((reply.header.xid, reply.body))
        }
        #expect(seen.map(\.0) == [write, read])
        guard case .data(let data, _)? = seen.last?.1 else { throw MachineHarness.HarnessError.noReply }
        #expect(data == [2])
        #expect(try server.next(client) == nil)
        server.sync()
        guard case .reply(let third)? = try server.next(client, for: .setData),
            case .reply(let fourth)? = try server.next(client, for: .getData)
        else { throw MachineHarness.HarnessError.noReply }
        #expect([third.header.xid, fourth.header.xid] == [second, last])
        #expect(server.machine.outstandingRequests == 0)
    }

    @Test("Validation sees changes in flight")
    func changesInFlight() throws {
        var server = MachineHarness()
        let client = try server.connect().id
        server.send(.create("/a"), on: client)
        server.send(.create("/a/b"), on: client)
        server.send(.create("/a/b"), on: client)
        server.send(.delete(path: "/a", version: -1), on: client)
        server.send(.delete(path: "/a/b", version: -1), on: client)
        server.send(.delete(path: "/a", version: -1), on: client)
        server.send(.create("/a/c"), on: client)
        server.sync()
        var codes: [ZooKeeperError.Code] = []
        for operation in [OperationCode.create2, .create2, .create2, .delete, .delete, .delete, .create2] {
            guard case .reply(let reply)? = try server.next(client, for: operation) else { break }
            codes.append(reply.header.error)
        }
        #expect(codes == [.ok, .ok, .nodeExists, .notEmpty, .ok, .ok, .noNode])
    }

    @Test("Every write has its own zxid, refused ones too, and the digests are those of the tree")
    func zxidsAndDigests() throws {
        var server = MachineHarness()
        let client = try server.connect().id
        for index in 0..<20 {
            server.send(.create("/n\(index % 7)", [UInt8(index)]), on: client)
            server.send(.setData(path: "/n\(index % 5)", data: nil, version: -1), on: client)
            server.send(.create("/n\(index % 7)/s-", flags: 2), on: client)
            server.send(.setACL(path: "/n1", acl: .readOnly, version: -1), on: client)
            server.send(.multi([.create("/m\(index)"), .delete(path: "/m\(index)", version: 0)]), on: client)
        }
        server.send(.closeSession, on: client)
        var digests: [Zxid: TreeDigest] = [:]
        while let next = server.unsynced.first {
            server.sync(1)
            if let digest = next.digest {
                digests[next.header.zxid] = digest
                #expect(digest.value == server.machine.tree.digest, "at \(next.header.zxid)")
            }
        }
        let zxids = server.log.map(\.header.zxid.rawValue)
        #expect(zxids == Array(1...Int64(zxids.count)))
        #expect(digests.count > 60)
        #expect(server.machine.statistics.digestMismatches == 0)
    }

    @Test("A failed multi changes nothing and names the part that failed")
    func failedMulti() throws {
        var server = MachineHarness()
        let client = try server.connect().id
        _ = try server.perform(.create("/a"), on: client)
        let before = server.machine.tree.digest
        let reply = try server.perform(
            .multi([
                .create("/b"), .setData(path: "/a", data: [1], version: -1), .check(path: "/a", version: 7),
                .delete(path: "/a", version: -1),
            ]), on: client)
        #expect(reply.header.error == .ok)
        #expect(
            reply.body
                == .multi([.failed(.ok), .failed(.ok), .failed(.badVersion), .failed(.runtimeInconsistency)]))
        #expect(server.machine.tree.digest == before)
        #expect(try server.perform(.exists(path: "/b", watch: false), on: client).header.error == .noNode)
        let after = try server.perform(.setData(path: "/a", data: [2], version: 0), on: client)
        #expect(after.header.error == .ok)
    }

    @Test("The parts of a multi see each other, share a zxid and report the versions in between")
    func multi() throws {
        var server = MachineHarness()
        let client = try server.connect().id
        let reply = try server.perform(
            .multi([
                .create("/a"), .setData(path: "/a", data: [1], version: 0), .setData(path: "/a", data: [2], version: 1),
                .create("/a/s", flags: 2), .check(path: "/a", version: 2),
            ]), on: client)
        guard case .multi(let results) = reply.body, results.count == 5 else {
            throw MachineHarness.HarnessError.noReply
        }
        guard case .dataSet(let first) = results[1], case .dataSet(let second) = results[2],
            case .created(let path, _) = results[3]
        else { throw MachineHarness.HarnessError.noReply }
        #expect(first.version == 1 && second.version == 2 && first.mzxid == second.mzxid)
        #expect(path == "/a/s0000000000")
        #expect(results[4] == .checked)
    }

    @Test("A create2 inside a multi is logged as a create, which the reference can replay")
    func create2InsideMulti() throws {
        var server = MachineHarness()
        let client = try server.connect().id
        let reply = try server.perform(.multi([.create("/a", [1])]), on: client)
        guard case .multi(let results) = reply.body, case .created("/a", _?)? = results.first else {
            throw MachineHarness.HarnessError.noReply
        }
        guard case .multi(let parts)? = server.log.last?.change else { throw MachineHarness.HarnessError.noReply }
        #expect(parts.map(\.operation) == [.create])
    }

    @Test("A sync is answered behind everything in flight, at once if there is nothing")
    func sync() throws {
        var server = MachineHarness()
        let writer = try server.connect().id
        let other = try server.connect().id
        server.send(.create("/a"), on: writer)
        server.send(.sync(path: "/a"), on: other)
        #expect(try server.next(other, for: .sync) == nil)
        server.sync()
        guard case .reply(let reply)? = try server.next(other, for: .sync) else {
            throw MachineHarness.HarnessError.noReply
        }
        #expect(reply.body == .path("/a"))
        #expect(try server.perform(.sync(path: "/b"), on: other).body == .path("/b"))
    }

    @Test("Pings are answered in the order of the requests, as the reference does")
    func pings() throws {
        var server = MachineHarness()
        let client = try server.connect().id
        let write = server.send(.create("/a"), on: client)
        server.send(.ping, on: client, xid: ReservedXid.ping)
        #expect(try server.next(client) == nil)
        server.sync()
        guard case .reply(let first)? = try server.next(client, for: .create2),
            case .reply(let second)? = try server.next(client)
        else { throw MachineHarness.HarnessError.noReply }
        #expect(first.header.xid == write && second.header.xid == ReservedXid.ping)
        server.send(.ping, on: client, xid: ReservedXid.ping)
        guard case .reply(let alone)? = try server.next(client) else { throw MachineHarness.HarnessError.noReply }
        #expect(alone.header.xid == ReservedXid.ping && alone.header.error == .ok)
    }

    @Test("Refusals do not overtake what was sent before them", arguments: [13, 9, 4, 999] as [Int32])
    func refusalsInOrder(code: Int32) throws {
        var server = MachineHarness()
        let client = try server.connect().id
        let write = server.send(.create("/a"), on: client)
        var frame = ByteWriter()
        let start = frame.openLength()
        RequestHeader(xid: 77, operation: OperationCode(rawValue: code)).encode(into: &frame)
        frame.closeLength(at: start)
        server.deliver(frame.bytes, on: client)
        #expect(try server.next(client) == nil)
        server.sync()
        guard case .reply(let first)? = try server.next(client, for: .create2),
            case .reply(let second)? = try server.next(client)
        else { throw MachineHarness.HarnessError.noReply }
        #expect(first.header.xid == write && second.header.xid == 77)
        #expect(second.header.error == (code == 13 || code == 999 ? .unimplemented : .marshallingError))
        #expect((server.closed[client] != nil) == (code == 999))
    }

    @Test("Above the limit of requests in flight, connections with unanswered requests are not read, and then go on")
    func backPressure() throws {
        var options = ServerOptions()
        options.outstandingLimit = 10
        var server = MachineHarness(options)
        let client = try server.connect().id
        let other = try server.connect().id
        for index in 0..<25 { server.send(.create("/n\(index)"), on: client) }
        #expect(server.paused.contains(client))
        #expect(server.unsynced.count == 10)
        #expect(try server.perform(.exists(path: "/", watch: false), on: other).header.error == .ok)
        var answered = 0
        while !server.unsynced.isEmpty { server.sync() }
        while case .reply(let reply)? = try server.next(client, for: .create2) {
            #expect(reply.header.error == .ok)
            answered += 1
        }
        #expect(answered == 25)
        #expect(!server.paused.contains(client))
    }
}
