import ConclaveCore
import ConclaveTree

/// The tree with many nodes under one parent: memory, loading, finding, applying, snapshots.
struct TreeBenchmark {
    let count: Int
    let value = [UInt8](repeating: UInt8(ascii: "x"), count: 100)
    /// Every path, `/bench/n00000042`, one behind the other, as requests bring them in a warm buffer.
    let paths: [UInt8]
    /// The same in random order.
    let shuffledPaths: [UInt8]
    let pathBytes: Int

    init(count: Int) {
        self.count = count
        pathBytes = Self.path(0).count
        var random = SeededRandom(seed: 7)
        paths = Self.join(Array(0..<count))
        shuffledPaths = Self.join((0..<count).shuffled(using: &random))
    }

    /// Without an array for each path, which would leave holes for the tree to fill and spoil its memory figure.
    private static func join(_ numbers: [Int]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(numbers.count * path(0).count)
        for number in numbers { bytes += path(number) }
        return bytes
    }

    private static func path(_ number: Int) -> [UInt8] {
        let digits = Array(String(number).utf8)
        return Array("/bench/n".utf8) + [UInt8](repeating: UInt8(ascii: "0"), count: 8 - digits.count) + digits
    }

    func run() {
        print("\(count) nodes with values of \(value.count) bytes")
        let before = residentBytes()
        let start = processorSeconds()
        var tree = load()
        report("load", seconds: processorSeconds() - start, operations: count)
        print(
            "memory: \(perNode(tree.allocatedBytes)) B/node by account, \(perNode(residentBytes() - before)) resident")
        find(in: tree)
        set(in: &tree)
        print("memory after setting: \(perNode(tree.allocatedBytes)) B/node by account")
        snapshot(of: &tree)
        createAndDelete()
    }

    private func perNode(_ bytes: Int) -> Double { rounded(Double(bytes) / Double(count)) }

    private func stat(_ zxid: Int) -> StoredStat {
        let zxid = Zxid(rawValue: Int64(zxid))
        return StoredStat(
            czxid: zxid, mzxid: zxid, ctime: 1_700_000_000_000, mtime: 1_700_000_000_000, version: 0, childCreates: 0,
            aversion: 0, owner: 0, pzxid: zxid)
    }

    private func load() -> DataTree {
        var tree = DataTree()
        tree.beginLoading()
        for text in ["", "/zookeeper", "/zookeeper/quota", "/zookeeper/config", "/bench"] {
            let bytes = Array(text.utf8)
            precondition(tree.loadNode(path: bytes.span, data: Span(), aclKey: -1, stat: stat(1)))
        }
        for index in 0..<count {
            let path = paths.span.extracting((index * pathBytes)..<((index + 1) * pathBytes))
            precondition(tree.loadNode(path: path, data: value.span, aclKey: -1, stat: stat(index + 2)))
        }
        precondition(tree.finishLoading(zxid: Zxid(rawValue: Int64(count + 2)), digest: nil).isEmpty)
        return tree
    }

    private func find(in tree: borrowing DataTree) {
        var found = 0
        func find(_ paths: [UInt8], _ number: Int, _ tree: borrowing DataTree) {
            for index in 0..<number {
                let path = paths.span.extracting((index * pathBytes)..<((index + 1) * pathBytes))
                if tree.find(path) != nil { found += 1 }
            }
        }
        measure("find, random order", operations: count) { find(shuffledPaths, count, tree) }
        measure("find, in order", operations: count) { find(paths, count, tree) }
        precondition(found == 10 * count)
        measure("find, 1,000 hot nodes", operations: 1_000_000) { for _ in 0..<1000 { find(paths, 1000, tree) } }
        var writer = ByteWriter(capacity: 64 << 20)
        measure("find and write data and stat, random order", operations: count) {
            for index in 0..<count {
                writer.truncate(to: 0)
                let path = shuffledPaths.span.extracting((index * pathBytes)..<((index + 1) * pathBytes))
                guard let node = tree.find(path) else { continue }
                tree.writeData(of: node, into: &writer)
                writer.writeInt32(tree.stat(of: node).version)
            }
        }
        guard let node = tree.find("/bench") else { return }
        measure("list children, each", operations: count) {
            writer.truncate(to: 0)
            tree.writeChildNames(of: node, into: &writer)
        }
    }

    private func header(_ zxid: Int) -> TransactionHeader {
        TransactionHeader(
            session: SessionID(rawValue: 1), cxid: 1, zxid: Zxid(rawValue: Int64(zxid)), timeMilliseconds: Int64(zxid))
    }

    private func nodePath(_ index: Int, in paths: [UInt8]) -> NodePath {
        NodePath(utf8: Array(paths[(index * pathBytes)..<((index + 1) * pathBytes)]))
    }

    /// Applies what `make` returns for each number; making the transactions is not counted.
    private func apply(
        _ name: String, _ number: Int, to tree: inout DataTree, _ make: (Int) -> Transaction
    ) {
        var effects = TreeEffects()
        var seconds = 0.0
        for batch in stride(from: 0, to: number, by: 1000) {
            let transactions = (batch..<min(batch + 1000, number)).map(make)
            let start = processorSeconds()
            for transaction in transactions {
                tree.apply(transaction, effects: &effects)
                effects.removeAll()
            }
            seconds += processorSeconds() - start
        }
        report(name, seconds: seconds, operations: number)
    }

    private func set(in tree: inout DataTree) {
        let first = count + 10
        apply("apply setData, random order", count / 2, to: &tree) { index in
            Transaction(
                header: header(first + index),
                change: .setData(path: nodePath(index, in: shuffledPaths), data: value, version: 1))
        }
        apply("apply setData, 100 hot nodes", 1_000_000, to: &tree) { index in
            Transaction(
                header: header(first + count + index),
                change: .setData(path: nodePath(index % 100, in: paths), data: value, version: 1))
        }
    }

    private func snapshot(of tree: inout DataTree) {
        let start = processorSeconds()
        let plan = tree.beginSnapshot()
        let begun = processorSeconds() - start
        var slices = 1
        var bytes = 0
        while tree.nextSnapshotNodes(
            limitBytes: 1 << 20, emit: { bytes += $0.path.count + ($0.data?.count ?? 0) })
        {
            slices += 1
        }
        report(
            "snapshot, \(slices) slices, begun in \(rounded(begun * 1e6)) µs", seconds: processorSeconds() - start,
            operations: plan.nodeCount)
    }

    private func createAndDelete() {
        var tree = DataTree()
        var effects = TreeEffects()
        let parent = CreateChange(
            form: .create, path: "/bench", data: nil, acl: .open, isEphemeral: false, parentChildCreates: 1)
        tree.apply(Transaction(header: header(1), change: .create(parent)), effects: &effects)
        apply("apply create", count, to: &tree) { index in
            let change = CreateChange(
                form: .create, path: nodePath(index, in: paths), data: value, acl: .open, isEphemeral: false,
                parentChildCreates: Int32(index + 1))
            return Transaction(header: header(index + 2), change: .create(change))
        }
        apply("apply delete, random order", count, to: &tree) { index in
            Transaction(header: header(count + index), change: .delete(path: nodePath(index, in: shuffledPaths)))
        }
        precondition(tree.nodeCount == 5)
    }
}

/// One change and a thousand connections that watch the node.
func benchmarkWatches() {
    var watches = WatchTable()
    var notifications = WatchNotifications()
    let change = TreeEffects.Effect.dataChanged("/bench/watched", acl: nil)
    var seconds = 0.0
    for _ in 0..<1000 {
        for watcher in 0..<1000 { precondition(watches.add("/bench/watched", .data, for: UInt64(watcher))) }
        let start = processorSeconds()
        watches.trigger(change, into: &notifications)
        seconds += processorSeconds() - start
        precondition(notifications.watchers.count == 1000)
        notifications.removeAll()
    }
    report("notify 1,000 watchers of a path, each", seconds: seconds, operations: 1_000_000)
}
