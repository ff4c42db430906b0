import ConclaveCore
import ConclaveTree
import Testing

/// Snapshots that are written while the tree changes.
@Suite struct SnapshotTests {
    /// A snapshot as it would stand in a file.
    private struct File {
        var plan: SnapshotPlan
        var nodes: [SnapshotNode] = []

        func load(options: TreeOptions) -> (DataTree, [LoadProblem]) {
            var tree = DataTree(options: options)
            tree.beginLoading()
            for session in plan.sessions {
                tree.loadSession(session.id, timeoutMilliseconds: session.timeoutMilliseconds)
            }
            for entry in plan.acls { tree.loadACL(key: entry.key, acl: entry.acl) }
            for node in nodes {
                let isPlaced = tree.load(node.path, node.data.map { Array($0) }, key: node.aclKey, node.stat)
                #expect(isPlaced, "a parent comes before its children")
            }
            let digest = plan.digest.map { (zxid: plan.digestZxid, digest: $0) }
            let problems = tree.finishLoading(zxid: plan.zxid, digest: digest)
            return (tree, problems)
        }
    }

    private func options(_ seed: UInt64) -> TreeOptions {
        var options = TreeOptions()
        options.extendedTypes = true
        options.hashSeed = seed
        return options
    }

    @Test(
        "The file holds exactly the tree at the beginning, whatever happens meanwhile",
        arguments: 0..<16 as Range<UInt64>)
    func exact(seed: UInt64) {
        var generator = TransactionGenerator(seed: seed)
        generator.hostile = seed % 2 == 0
        generator.touchesBuiltIn = false
        var random = SeededRandom(seed: seed &+ 100)
        var tree = DataTree(options: options(seed))
        var effects = TreeEffects()
        for _ in 0..<Int.random(in: 1..<400, using: &random) { tree.apply(generator.next(), effects: &effects) }
        for round in 0..<3 {
            let expected = TreeImage(tree)
            let copy = tree
            var file = File(plan: tree.beginSnapshot())
            var hasMore = true
            while hasMore {
                for _ in 0..<Int.random(in: 0..<6, using: &random) { tree.apply(generator.next(), effects: &effects) }
                hasMore = tree.nextSnapshotNodes(limitBytes: Int.random(in: 1..<800, using: &random)) { node in
                    file.nodes.append(
                        SnapshotNode(
                            path: node.path, data: node.data.map { Array($0)[...] }, aclKey: node.aclKey,
                            stat: node.stat))
                }
            }
            #expect(!tree.isSnapshotting)
            #expect(file.nodes.first?.path == [])
            #expect(file.nodes.count == expected.nodeCount)
            #expect(file.plan.nodeCount == expected.nodeCount)
            let (loaded, problems) = file.load(options: options(seed + 1))
            #expect(problems.isEmpty, "seed \(seed), round \(round): \(problems)")
            #expect(TreeImage(loaded).differences(from: expected).isEmpty, "seed \(seed), round \(round)")
            // The copy shares memory with the tree that went on.
            #expect(TreeImage(copy).differences(from: expected).isEmpty)
            #expect(TreeImage(tree).computedDigest == tree.digest)
        }
    }

    @Test("The loaded tree goes on like the one that wrote the file")
    func goesOn() {
        var generator = TransactionGenerator(seed: 5)
        generator.touchesBuiltIn = false
        var tree = DataTree(options: options(0))
        var effects = TreeEffects()
        for _ in 0..<300 { tree.apply(generator.next(), effects: &effects) }
        var file = File(plan: tree.beginSnapshot())
        while tree.nextSnapshotNodes(limitBytes: 1000, emit: { file.nodes.append($0) }) {}
        var (loaded, _) = file.load(options: options(0))
        for _ in 0..<300 {
            let transaction = generator.next()
            tree.apply(transaction, effects: &effects)
            loaded.apply(transaction, effects: &effects)
        }
        #expect(TreeImage(loaded).differences(from: TreeImage(tree)).isEmpty)
        #expect(
            tree.expiredNodes(now: WallTime(milliseconds: .max), neverUsedMilliseconds: 1, limit: 1000)
                == loaded.expiredNodes(now: WallTime(milliseconds: .max), neverUsedMilliseconds: 1, limit: 1000))
    }

    @Test("A slice ends with the node that reaches its limit")
    func slices() {
        var tree = DataTree()
        for zxid in 1...100 {
            tree.apply(Int64(zxid), Make.create(NodePath("/n\(zxid)"), [UInt8](repeating: 1, count: 100)))
        }
        _ = tree.beginSnapshot()
        var slices = 0
        var nodes = 0
        var hasMore = true
        while hasMore {
            slices += 1
            var inSlice = 0
            hasMore = tree.nextSnapshotNodes(limitBytes: 1800) { _ in inSlice += 1 }
            #expect(inSlice <= 10 + 4)
            nodes += inSlice
        }
        #expect(nodes == 104)
        #expect(slices >= 10)
        hasMore = tree.nextSnapshotNodes(limitBytes: 1) { _ in Issue.record("there is no snapshot under way") }
        #expect(!hasMore)
    }

    @Test("A snapshot that is given up leaves nothing behind, a new one starts anew")
    func cancel() {
        var tree = DataTree()
        tree.apply(1, Make.create("/a", [1]))
        _ = tree.beginSnapshot()
        tree.apply(2, .setData(path: "/a", data: [2], version: 1))
        tree.cancelSnapshot()
        #expect(!tree.isSnapshotting)
        let plan = tree.beginSnapshot()
        #expect(plan.zxid == Zxid(rawValue: 2))
        tree.apply(3, .setData(path: "/a", data: [3], version: 2))
        var data: [[UInt8]] = []
        while tree.nextSnapshotNodes(limitBytes: 10, emit: { data.append($0.data.map { Array($0) } ?? []) }) {}
        #expect(data.contains([2]))
        #expect(!data.contains([3]))
    }

    @Test("Sessions in the plan are sorted and those of the beginning")
    func sessions() {
        var tree = DataTree()
        for (zxid, session) in [5, -1, 3].enumerated() {
            tree.apply(
                Int64(zxid + 1), .createSession(timeoutMilliseconds: 10), session: SessionID(rawValue: Int64(session)))
        }
        let plan = tree.beginSnapshot()
        tree.apply(4, .closeSession(paths: []), session: SessionID(rawValue: 3))
        #expect(plan.sessions.map(\.id.rawValue) == [3, 5, -1])
    }
}
