import ConclaveClient
import ConclaveCore
import ConclaveWire
import TestLanes
import Testing

@Suite(.live) struct ProtectedCreateTests {
    static let id = "8f2c9b66-0000-4000-8000-00000000000a"
    static let own = "_c_\(id)-lock-0000000004"

    /// Answers the sync and the listing that follow a lost create.
    static func answerSearch(_ peer: FakePeer, names: [String]) async throws {
        let sync = try await peer.request()
        #expect(sync.body == .sync(path: "/locks"))
        peer.reply(sync.xid, .path("/locks"), to: .sync)
        let list = try await peer.request()
        #expect(list.body == .getChildren2(path: "/locks", watch: false))
        peer.reply(list.xid, .children(names, .owned()), to: .getChildren2)
    }

    static func create(_ client: ZooKeeperClient) async throws -> CreatedNode {
        try await client.createProtected("/locks/lock-", prefix: id, mode: .ephemeralSequential)
    }

    @Test("The name gets Curator's prefix, and an answered create is one request")
    func plain() async throws {
        let server = try FakeServer()
        defer { server.stop() }
        let (client, peer) = try await server.client()
        async let created = Self.create(client)
        let (xid, body) = try await peer.request()
        guard case .create(let request) = body else { return #expect(Bool(false)) }
        #expect(request.path == NodePath("/locks/_c_\(Self.id)-lock-"))
        #expect(request.flags == 3)
        peer.reply(xid, .created(path: "/locks/" + Self.own, stat: .owned(by: FakeServer.session)), to: .create2)
        #expect(try await created.path == "/locks/" + Self.own)
    }

    @Test("After lost answers the own node is found, not one with another owner, and none is made twice")
    func found() async throws {
        let server = try FakeServer()
        defer { server.stop() }
        let (client, first) = try await server.client()
        async let created = Self.create(client)
        _ = try await first.request()
        first.cut()
        // The search is cut off too, then finds nothing, then the second create is lost.
        let second = try await server.session().peer
        _ = try await second.request()
        second.cut()
        let third = try await server.session().peer
        try await Self.answerSearch(third, names: ["_c_another-lock-0000000001"])
        guard case .create = try await third.request().body else { return #expect(Bool(false)) }
        third.cut()
        let fourth = try await server.session().peer
        try await Self.answerSearch(fourth, names: ["_c_\(Self.id)-lock-0000000003", Self.own])
        var look = try await fourth.request()
        #expect(look.body == .exists(path: NodePath("/locks/_c_\(Self.id)-lock-0000000003"), watch: false))
        fourth.reply(look.xid, .stat(.owned(by: SessionID(rawValue: 99))), to: .exists)
        look = try await fourth.request()
        fourth.reply(look.xid, .stat(.owned(by: FakeServer.session, czxid: 44)), to: .exists)
        let node = try await created
        #expect(node.path == "/locks/" + Self.own)
        #expect(node.stat.czxid == Zxid(rawValue: 44))
    }

    @Test("A node of a dying session with the same id is left alone, and a new one is made")
    func foreignOwner() async throws {
        let server = try FakeServer()
        defer { server.stop() }
        let (client, first) = try await server.client()
        async let created = Self.create(client)
        _ = try await first.request()
        first.cut()
        let second = try await server.session().peer
        try await Self.answerSearch(second, names: [Self.own])
        let look = try await second.request()
        second.reply(look.xid, .stat(.owned(by: SessionID(rawValue: 99))), to: .exists)
        let (xid, body) = try await second.request()
        guard case .create = body else { return #expect(Bool(false)) }
        let path = "/locks/_c_\(Self.id)-lock-0000000005"
        second.reply(xid, .created(path: path, stat: .owned(by: FakeServer.session)), to: .create2)
        #expect(try await created.path == path)
    }

    @Test("A cancelled create is cleaned up behind the caller's back, through lost connections")
    func cancelled() async throws {
        let server = try FakeServer()
        defer { server.stop() }
        let (client, first) = try await server.client()
        let task = Task { await LostConnectionTests.error { _ = try await Self.create(client) } }
        _ = try await first.request()
        task.cancel()
        #expect(await task.value?.code == .cancelled)
        _ = try await first.request()
        first.cut()
        let second = try await server.session().peer
        try await Self.answerSearch(second, names: [Self.own])
        let look = try await second.request()
        second.reply(look.xid, .stat(.owned(by: FakeServer.session)), to: .exists)
        let deletion = try await second.request()
        #expect(deletion.body == .delete(path: NodePath("/locks/" + Self.own), version: -1))
        second.reply(deletion.xid)
    }

    @Test("The end of the session ends the search")
    func expired() async throws {
        let server = try FakeServer()
        defer { server.stop() }
        let (client, first) = try await server.client()
        async let call = LostConnectionTests.error { _ = try await Self.create(client) }
        _ = try await first.request()
        first.cut()
        let second = await server.connection()
        _ = try await second.connectRequest()
        second.expire()
        #expect(await call?.code == .sessionExpired)
    }
}
