import ConclaveCore
import ConclaveTree

/// A tree with a thousand nodes of 100 bytes below `/bench`.
private struct SampleTree {
    var tree = DataTree()
    var effects = TreeEffects()
    var zxid: Int64 = 1
    let paths = (0..<1_000).map { NodePath("/bench/node-\($0)") }

    init() {
        create("/bench", childCreates: 1)
        for (index, path) in paths.enumerated() { create(path, childCreates: Int32(index + 1)) }
    }

    mutating func create(_ path: NodePath, childCreates: Int32) {
        let change = CreateChange(
            form: .create, path: path, data: Sample.value, acl: .open, isEphemeral: false,
            parentChildCreates: childCreates)
        apply(.create(change))
    }

    mutating func apply(_ change: Change) {
        zxid += 1
        let header = TransactionHeader(
            session: SessionID(rawValue: 1), cxid: 1, zxid: Zxid(rawValue: zxid), timeMilliseconds: zxid)
        tree.apply(Transaction(header: header, change: change), effects: &effects)
        effects.removeAll()
    }
}

/// What the tree costs once its nodes are in the caches of the processor.
let treeCases: [MicroCase] = [
    MicroCase("tree-find", "a path looked up among a thousand nodes", operations: 1_000) {
        let sample = SampleTree()
        return {
            for path in sample.paths {
                guard let node = sample.tree.find(path) else { throw MicroError("\(path) is missing") }
                keep(sample.tree.stat(of: node).version)
            }
        }
    },
    MicroCase("tree-set", "a setData applied, 100 bytes", operations: 1_000) {
        var sample = SampleTree()
        return {
            for path in sample.paths { sample.apply(.setData(path: path, data: Sample.value, version: 1)) }
            keep(sample.tree.nodeCount)
        }
    },
    MicroCase("tree-create-delete", "a create and a delete applied", operations: 1_000) {
        var sample = SampleTree()
        let paths = (0..<1_000).map { NodePath("/bench/made-\($0)") }
        let count = sample.tree.nodeCount
        return {
            for path in paths { sample.create(path, childCreates: 1) }
            for path in paths { sample.apply(.delete(path: path)) }
            guard sample.tree.nodeCount == count else { throw MicroError("nodes are left") }
        }
    },
    MicroCase("tree-list", "a child in a list of a thousand", operations: 1_000) {
        let sample = SampleTree()
        var writer = ByteWriter(capacity: 1 << 16)
        return {
            writer.truncate(to: 0)
            guard let node = sample.tree.find("/bench") else { throw MicroError("/bench is missing") }
            sample.tree.writeChildNames(of: node, into: &writer)
            keep(writer.count)
        }
    },
    MicroCase("tree-notify", "a watcher among a thousand of one node noted and told", operations: 1_000) {
        var notifications = WatchNotifications()
        var watches = WatchTable()
        let change = TreeEffects.Effect.dataChanged("/bench/watched", acl: nil)
        return {
            for watcher in 0..<UInt64(1_000) { _ = watches.add("/bench/watched", .data, for: watcher) }
            watches.trigger(change, into: &notifications)
            guard notifications.watchers.count == 1_000 else { throw MicroError("watchers are missing") }
            notifications.removeAll()
        }
    },
]
