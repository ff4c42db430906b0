import ConclaveCore
import ConclaveTree
import Testing

/// Single changes and what they leave behind.
@Suite struct DataTreeTests {
    @Test("The built-in nodes are those of the reference")
    func builtIn() {
        let tree = DataTree()
        for path in ["/", "/zookeeper", "/zookeeper/quota"] as [NodePath] {
            #expect(tree.find(path).map { tree.aclKey(of: $0) } == -1)
        }
        let config = tree.find("/zookeeper/config")
        #expect(config.map { tree.acl(of: $0) } == .readOnly)
        #expect(config.map { tree.stat(of: $0).aversion } == -1)
        #expect(tree.find("") == tree.find("/"))
        #expect(tree.find("/zookeeper/") == nil)
        #expect(tree.find("//zookeeper") == nil)
        #expect(tree.find("zookeeper") == nil)
        #expect(tree.find("/zoo") == nil)
    }

    @Test("A create sets the stats of node and parent")
    func create() {
        var tree = DataTree()
        let effects = tree.apply(5, Make.create("/a", [1, 2, 3], creates: 1), time: 77)
        #expect(
            tree.stat("/a")
                == Stat(
                    czxid: Zxid(rawValue: 5), mzxid: Zxid(rawValue: 5), ctime: 77, mtime: 77, version: 0, cversion: 0,
                    aversion: 0, ephemeralOwner: .none, dataLength: 3, numChildren: 0, pzxid: Zxid(rawValue: 5)))
        #expect(tree.stat("/")?.pzxid == Zxid(rawValue: 5))
        #expect(tree.stored("/")?.childCreates == 1)
        #expect(tree.stat("/")?.numChildren == 2)
        #expect(effects == [.created("/a", acl: nil, parentACL: nil)])
        #expect(tree.lastProcessed == Zxid(rawValue: 5))
    }

    @Test("The reported child version counts creates twice and takes the children off")
    func childVersion() {
        var tree = DataTree()
        tree.apply(1, Make.create("/a", creates: 1))
        tree.apply(2, Make.create("/a/x", creates: 1))
        tree.apply(3, Make.create("/a/y", creates: 2))
        #expect(tree.stat("/a")?.cversion == 2)
        tree.apply(4, .delete(path: "/a/x"))
        #expect(tree.stat("/a")?.cversion == 3)
        #expect(tree.stored("/a")?.childCreates == 2)
        #expect(tree.stat("/a")?.pzxid == Zxid(rawValue: 4))
        #expect(tree.find("/a").map { tree.childNames(of: $0) } == [Array("y".utf8)])
    }

    @Test("Null data and empty data are different things")
    func nullData() {
        var tree = DataTree()
        tree.apply(1, Make.create("/null", nil))
        tree.apply(2, Make.create("/empty", []))
        for (path, data) in [("/null", nil), ("/empty", [])] as [(NodePath, [UInt8]?)] {
            let node = tree.find(path)
            #expect(node != nil)
            guard let node else { continue }
            #expect(tree.data(of: node) == data)
            var writer = ByteWriter()
            tree.writeData(of: node, into: &writer)
            #expect(writer.bytes == (data == nil ? [255, 255, 255, 255] : [0, 0, 0, 0]))
        }
        tree.apply(3, .setData(path: "/null", data: [], version: 1))
        tree.apply(4, .setData(path: "/empty", data: nil, version: 1))
        #expect(tree.find("/null").flatMap { tree.data(of: $0) } == [])
        #expect(tree.find("/empty").flatMap { tree.data(of: $0) } == nil)
        #expect(tree.digest == TreeImage(tree).computedDigest)
    }

    @Test("Data of every size comes back, grown and shrunk in place")
    func sizes() {
        var tree = DataTree()
        tree.apply(1, Make.create("/n", nil))
        var zxid: Int64 = 1
        let sizes = Array(0...600) + [1000, 4090, 4094, 4095, 4096, 4097, 70_000, 5, 100_000, 0]
        for size in sizes {
            zxid += 1
            let data = (0..<size).map { UInt8(truncatingIfNeeded: $0 &+ size) }
            tree.apply(zxid, .setData(path: "/n", data: data, version: Int32(zxid)))
            #expect(tree.find("/n").flatMap { tree.data(of: $0) } == data)
        }
        #expect(tree.approximateDataSize == DataTree().approximateDataSize + 2)
    }

    @Test("setACL changes the list and its version only")
    func setACL() {
        var tree = DataTree()
        tree.apply(1, Make.create("/a", acl: .readOnly))
        let before = tree.stat("/a")
        let acl = [ACL(.all, for: Identity(scheme: "digest", id: "u:h"))]
        let effects = tree.apply(2, .setACL(path: "/a", acl: acl, version: 1))
        #expect(effects.isEmpty)
        var expected = before
        expected?.aversion = 1
        #expect(tree.stat("/a") == expected)
        #expect(tree.find("/a").map { tree.acl(of: $0) } == acl)
    }

    @Test("Equal lists share a key, and a key that nobody uses is never given out again")
    func aclKeys() {
        var tree = DataTree()
        let first = [ACL(.read, for: Identity(scheme: "ip", id: "1.2.3.4"))]
        let second = [ACL(.read, for: Identity(scheme: "ip", id: "1.2.3.5"))]
        tree.apply(1, Make.create("/a", acl: first))
        tree.apply(2, Make.create("/b", acl: first))
        let key = tree.find("/a").map { tree.aclKey(of: $0) }
        #expect(tree.find("/b").map { tree.aclKey(of: $0) } == key)
        #expect(tree.beginSnapshot().acls.count == 2)
        tree.apply(3, .delete(path: "/a"))
        tree.apply(4, .delete(path: "/b"))
        tree.apply(5, Make.create("/c", acl: second))
        #expect((tree.find("/c").map { tree.aclKey(of: $0) } ?? 0) > (key ?? 0))
        #expect(tree.beginSnapshot().acls.map(\.acl) == [.readOnly, second])
    }

    @Test("Closing a session deletes what the leader listed and whatever else it owns")
    func closeSession() {
        var tree = DataTree()
        tree.apply(1, .createSession(timeoutMilliseconds: 5000))
        tree.apply(2, Make.create("/p"))
        tree.apply(3, Make.create("/p/b", ephemeral: true))
        tree.apply(4, Make.create("/p/a", ephemeral: true))
        tree.apply(5, Make.create("/p/c", ephemeral: true))
        tree.apply(6, Make.create("/other", ephemeral: true), session: Make.bob)
        #expect(tree.ephemerals(of: Make.alice) == ["/p/a", "/p/b", "/p/c"])
        #expect(tree.ownersWithoutSession() == [Make.bob])
        let effects = tree.apply(7, .closeSession(paths: ["/p/c", "/gone", "/p/a"]))
        #expect(
            effects == [
                .deleted("/p/c", acl: nil, parentACL: nil), .deleted("/p/a", acl: nil, parentACL: nil),
                .deleted("/p/b", acl: nil, parentACL: nil), .sessionClosed(Make.alice),
            ])
        #expect(tree.sessions.isEmpty)
        #expect(tree.ephemeralCount == 1)
        #expect(tree.stat("/p")?.pzxid == Zxid(rawValue: 7))
    }

    @Test("Old logs close a session without a list")
    func closeSessionWithoutList() {
        var tree = DataTree()
        tree.apply(1, .createSession(timeoutMilliseconds: 5000))
        tree.apply(2, Make.create("/e", ephemeral: true))
        tree.apply(3, .closeSession(paths: nil))
        #expect(tree.find("/e") == nil)
        #expect(tree.ephemeralCount == 0)
    }

    @Test("A multi is one step with one zxid, or nothing at all")
    func multi() {
        var tree = DataTree()
        let effects = tree.apply(
            9,
            .multi([
                Make.create("/a", creates: 1), Make.create("/a/b", creates: 1), .check(path: "/a", version: 1),
                .setData(path: "/a/b", data: [1], version: 1), .delete(path: "/a/b"),
            ]))
        #expect(effects.count == 4)
        #expect(tree.stat("/a")?.pzxid == Zxid(rawValue: 9))
        #expect(tree.nodeCount == 5)
        let before = TreeImage(tree).nodes
        #expect(tree.apply(10, .multi([Make.create("/b"), .error(code: -110), .error(code: -2)])).isEmpty)
        #expect(TreeImage(tree).nodes == before)
        #expect(tree.lastProcessed == Zxid(rawValue: 10))
        #expect(tree.apply(11, .multi([.multi([Make.create("/c")]), .createSession(timeoutMilliseconds: 1)])).isEmpty)
        #expect(TreeImage(tree).nodes == before)
    }

    @Test("A create that is there already raises the parent's counter and never lowers it, for every kind of create")
    func replayedCreate() {
        for form in [CreateChange.Form.create, .create2, .container, .timeToLive] {
            var tree = DataTree()
            tree.apply(1, Make.create("/p", creates: 1))
            tree.apply(5, Make.create("/p/x", [1], creates: 3))
            #expect(tree.apply(4, Make.create("/p/x", [2], form: form, creates: 2)).isEmpty)
            #expect(tree.stored("/p")?.childCreates == 3)
            #expect(tree.stat("/p")?.pzxid == Zxid(rawValue: 5))
            tree.apply(6, Make.create("/p/x", acl: .readOnly, form: form, creates: 9))
            #expect(tree.stored("/p")?.childCreates == 9)
            #expect(tree.stat("/p")?.pzxid == Zxid(rawValue: 6))
            #expect(tree.find("/p/x").map { tree.acl(of: $0) } == .readOnly)
            #expect(tree.find("/p/x").flatMap { tree.data(of: $0) } == [1])
            #expect(tree.digest == TreeImage(tree).computedDigest)
        }
    }

    @Test("A delete of a node that is gone still moves the parent's child zxid, and only forward")
    func replayedDelete() {
        var tree = DataTree()
        tree.apply(1, Make.create("/p", creates: 1))
        #expect(tree.apply(5, .delete(path: "/p/x")).isEmpty)
        #expect(tree.stat("/p")?.pzxid == Zxid(rawValue: 5))
        tree.apply(3, .delete(path: "/p/x"))
        #expect(tree.stat("/p")?.pzxid == Zxid(rawValue: 5))
        #expect(tree.lastProcessed == Zxid(rawValue: 5))
    }

    @Test("A delete over the future of a fuzzy snapshot takes the children along")
    func deleteWithChildren() {
        var tree = DataTree()
        tree.apply(1, Make.create("/a"))
        tree.apply(2, Make.create("/a/b"))
        tree.apply(3, Make.create("/a/b/c", ephemeral: true))
        tree.apply(4, Make.create("/a/d"))
        let effects = tree.apply(5, .delete(path: "/a"))
        #expect(effects.count == 4)
        #expect(effects.last == .deleted("/a", acl: nil, parentACL: nil))
        #expect(tree.nodeCount == 4)
        #expect(tree.ephemeralCount == 0)
        #expect(tree.digest == TreeImage(tree).computedDigest)
    }

    @Test("A missing child counter means one more than now")
    func oldCreates() {
        var tree = DataTree()
        tree.apply(1, Make.create("/p"))
        tree.apply(2, Make.create("/p/a", creates: -1))
        tree.apply(3, Make.create("/p/b", creates: -1))
        #expect(tree.stored("/p")?.childCreates == 2)
    }

    @Test("A child counter that is used up stays where it is")
    func counterOverflow() {
        var tree = DataTree()
        tree.apply(1, Make.create("/p"))
        tree.apply(2, Make.create("/p/a", creates: .max))
        tree.apply(3, Make.create("/p/b", creates: -1))
        tree.apply(4, Make.create("/p/c", creates: .min))
        #expect(tree.stored("/p")?.childCreates == .max)
        #expect(tree.stat("/p")?.numChildren == 3)
        #expect(tree.stat("/p")?.cversion == Int32.max &* 2 &- 3)
    }

    @Test("Containers go when their last child has gone, times to live when they are over")
    func expiring() {
        var options = TreeOptions()
        options.extendedTypes = true
        var tree = DataTree(options: options)
        tree.apply(1, Make.create("/used", form: .container), time: 1000)
        tree.apply(2, Make.create("/unused", form: .container), time: 1000)
        tree.apply(3, Make.create("/ttl", form: .timeToLive, ttl: 50), time: 1000)
        tree.apply(4, Make.create("/used/x"), time: 1000)
        tree.apply(5, Make.create("/ttl/x"), time: 1000)
        func expired(_ now: Int64, neverUsed: Int64 = 0, limit: Int = 10) -> [NodePath] {
            tree.expiredNodes(
                now: WallTime(milliseconds: now), neverUsedMilliseconds: neverUsed, limit: limit)
        }
        #expect(expired(5000).isEmpty)
        tree.apply(6, .delete(path: "/used/x"), time: 1001)
        tree.apply(7, .delete(path: "/ttl/x"), time: 1001)
        #expect(expired(1050) == ["/used"])
        #expect(expired(1051) == ["/ttl", "/used"])
        #expect(expired(1051, limit: 1).count == 1)
        #expect(expired(1100, neverUsed: 100) == ["/ttl", "/used"])
        #expect(expired(1101, neverUsed: 100) == ["/ttl", "/unused", "/used"])
        tree.apply(8, .setData(path: "/ttl", data: [1], version: 1), time: 1100)
        #expect(expired(1150) == ["/used"])
        tree.apply(9, .deleteContainer(path: "/used"))
        #expect(expired(1150).isEmpty)
        #expect(expired(.max, neverUsed: 1) == ["/ttl", "/unused"])
        #expect(expired(.min).isEmpty)
    }

    @Test("Without extended types an owner like a time to live is a session")
    func noExtendedTypes() {
        var tree = DataTree()
        tree.apply(1, Make.create("/t", form: .timeToLive, ttl: 50))
        #expect(tree.ephemeralCount == 1)
        #expect(tree.stat("/t")?.ephemeralOwner == SessionID(rawValue: NodeOwner.timeToLivePrefix | 50))
    }

    @Test("Sessions with the top bit set own nodes like any other")
    func negativeSessions() {
        var tree = DataTree()
        let session = SessionID(rawValue: -5)
        tree.apply(1, .createSession(timeoutMilliseconds: 1), session: session)
        tree.apply(2, Make.create("/e", ephemeral: true), session: session)
        #expect(tree.stat("/e")?.ephemeralOwner == session)
        #expect(tree.ephemerals(of: session) == ["/e"])
    }

    @Test("Paths and descendants are found from the index")
    func descendants() {
        var tree = DataTree()
        tree.apply(1, Make.create("/a"))
        tree.apply(2, Make.create("/a/bb"))
        tree.apply(3, Make.create("/a/bb/ccc"))
        tree.apply(4, Make.create("/a/d"))
        for path in ["/", "/a", "/a/bb", "/a/bb/ccc", "/a/d"] as [NodePath] {
            #expect(tree.find(path).map { tree.path(of: $0) } == path)
        }
        #expect(tree.find("/a").map { tree.descendantCount(of: $0) } == 3)
        #expect(tree.find("/a/d").map { tree.descendantCount(of: $0) } == 0)
        #expect(tree.find("/").map { tree.descendantCount(of: $0) } == 7)
        #expect(tree.find("/a/bb/ccc").flatMap { tree.parent(of: $0) } == tree.find("/a/bb"))
        #expect(tree.find("/").flatMap { tree.parent(of: $0) } == nil)
    }

    @Test("With digests off there is none, and node digests can be had all the same")
    func noDigest() {
        var options = TreeOptions()
        options.digestEnabled = false
        var tree = DataTree(options: options)
        tree.apply(1, Make.create("/a", [1]))
        tree.apply(2, .setData(path: "/a", data: [2], version: 1))
        #expect(tree.digest == 0)
        var other = DataTree()
        other.apply(1, Make.create("/a", [1]))
        other.apply(2, .setData(path: "/a", data: [2], version: 1))
        #expect(tree.find("/a").map { tree.digest(of: $0) } == other.find("/a").map { other.digest(of: $0) })
    }

    @Test("A path of 100,000 bytes and a chain of hundreds of nodes are no trouble")
    func extremes() {
        var tree = DataTree()
        let long = NodePath(utf8: [UInt8(ascii: "/")] + [UInt8](repeating: UInt8(ascii: "x"), count: 100_000))
        tree.apply(1, Make.create(long, [7]))
        #expect(tree.find(long).flatMap { tree.data(of: $0) } == [7])
        tree.apply(2, .delete(path: long))
        var path: [UInt8] = []
        for zxid in 3..<403 {
            path += Array("/a".utf8)
            tree.apply(Int64(zxid), Make.create(NodePath(utf8: path)))
        }
        #expect(tree.find("/a").map { tree.descendantCount(of: $0) } == 399)
        #expect(tree.apply(5000, .delete(path: "/a")).count == 400)
        #expect(tree.nodeCount == 4)
    }

    @Test("Different seeds give the same tree")
    func seeds() {
        var options = TreeOptions()
        options.hashSeed = 99
        var (one, two) = (DataTree(), DataTree(options: options))
        for zxid in 1...200 {
            let change = Make.create(NodePath("/n\(zxid % 60)"), creates: Int32(zxid))
            one.apply(Int64(zxid), change)
            two.apply(Int64(zxid), change)
        }
        #expect(TreeImage(one).differences(from: TreeImage(two)).isEmpty)
    }
}
