import ConclaveCore
import ConclaveWire
import Testing

/// What captured messages say: a codec that mixes up two fields both ways gives the same bytes and would not be found
/// out by comparing them.
struct MeaningTests {
    private func exchange(_ name: String) throws -> Vectors.Exchange {
        try #require((Vectors.clientFrames + Vectors.saslFrames).first { $0.name == name })
    }

    private func request(_ name: String) throws -> ClientRequest {
        var reader = ByteReader(payload(try exchange(name).request))
        return try ClientRequest.decode(try RequestHeader(from: &reader).operation, from: &reader)
    }

    private func reply(_ name: String) throws -> (header: ReplyHeader, body: ReplyBody) {
        let exchange = try exchange(name)
        var reader = ByteReader(payload(exchange.request))
        let operation = try RequestHeader(from: &reader).operation
        reader = ByteReader(payload(try #require(exchange.response)))
        let header = try ReplyHeader(from: &reader)
        return (header, header.error == .ok ? try ReplyBody.decode(for: operation, from: &reader) : .none)
    }

    @Test("Requests")
    func requests() throws {
        #expect(
            try request("createTTL")
                == .create(
                    CreateRequest(
                        path: "/t", data: [], acl: .open, mode: .timeToLive(.seconds(60)), wantsStat: true)))
        #expect(
            try request("create2-ephemeral-sequential")
                == .create(
                    CreateRequest(
                        path: "/a/es-", data: [], acl: .open, mode: .ephemeralSequential, wantsStat: true)))
        #expect(
            try request("createContainer")
                == .create(CreateRequest(path: "/c", data: [], acl: .open, mode: .container, wantsStat: true)))
        #expect(try request("create-null-data").operation == .create)
        #expect(try request("getData-watch") == .getData(path: "/a", watch: true))
        #expect(try request("auth-digest-ok") == .auth(scheme: "digest", credential: Array("bob:secret".utf8)))
        #expect(
            try request("setWatches2")
                == .setWatches(
                    SetWatches(
                        relativeZxid: Zxid(rawValue: 1 << 40), data: ["/a"], child: ["/a"], persistent: ["/w"],
                        persistentRecursive: ["/r"])))
        #expect(
            try request("reconfig-disabled")
                == .reconfig(joining: nil, leaving: nil, newMembers: "server.1=127.0.0.1:1:2;3", version: -1))
        #expect(try request("multi-empty") == .multi([]))
    }

    @Test("Headers")
    func headers() throws {
        #expect(try reply("create-exists").header == ReplyHeader(xid: 2, zxid: Zxid(rawValue: 8), error: .nodeExists))
        #expect(try reply("ping").header == ReplyHeader(xid: ReservedXid.ping, zxid: Zxid(rawValue: 5)))
        #expect(try reply("setWatches").header.xid == ReservedXid.setWatches)
        let unknown = try reply("unknown-opcode").header
        #expect(unknown == ReplyHeader(xid: 1, zxid: Zxid(rawValue: -1), error: .unimplemented))
    }

    @Test("Stats: a parent with children, an ephemeral node")
    func stats() throws {
        let parent = Stat(
            czxid: Zxid(rawValue: 7), mzxid: Zxid(rawValue: 0x1C), ctime: 0x1A1_FBC0_8DAB, mtime: 0x1A1_FBC0_8E00,
            version: 1, cversion: 6, aversion: 0, ephemeralOwner: .none, dataLength: 5, numChildren: 4,
            pzxid: Zxid(rawValue: 0x1F))
        #expect(try reply("exists-cversion").body == .stat(parent))
        guard case .created("/a/es-0000000004", let stat) = try reply("create2-ephemeral-sequential").body else {
            Issue.record("no create2")
            return
        }
        #expect(stat.ephemeralOwner == SessionID(rawValue: 0x0100_000D_A1D1_0000))
        guard case .stat(let changed) = try reply("setACL").body else {
            Issue.record("no setACL")
            return
        }
        #expect((changed.version, changed.cversion, changed.aversion) == (0, 0, 1))
    }

    @Test("Bodies")
    func bodies() throws {
        guard case .data(let data, let stat) = try reply("getData-watch").body else {
            Issue.record("no data")
            return
        }
        #expect(data == Array("hello".utf8))
        #expect(stat.dataLength == 5)
        guard case .acl(let acl, _) = try reply("getACL-masked").body else {
            Issue.record("no list")
            return
        }
        let bob = Identity(scheme: "digest", id: "bob:x")
        #expect(acl == [ACL(.read, for: .anyone), ACL(.all, for: bob)])
        let address = Identity(scheme: "ip", id: "127.0.0.1")
        #expect(try reply("whoAmI").body == .identities([Identity(scheme: "digest", id: "bob"), address]))
        #expect(try reply("getAllChildrenNumber").body == .count(7))
        #expect(try reply("create-sequential").body == .path("/a/s-0000000001"))
        guard case .multi(let results) = try reply("multiRead").body else {
            Issue.record("no results")
            return
        }
        #expect(results.map(\.type) == [.getData, .getChildren, .error])
        #expect(results.last == .failed(.noNode))
    }

    @Test("The handshake")
    func handshake() throws {
        let exchange = try exchange("connect-bad-password")
        var reader = ByteReader(payload(exchange.request))
        let request = try ConnectRequest(from: &reader)
        let session = SessionID(rawValue: 0x0100_000D_A1D1_0002)
        let password = [UInt8](repeating: 1, count: 16)
        #expect(
            request
                == ConnectRequest(
                    lastZxidSeen: .zero, timeoutMilliseconds: 10_000, session: session, password: password,
                    readOnly: false))
        reader = ByteReader(payload(try #require(exchange.response)))
        #expect(try ConnectResponse(from: &reader) == .sessionGone(readOnly: false))
        reader = ByteReader(payload(try #require(try self.exchange("connect-old-client").response)))
        let old = try ConnectResponse(from: &reader)
        #expect((old.timeoutMilliseconds, old.readOnly) == (10_000, nil))
        reader = ByteReader(payload(try self.exchange("connect-zxid-ahead").request))
        #expect(try ConnectRequest(from: &reader).lastZxidSeen == Zxid(rawValue: 1 << 50))
    }

    @Test("Events")
    func events() throws {
        var reader = ByteReader(payload(try exchange("setData-v0-event").events[0]))
        _ = try ReplyHeader(from: &reader)
        let event = WatcherEvent(type: WatchEvent.Kind.dataChanged.rawValue, path: "/a")
        #expect(try WatcherEvent(from: &reader) == event)
    }

    @Test("Stored stats and transaction headers")
    func stored() throws {
        let file = Vectors.file("snapshot.15")
        var reader = ByteReader(file)
        try SnapshotCodec.readHeader(from: &reader)
        _ = try SnapshotCodec.readSessions(from: &reader)
        _ = try SnapshotCodec.readACLTable(from: &reader)
        var stats: [String: StoredStat] = [:]
        while let node = try SnapshotCodec.readNode(from: &reader) {
            stats[String(decoding: file[node.path], as: UTF8.self)] = node.stat
        }
        let node = try #require(stats["/a"])
        #expect((node.czxid, node.mzxid, node.pzxid) == (Zxid(rawValue: 2), Zxid(rawValue: 9), Zxid(rawValue: 12)))
        #expect((node.ctime, node.mtime) == (0x1A1_FBC8_CB76, 0x1A1_FBC8_CC6F))
        #expect((node.version, node.childCreates, node.aversion, node.owner) == (1, 4, 0, 0))
        #expect(stats["/cont"]?.owner == NodeOwner.containerValue)
        #expect(stats["/cont"]?.aversion == 1)

        let log = Vectors.file("log.1")
        reader = ByteReader(log)
        try reader.skip(LogFormat.headerBytes + LogFormat.entryHeaderBytes)
        let first = try TransactionCodec.decode(&reader)
        let session = SessionID(rawValue: 0x0100_0015_E318_0000)
        let header = TransactionHeader(
            session: session, cxid: 0, zxid: Zxid(rawValue: 1), timeMilliseconds: 0x1A1_FBC8_CB39)
        let digest = TreeDigest(value: 0x51C6_D660)
        #expect(
            first == Transaction(header: header, change: .createSession(timeoutMilliseconds: 30_000), digest: digest))
    }
}
