import ConclaveCore
import ConclaveTree
import Testing

/// Loading what is not quite right.
@Suite struct LoadingTests {
    private func stat(_ zxid: Int64 = 1, owner: Int64 = 0) -> StoredStat {
        let zxid = Zxid(rawValue: zxid)
        return StoredStat(
            czxid: zxid, mzxid: zxid, ctime: 0, mtime: 0, version: 0, childCreates: 0, aversion: 0, owner: owner,
            pzxid: zxid)
    }

    private func load(
        _ nodes: [(path: String, key: Int64, owner: Int64)], into tree: inout DataTree
    ) -> [Bool] {
        nodes.map { tree.load(Array($0.path.utf8), [], key: $0.key, stat(owner: $0.owner)) }
    }

    private let builtIn: [(path: String, key: Int64, owner: Int64)] = [
        ("", -1, 0), ("/zookeeper", -1, 0), ("/zookeeper/quota", -1, 0), ("/zookeeper/config", -1, 0),
    ]

    @Test(
        "Nodes without a parent and paths that are none are refused, nodes that come twice are dropped, all are counted"
    )
    func unplaced() {
        var tree = DataTree()
        tree.beginLoading()
        _ = load(builtIn, into: &tree)
        let placed = load(
            [
                ("/a/b", -1, 0), ("/a", -1, 0), ("/a/b", -1, 0), ("/a", -1, 0), ("a", -1, 0), ("/a/", -1, 0),
                ("//", -1, 0),
                ("//a", -1, 0), ("/", -1, 0),
            ], into: &tree)
        #expect(placed == [false, true, true, true, false, false, false, false, false])
        #expect(tree.finishLoading(zxid: .zero, digest: nil) == [.unplacedNodes(7)])
        #expect(tree.nodeCount == 6)
    }

    @Test("A key without a list locks the node until its create is replayed")
    func unknownKey() {
        var tree = DataTree()
        tree.beginLoading()
        _ = load(builtIn + [("/a", 7, 0), ("/b", 7, 0)], into: &tree)
        #expect(tree.finishLoading(zxid: .zero, digest: nil) == [.unknownACLKey(7)])
        let node = tree.find("/a")
        let acl = node.map { tree.acl(of: $0) } ?? []
        let bob = [Identity(scheme: "digest", id: "bob:x")]
        #expect(!AccessControl.isAllowed(.read, by: acl, identities: bob))
        #expect(AccessControl.isAllowed(.read, by: acl, identities: [Identity(scheme: "super", id: "")]))
        // What is written next has the key in its table.
        #expect(tree.beginSnapshot().acls.map(\.key) == [7])
        tree.apply(1, Make.create("/a"))
        #expect(tree.find("/a").map { tree.aclKey(of: $0) } == -1)
        #expect(tree.find("/b").map { tree.aclKey(of: $0) } == 7)
    }

    @Test("Keys go on behind the largest one loaded, lists that nobody bears are forgotten, the open list needs no key")
    func keys() {
        var tree = DataTree()
        tree.beginLoading()
        let digest = [ACL(.all, for: Identity(scheme: "digest", id: "u:h"))]
        let entries: [(key: Int64, acl: [ACL])] = [(3, .readOnly), (3, digest), (9, digest), (4, .open), (-1, digest)]
        #expect(entries.map { tree.loadACL(key: $0.key, acl: $0.acl) } == [true, false, true, true, false])
        _ = load(builtIn + [("/a", 3, 0), ("/b", 4, 0)], into: &tree)
        #expect(tree.finishLoading(zxid: .zero, digest: nil).isEmpty)
        #expect(tree.find("/a").map { tree.acl(of: $0) } == .readOnly)
        #expect(tree.find("/b").map { tree.aclKey(of: $0) } == -1)
        tree.apply(1, Make.create("/c", acl: digest))
        #expect(tree.find("/c").map { tree.aclKey(of: $0) } == 10)
        tree.apply(2, Make.create("/d", acl: .readOnly))
        #expect(tree.find("/d").map { tree.aclKey(of: $0) } == 3)
    }

    @Test("The largest possible key does not stop the counter")
    func lastKey() {
        var tree = DataTree()
        tree.beginLoading()
        tree.loadACL(key: .max, acl: .readOnly)
        _ = load(builtIn + [("/a", .max, 0)], into: &tree)
        _ = tree.finishLoading(zxid: .zero, digest: nil)
        tree.apply(1, Make.create("/b", acl: [ACL(.read, for: Identity(scheme: "ip", id: "1.1.1.1"))]))
        #expect(tree.find("/b").map { tree.aclKey(of: $0) } == 1)
    }

    @Test("Built-in nodes that are missing are made and told")
    func missingBuiltIn() {
        var tree = DataTree()
        tree.beginLoading()
        _ = load([("", -1, 0), ("/a", -1, 0)], into: &tree)
        #expect(
            tree.finishLoading(zxid: .zero, digest: nil)
                == ["/zookeeper", "/zookeeper/quota", "/zookeeper/config"].map { .missingBuiltInNode($0) })
        #expect(tree.nodeCount == 5)
    }

    @Test("Times to live with extended types off are told, unless a session of that number is open")
    func lostTimesToLive() {
        let owner = NodeOwner.timeToLivePrefix | 5
        for isSession in [false, true] {
            var tree = DataTree()
            tree.beginLoading()
            if isSession { tree.loadSession(SessionID(rawValue: owner), timeoutMilliseconds: 5) }
            _ = load(builtIn + [("/a", -1, owner), ("/b", -1, owner)], into: &tree)
            let problems = tree.finishLoading(zxid: .zero, digest: nil)
            #expect(problems == (isSession ? [] : [.timeToLiveNodesWithoutExtendedTypes(2)]))
        }
    }

    @Test("A digest of the file's zxid is compared at once, one of zero or the past is ignored")
    func digest() {
        for (zxid, isCompared) in [(5, true), (4, false), (0, false)] as [(Int64, Bool)] {
            var tree = DataTree()
            tree.beginLoading()
            _ = load(builtIn, into: &tree)
            let found = tree.digest
            let problems = tree.finishLoading(
                zxid: Zxid(rawValue: 5), digest: (Zxid(rawValue: zxid), TreeDigest(value: 1)))
            #expect(problems == (isCompared ? [.digestMismatch(expected: 1, found: found)] : []))
        }
    }

    @Test("Over a fuzzy snapshot comparisons rest until its digest's transaction, where the two are compared")
    func fuzzy() {
        for isRight in [true, false] {
            // What the tree will be.
            var future = DataTree()
            future.apply(6, Make.create("/a", creates: 1))
            future.apply(7, Make.create("/b", creates: 2))
            var tree = DataTree()
            tree.beginLoading()
            // The future has reached /a and the root already.
            for path in ["", "/zookeeper", "/zookeeper/quota", "/zookeeper/config", "/a"] {
                let isPlaced = tree.load(Array(path.utf8), [], future.stored(NodePath(path)) ?? stat())
                #expect(isPlaced)
            }
            let digest = TreeDigest(value: future.digest &+ (isRight ? 0 : 1))
            #expect(tree.finishLoading(zxid: Zxid(rawValue: 5), digest: (Zxid(rawValue: 7), digest)).isEmpty)
            // A snapshot written now is as fuzzy as the one it comes from.
            #expect(tree.beginSnapshot().digestZxid == Zxid(rawValue: 7))
            tree.cancelSnapshot()
            var effects = TreeEffects()
            let wrong = TreeDigest(value: 1)
            tree.apply(
                Transaction(header: Make.header(6), change: Make.create("/a", creates: 1), digest: wrong),
                effects: &effects)
            #expect(effects.digestMismatch == nil)
            tree.apply(
                Transaction(header: Make.header(7), change: Make.create("/b", creates: 2), digest: wrong),
                effects: &effects)
            #expect((effects.digestMismatch == nil) == isRight)
            effects.removeAll()
            tree.apply(Transaction(header: Make.header(8), change: .error(code: 0), digest: wrong), effects: &effects)
            #expect(effects.digestMismatch?.zxid == Zxid(rawValue: 8))
        }
    }

    @Test("The root of a file may bear anything")
    func root() {
        var tree = DataTree()
        tree.beginLoading()
        tree.loadACL(key: 2, acl: .readOnly)
        let stored = StoredStat(
            czxid: Zxid(rawValue: 1), mzxid: Zxid(rawValue: 2), ctime: 3, mtime: 4, version: 5, childCreates: 6,
            aversion: 7,
            owner: 0, pzxid: Zxid(rawValue: 8))
        let data: [UInt8] = [1, 2]
        for _ in 0..<2 {
            let isPlaced = tree.load([], data, key: 2, stored)
            #expect(isPlaced)
        }
        _ = tree.finishLoading(zxid: .zero, digest: nil)
        #expect(tree.stored("/") == stored)
        #expect(tree.find("/").flatMap { tree.data(of: $0) } == data)
        #expect(tree.find("/").map { tree.acl(of: $0) } == .readOnly)
        #expect(tree.digest == TreeImage(tree).computedDigest)
    }
}
