import ConclaveCore
import ConclaveSimulator
import ConclaveStorage
import ConclaveWire
import TestLanes
import Testing

/// Files written by Apache ZooKeeper 3.8.0.
@Suite(.aside) struct VectorTests {
    @Test("A directory written by Apache's server is read")
    func directory() throws {
        var disk = SimulatedDisk()
        disk.put(try Vector.bytes("snapshot.0"), at: History.snapshot(0))
        disk.put(try Vector.bytes("log.1"), at: History.log(1))
        let (_, target, recovered) = try History.recover(disk)
        #expect(recovered.lastZxid == Zxid(rawValue: 0x15))
        #expect(recovered.snapshot == "snapshot.0")
        #expect(recovered.replayed == 21)
        #expect(recovered.torn == nil)
        #expect(recovered.warnings == [])
        #expect(target.nodes == ["", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"])
        #expect(target.transactions.count == 21)
        #expect(target.digest == nil)
    }

    @Test("Every packing of a snapshot gives the same tree", arguments: ["", ".gz", ".snappy"])
    func packings(_ suffix: String) throws {
        var disk = SimulatedDisk()
        disk.put(try Vector.bytes("snapshot.15" + suffix), at: History.snapshot(0x15) + suffix)
        let (_, target, recovered) = try History.recover(disk)
        #expect(recovered.snapshot == "snapshot.15" + suffix)
        #expect(recovered.lastZxid == Zxid(rawValue: 0x15))
        #expect(target.sessions == [SessionID(rawValue: 0x1000015e3180000): 30_000])
        #expect(target.digest?.digest == TreeDigest(value: 15_121_726_063))
        #expect(target.digest?.zxid == Zxid(rawValue: 0x15))

        var plain = SimulatedDisk()
        plain.put(try Vector.bytes("snapshot.15"), at: History.snapshot(0x15))
        let expected = try History.recover(plain).target
        #expect(target.nodes == expected.nodes)
        #expect(target.data == expected.data)
        #expect(target.stats == expected.stats)
        #expect(target.aclKeys == expected.aclKeys)
        #expect(target.acls == expected.acls)
    }

    @Test("A log is rewritten byte for byte")
    func log() throws {
        var source = SimulatedDisk()
        source.put(try Vector.bytes("snapshot.0"), at: History.snapshot(0))
        let original = try Vector.bytes("log.1")
        source.put(original, at: History.log(1))
        let transactions = try History.recover(source).target.transactions

        var (store, _, _) = try History.recover(SimulatedDisk())
        var batch = LogBatch()
        for transaction in transactions { batch.append(transaction) }
        #expect(try store.append(batch) == DurableReceipt(syncedThrough: Zxid(rawValue: 0x15)))
        let written = try #require(store.disk.contents(of: History.log(1)))
        #expect(written.count == 8192)
        #expect(Array(written.prefix(original.count)) == original)
    }

    @Test("An entry that a leader sent is logged as it came")
    func encodedEntries() throws {
        var made = LogBatch()
        var copied = LogBatch()
        for zxid in Int64(1)...5 {
            made.append(History.transaction(Zxid(rawValue: zxid)))
            copied.append(encoded: made.bytes[made.lastTransaction], zxid: Zxid(rawValue: zxid))
        }
        #expect(made.bytes == copied.bytes)
        #expect(copied.count == 5)
        #expect(copied.firstZxid == Zxid(rawValue: 1))
        #expect(copied.lastZxid == Zxid(rawValue: 5))
        copied.removeAll(keepingCapacity: true)
        #expect(copied.isEmpty && copied.byteCount == 0)
    }

    @Test("A new database gets Apache's first snapshot")
    func firstSnapshot() throws {
        let (store, target, recovered) = try History.recover(SimulatedDisk())
        #expect(recovered.isNew)
        #expect(recovered.lastZxid == .zero)
        #expect(store.disk.contents(of: History.snapshot(0)) == (try Vector.bytes("snapshot.0")))
        #expect(target.nodes == ["", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"])
        #expect(target.acls == [SnapshotACL(key: 1, acl: .readOnly)])
    }

    @Test("A snapshot is rewritten byte for byte")
    func snapshot() throws {
        var disk = SimulatedDisk()
        let original = try Vector.bytes("snapshot.15")
        disk.put(original, at: History.snapshot(0x15))
        var (store, target, _) = try History.recover(disk)
        var writer = ByteWriter()
        let sessions = target.sessions.map { SnapshotSession(id: $0.key, timeoutMilliseconds: $0.value) }
        SnapshotCodec.writeSessions(sessions, into: &writer)
        SnapshotCodec.writeACLTable(target.acls, into: &writer)
        try store.beginSnapshot(zxid: Zxid(rawValue: 0x15))
        try store.writeSnapshot(writer.bytes)
        for name in target.nodes {
            let path = Array(name.utf8)
            var writer = ByteWriter()
            let data = try #require(target.data[name])
            let (key, stat) = (try #require(target.aclKeys[name]), try #require(target.stats[name]))
            SnapshotCodec.writeNode(path: path.span, data: data, aclKey: key, stat: stat, into: &writer)
            try store.writeSnapshot(writer.bytes)
        }
        try store.finishSnapshot(digest: target.digest)
        #expect(store.disk.contents(of: History.snapshot(0x15)) == original)
    }
}
