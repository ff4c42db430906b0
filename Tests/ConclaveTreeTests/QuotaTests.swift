import ConclaveCore
import ConclaveTree
import Testing

/// Quota nodes, usage kept in place, hard limits.
@Suite struct QuotaTests {
    private let limits: NodePath = "/zookeeper/quota/a/b/zookeeper_limits"
    private let usage: NodePath = "/zookeeper/quota/a/b/zookeeper_stats"

    /// `/a/b` with a child and a quota, as setquota makes it.
    private func tree(_ text: String = "count=10,bytes=100") -> DataTree {
        var tree = DataTree()
        let changes: [Change] = [
            Make.create("/a"), Make.create("/a/b", [1, 2]), Make.create("/a/b/c", [1, 2, 3]),
            Make.create("/zookeeper/quota/a"), Make.create("/zookeeper/quota/a/b"),
            Make.create(limits, Array(text.utf8)),
            Make.create(usage, Array("count=0,bytes=0".utf8)),
        ]
        for (index, change) in changes.enumerated() { tree.apply(Int64(index + 1), change) }
        return tree
    }

    @Test("The usage node is filled in when it is created")
    func computed() {
        #expect(tree().text(usage) == "count=2,bytes=5")
    }

    @Test("A usage node whose node does not exist says that nothing is used, whatever it was created with")
    func early() {
        var tree = DataTree()
        tree.apply(1, Make.create("/zookeeper/quota/a"))
        tree.apply(2, Make.create("/zookeeper/quota/a/zookeeper_stats", Array("count=8,bytes=7".utf8)))
        #expect(tree.text("/zookeeper/quota/a/zookeeper_stats") == "count=0,bytes=0")
    }

    @Test("Creates, sets and deletes below move the usage and nothing else of its node")
    func moves() {
        var tree = tree()
        let stat = tree.stored(usage)
        let digest = tree.digest
        tree.apply(20, Make.create("/a/b/d", [UInt8](repeating: 0, count: 10)))
        #expect(tree.text(usage) == "count=3,bytes=15")
        tree.apply(21, .setData(path: "/a/b/d", data: [1], version: 1))
        #expect(tree.text(usage) == "count=3,bytes=6")
        tree.apply(22, .setData(path: "/a/b", data: nil, version: 1))
        #expect(tree.text(usage) == "count=3,bytes=4")
        tree.apply(23, .delete(path: "/a/b/c"))
        #expect(tree.text(usage) == "count=2,bytes=1")
        tree.apply(24, Make.create("/a/other", [1, 2, 3]))
        #expect(tree.text(usage) == "count=2,bytes=1")
        #expect(tree.stored(usage) == stat)
        #expect(tree.digest != digest)
        #expect(tree.digest == TreeImage(tree).computedDigest)
        #expect(
            tree.find(usage).map { tree.digest(of: $0) }
                == tree.find(usage).map {
                    DataTree.nodeDigest(path: usage, data: tree.data(of: $0), stat: tree.storedStat(of: $0))
                })
    }

    @Test("Nobody hears of usage")
    func silent() {
        var tree = tree()
        #expect(tree.apply(20, Make.create("/a/b/d")) == [.created("/a/b/d", acl: nil, parentACL: nil)])
    }

    @Test("The deepest quota counts")
    func nested() {
        var tree = tree()
        tree.apply(20, Make.create("/zookeeper/quota/a/zookeeper_limits", Array("count=1,bytes=1".utf8)))
        tree.apply(21, Make.create("/zookeeper/quota/a/zookeeper_stats"))
        #expect(tree.text("/zookeeper/quota/a/zookeeper_stats") == "count=3,bytes=5")
        #expect(tree.quotaPath(above: "/a/b/c") == "/a/b")
        #expect(tree.quotaPath(above: "/a/b") == "/a/b")
        #expect(tree.quotaPath(above: "/a/bc") == "/a")
        #expect(tree.quotaPath(above: "/") == nil)
        tree.apply(22, Make.create("/a/b/e"))
        #expect(tree.text("/zookeeper/quota/a/zookeeper_stats") == "count=3,bytes=5")
        #expect(tree.text(usage) == "count=3,bytes=5")
    }

    @Test("Deleting the limits ends the quota")
    func ends() {
        var tree = tree()
        tree.apply(20, .delete(path: limits))
        #expect(tree.quotaPath(above: "/a/b") == nil)
        tree.apply(21, Make.create("/a/b/e"))
        #expect(tree.text(usage) == "count=2,bytes=5")
    }

    @Test("A quota on the root never counts")
    func root() {
        var tree = DataTree()
        tree.apply(1, Make.create("/zookeeper/quota/zookeeper_limits", Array("count=0,bytes=0".utf8)))
        tree.apply(2, Make.create("/zookeeper/quota/zookeeper_stats"))
        tree.apply(3, Make.create("/a"))
        #expect(tree.quotaPath(above: "/a") == nil)
        #expect(tree.text("/zookeeper/quota/zookeeper_stats") == "")
    }

    @Test("Hard limits stop what goes beyond them, soft ones nothing")
    func hardLimits() {
        let soft = tree("count=1,bytes=1")
        #expect(!soft.quotaViolation(adding: 1000, nodes: 1000, at: "/a/b/x"))
        let hard = tree("count=-1,bytes=-1=;byteHardLimit=6;countHardLimit=3")
        #expect(!hard.quotaViolation(adding: 1, nodes: 1, at: "/a/b/x"))
        #expect(hard.quotaViolation(adding: 2, nodes: 0, at: "/a/b/x"))
        #expect(hard.quotaViolation(adding: 0, nodes: 2, at: "/a/b/x"))
        #expect(!hard.quotaViolation(adding: 2, nodes: 2, at: "/a/x"))
        #expect(!hard.quotaViolation(adding: -5, nodes: 0, at: "/a/b"))
        #expect(!hard.quotaViolation(adding: .min, nodes: .min, at: "/a/b"))
    }

    @Test("Usage is computed anew when a snapshot is loaded")
    func loaded() {
        var tree = tree()
        tree.apply(20, .setData(path: usage, data: Array("count=77,bytes=88".utf8), version: 1))
        let plan = tree.beginSnapshot()
        var nodes: [SnapshotNode] = []
        while tree.nextSnapshotNodes(limitBytes: 100, emit: { nodes.append($0) }) {}
        var loaded = DataTree()
        loaded.beginLoading()
        for entry in plan.acls { loaded.loadACL(key: entry.key, acl: entry.acl) }
        for node in nodes {
            _ = loaded.load(node.path, node.data.map { Array($0) }, key: node.aclKey, node.stat)
        }
        #expect(loaded.finishLoading(zxid: plan.zxid, digest: nil).isEmpty)
        #expect(loaded.text(usage) == "count=2,bytes=5")
        #expect(loaded.quotaPath(above: "/a/b/c") == "/a/b")
    }

    @Test("Usage that was changed while a snapshot was written stands in it as it was")
    func snapshot() {
        var tree = tree()
        _ = tree.beginSnapshot()
        tree.apply(20, Make.create("/a/b/d", [1]))
        var texts: [String] = []
        while tree.nextSnapshotNodes(
            limitBytes: 10,
            emit: { node in
                if node.path == usage.utf8 { texts.append(String(decoding: node.data ?? [], as: UTF8.self)) }
            })
        {}
        #expect(texts == ["count=2,bytes=5"])
    }

    @Test("Text that makes no sense is no limit")
    func nonsense() {
        for text in ["", ",;,", "count", "count=x,bytes=99999999999999999999", "=5", "\u{0}"] {
            let limits = QuotaLimits(parsing: Array(text.utf8))
            #expect(limits.count == -1)
            #expect(limits.bytes == -1)
            #expect(limits.countHardLimit == nil)
        }
        var tree = tree("count=-1,bytes=-1=;byteHardLimit=6;countHardLimit=3")
        tree.apply(20, .setData(path: usage, data: [0xFF, 0xFE], version: 1))
        #expect(!tree.quotaViolation(adding: 1, nodes: 1, at: "/a/b/x"))
        tree.apply(21, Make.create("/a/b/d", [1]))
        #expect(tree.text(usage) == "count=0,bytes=0")
    }
}
