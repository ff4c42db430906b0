import ConclaveCore
import ConclaveTree
import Testing

/// The tree against the model, over random histories.
@Suite struct ModelTests {
    @Test("Whatever transactions come, the tree is what the model says", arguments: 0..<12 as Range<UInt64>)
    func randomHistories(seed: UInt64) {
        var options = TreeOptions()
        options.extendedTypes = seed % 2 == 0
        options.hashSeed = seed
        var generator = TransactionGenerator(seed: seed)
        generator.hostile = seed % 3 != 0
        var tree = DataTree(options: options)
        var model = TreeModel(extendedTypes: options.extendedTypes)
        var effects = TreeEffects()
        var most = 0
        for step in 0..<600 {
            most = max(most, tree.nodeCount)
            let transaction = generator.next()
            effects.removeAll()
            tree.apply(transaction, effects: &effects)
            model.apply(transaction)
            // Which of the nodes below a deleted one goes first is nobody's business.
            #expect(effects.effects.compactMap(\.text).sorted() == model.events.sorted(), "seed \(seed), step \(step)")
            if step % 20 == 0 || step > 580 {
                guard compare(tree, model, "seed \(seed), step \(step)") else { return }
            }
        }
        #expect(most > 25, "the history was too dull")
    }

    private func compare(_ tree: DataTree, _ model: TreeModel, _ place: Comment) -> Bool {
        let image = TreeImage(tree)
        guard Set(image.nodes.keys) == Set(model.nodes.keys) else {
            Issue.record("\(place): \(image.nodes.keys.sorted()) instead of \(model.nodes.keys.sorted())")
            return false
        }
        var size = 0
        var childCounts: [NodePath: Int32] = [:]
        for path in model.nodes.keys where path != .root { childCounts[path.parent ?? .root, default: 0] += 1 }
        for (path, node) in model.nodes {
            guard let found = image.nodes[path] else { continue }
            #expect(found.stored == node.stat, place)
            #expect(found.data == node.data, place)
            #expect(found.acl == node.acl, place)
            #expect(found.stat.numChildren == childCounts[path] ?? 0, place)
            #expect(found.stat.cversion == node.stat.childCreates &* 2 &- (childCounts[path] ?? 0), place)
            #expect(Int(found.stat.dataLength) == node.data?.count ?? 0, place)
            if case .ephemeral(let session) = model.owner(node) {
                #expect(found.stat.ephemeralOwner == session, place)
            } else {
                #expect(found.stat.ephemeralOwner == .none, place)
            }
            size += (path == .root ? 0 : path.utf8.count) + (node.data?.count ?? 0)
        }
        #expect(image.digest == image.computedDigest, place)
        #expect(image.nodeCount == model.nodes.count, place)
        #expect(image.dataSize == size, place)
        #expect(image.sessions == model.sessions, place)
        #expect(image.lastProcessed == model.lastProcessed, place)
        for session in [0x1_0001, 0x1_0002, -3, .min, 0] as [Int64] {
            let id = SessionID(rawValue: session)
            #expect(tree.ephemerals(of: id) == model.ephemerals(id), place)
        }
        return image.digest == image.computedDigest
    }
}
