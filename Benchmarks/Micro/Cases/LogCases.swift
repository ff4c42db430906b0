import ConclaveCore
import ConclaveStorage
import ConclaveWire

/// Counts what a recovery brings.
private struct CountingTarget: RecoveryTarget {
    var replayed = 0

    func beginSnapshot() {}
    func session(_ session: SessionID, timeoutMilliseconds: Int32) {}
    func acl(key: Int64, _ acl: [ACL]) {}
    func node(path: Span<UInt8>, data: Span<UInt8>?, aclKey: Int64, stat: StoredStat) -> Bool { true }
    func endSnapshot(zxid: Zxid, digest: (zxid: Zxid, digest: TreeDigest)?) {}
    mutating func replay(_ transaction: Transaction) { replayed += 1 }
}

/// A store on a disk in memory, and the number of the next transaction.
struct SampleStore {
    var store = Store(disk: MemoryDisk(), dataDirectory: "/data", logDirectory: "/data")
    private var next: UInt32 = 1
    private var batch = LogBatch()

    init() throws {
        var target = CountingTarget()
        _ = try store.recover(into: &target)
    }

    mutating func append(_ count: Int) throws {
        for _ in 0..<count {
            batch.append(.sampleSet(Zxid(epoch: 0, counter: next)))
            next += 1
        }
        let receipt = try store.append(batch)
        batch.removeAll(keepingCapacity: true)
        keep(receipt.through.rawValue)
    }
}

/// What the transaction log costs beside its disk.
let logCases: [MicroCase] = [
    MicroCase("log-batch", "a setData appended to the open batch, with its checksum", operations: 1_024) {
        var batch = LogBatch()
        let transaction = Transaction.sampleSet(Zxid(epoch: 1, counter: 1))
        return {
            for _ in 0..<16 {
                for _ in 0..<64 { batch.append(transaction) }
                keep(batch.byteCount)
                batch.removeAll(keepingCapacity: true)
            }
        }
    },
    MicroCase("log-append-1", "a setData written and synced alone, on a disk in memory", operations: 256) {
        var sample = try SampleStore()
        return { for _ in 0..<256 { try sample.append(1) } }
    },
    MicroCase("log-append-64", "a setData written among 64 of one sync, on a disk in memory", operations: 1_024) {
        var sample = try SampleStore()
        return { for _ in 0..<16 { try sample.append(64) } }
    },
    MicroCase("log-replay", "a setData read back at a start", operations: 1_024) {
        var sample = try SampleStore()
        try sample.append(1_024)
        try sample.store.close()
        let disk = sample.store.disk
        return {
            var store = Store(disk: disk, dataDirectory: "/data", logDirectory: "/data")
            var target = CountingTarget()
            _ = try store.recover(into: &target)
            store.letGo()
            guard target.replayed == 1_024 else { throw MicroError("\(target.replayed) of 1,024 were replayed") }
        }
    },
]
