import ConclaveCore
import ConclaveSimulator
import ConclaveStorage
import TestLanes
import Testing

/// Which files are written when, and what they look like.
@Suite(.aside) struct LogTests {
    @Test("The first batch of a file costs two syncs, every other one")
    func operations() throws {
        var disk = SimulatedDisk()
        disk.recordsOperations = true
        var (store, _, _) = try History.recover(disk)
        let start = store.disk.operations.count
        let first = History.batch(1...3)
        _ = try store.append(first)
        _ = try store.append(History.batch(4...4))
        #expect(
            Array(store.disk.operations[start...]) == [
                "create \(History.log(1))", "preallocate 8192 \(History.log(1))",
                "write 16 bytes at 0 \(History.log(1))",
                "write \(first.byteCount) bytes at 16 \(History.log(1))", "sync \(History.log(1))",
                "sync folder \(History.versionFolder)", "write 24 bytes at 0 \(History.mark)",
                "write \(History.batch(4...4).byteCount) bytes at \(16 + first.byteCount) \(History.log(1))",
                "sync \(History.log(1))", "write 24 bytes at 0 \(History.mark)",
            ])
    }

    @Test("A restarted server begins a new file, and an ended file has no padding")
    func restart() throws {
        var (store, _, _) = try History.recover(SimulatedDisk())
        let batch = History.batch(1...3)
        _ = try store.append(batch)
        try store.close()
        #expect(store.disk.contents(of: History.log(1))?.count == 16 + batch.byteCount)
        (store, _, _) = try History.recover(store.disk.afterCleanEnd())
        _ = try store.append(History.batch(4...4))
        #expect(store.disk.contents(of: History.log(4)) != nil)
        #expect(store.disk.contents(of: History.log(1))?.count == 16 + batch.byteCount)
    }

    @Test("A file that has reached its size is followed by a new one")
    func rollingBySize() throws {
        var options = History.options
        options.logSizeLimitBytes = 1000
        var (store, _, _) = try History.recover(SimulatedDisk(), options: options)
        for zxid in Int64(1)...25 { _ = try store.append(History.batch(zxid...zxid)) }
        let logs = store.disk.paths.filter { $0.contains("/log.") }
        #expect(logs.count == 3)
        let after = try History.recover(store.disk.afterCleanEnd(), options: options)
        #expect(after.target.holdsExactly(through: Zxid(rawValue: 25)))
    }

    @Test("A large batch is synced in pieces of bounded size")
    func largeBatch() throws {
        var disk = SimulatedDisk()
        disk.recordsOperations = true
        var (store, _, _) = try History.recover(disk)
        var batch = LogBatch()
        for zxid in Int64(1)...5 {
            batch.append(History.transaction(Zxid(rawValue: zxid), data: [UInt8](repeating: 1, count: 1_000_000)))
        }
        let start = store.disk.operations.count
        #expect(try store.append(batch).through == Zxid(rawValue: 5))
        #expect(store.disk.operations[start...].filter { $0 == "sync \(History.log(1))" }.count == 2)
        #expect(try History.recover(store.disk.afterCrash(.nothing, seed: 0)).recovered.lastZxid == Zxid(rawValue: 5))
    }

    @Test("The first transaction of a new epoch may follow, nothing else may leave a gap")
    func contiguity() throws {
        var (store, _, _) = try History.recover(SimulatedDisk())
        let epoch = Int64(1) << 32
        var batch = History.batch(1...2)
        batch.append(History.transaction(Zxid(rawValue: 7 * epoch + 1)))
        batch.append(History.transaction(Zxid(rawValue: 7 * epoch + 2)))
        #expect(try store.append(batch).through == Zxid(rawValue: 7 * epoch + 2))
        let (_, target, recovered) = try History.recover(store.disk.afterCleanEnd())
        #expect(recovered.lastZxid == Zxid(rawValue: 7 * epoch + 2))
        #expect(target.zxids.map(\.rawValue) == [1, 2, 7 * epoch + 1, 7 * epoch + 2])

        for (first, second) in [(3, 5), (3, 3), (3, 2), (epoch + 1, epoch + 3), (epoch + 2, epoch + 3)]
            as [(Int64, Int64)]
        {
            var (store, _, _) = try History.recover(SimulatedDisk())
            _ = try store.append(History.batch(1...2))
            var batch = LogBatch()
            batch.append(History.transaction(Zxid(rawValue: first)))
            batch.append(History.transaction(Zxid(rawValue: second)))
            #expect(storageError { _ = try store.append(batch) }?.code == .misuse)
        }
    }

    @Test("A number left out between neighbours of one file is no loss, one between files is")
    func unusedNumber() throws {
        var disk = try History.threeFiles()
        let header = try #require(disk.contents(of: History.log(1))).prefix(16)
        var batch = LogBatch()
        for zxid in [Int64(31), 32, 34] { batch.append(History.transaction(Zxid(rawValue: zxid))) }
        disk.put(header + batch.bytes, at: History.log(31))
        let (_, target, recovered) = try History.recover(disk)
        #expect(recovered.lastZxid == Zxid(rawValue: 34))
        #expect(target.transactions.last?.header.zxid == Zxid(rawValue: 34))
        #expect(recovered.warnings.count == 1)
        disk.put(header + History.batch(36...36).bytes, at: History.log(36))
        #expect(storageError { _ = try History.recover(disk) }?.code == .gap)
    }

    @Test("An empty batch changes nothing and proves what was proven before")
    func emptyBatch() throws {
        var (store, _, _) = try History.recover(SimulatedDisk())
        _ = try store.append(History.batch(1...2))
        let count = store.disk.operationCount
        #expect(try store.append(LogBatch()).through == Zxid(rawValue: 2))
        #expect(store.disk.operationCount == count)
    }

    @Test("What could not be read back is not written")
    func tooLong() throws {
        var options = History.options
        options.maximumEntryBytes = 1000
        var (store, _, _) = try History.recover(SimulatedDisk(), options: options)
        _ = try store.append(History.batch(1...1, data: [UInt8](repeating: 0, count: 800)))
        let long = History.batch(2...2, data: [UInt8](repeating: 0, count: 1000))
        #expect(storageError { _ = try store.append(long) }?.code == .misuse)
    }

    @Test("Empty and header-only last files are removed, whatever was left of them")
    func emptyLastFile() throws {
        let whole = try History.threeFiles()
        let header: [UInt8] = [0x5A, 0x4B, 0x4C, 0x47, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0]
        for bytes in [
            [], Array(header.prefix(7)), header, header + [UInt8](repeating: 0, count: 5000),
            [UInt8](repeating: 0, count: 6000),
        ] {
            var disk = whole
            disk.put(bytes, at: History.log(31))
            var (store, target, recovered) = try History.recover(disk)
            #expect(recovered.lastZxid == Zxid(rawValue: 30))
            #expect(target.holdsExactly(through: Zxid(rawValue: 30)))
            #expect(store.disk.contents(of: History.log(31)) == nil)
            _ = try store.append(History.batch(31...31))
            #expect(try History.recover(store.disk.afterCleanEnd()).recovered.lastZxid == Zxid(rawValue: 31))
        }
    }

    @Test("An unfinished write at the end of an older log is passed over when the next log goes on behind it")
    func tornMiddle() throws {
        var disk = try History.threeFiles()
        let bytes = try #require(disk.contents(of: History.log(11)))
        disk.flipBit(900, in: History.snapshot(20))
        // As a server that does not cut leaves it: half an entry, with the next log right behind.
        disk.put(bytes + Array(bytes[16..<60]), at: History.log(11))
        let (_, target, recovered) = try History.recover(disk)
        #expect(target.holdsExactly(through: Zxid(rawValue: 30)))
        #expect(recovered.warnings.contains { $0.contains("an unfinished write was passed over") })
        // Whole entries behind the damage do not matter, as long as the numbers go on.
        disk.put(bytes + [UInt8](repeating: 0, count: 600) + Array(bytes[16...]), at: History.log(11))
        #expect(try History.recover(disk).target.holdsExactly(through: Zxid(rawValue: 30)))
    }

    @Test("A torn tail is cut off so that the reference reads the folder as well")
    func tornTail() throws {
        var disk = SimulatedDisk()
        disk.put(try Vector.bytes("snapshot.0"), at: History.snapshot(0))
        var bytes = try Vector.bytes("log.1")
        // The last entry crosses no sector; its whole sector was lost from the entry on.
        for index in 2048..<2560 { bytes[index] = 0 }
        disk.put(bytes, at: History.log(1))
        let (store, target, recovered) = try History.recover(disk)
        let torn = try #require(recovered.torn)
        #expect(torn.offset < 2048 && torn.offset > 1536)
        #expect(target.holdsExactly(through: recovered.lastZxid))
        #expect(store.disk.contents(of: History.log(1)) == Array(bytes.prefix(Int(torn.offset))))
        let again = try History.recover(store.disk.afterCleanEnd())
        #expect(again.recovered.torn == nil)
        #expect(again.recovered.lastZxid == recovered.lastZxid)
    }

    @Test("A file whose name is not its first transaction is refused")
    func wrongName() throws {
        var disk = SimulatedDisk()
        disk.put(try Vector.bytes("snapshot.0"), at: History.snapshot(0))
        disk.put(try Vector.bytes("log.1"), at: History.versionFolder + "/log.0")
        let error = try #require(storageError { _ = try History.recover(disk) })
        #expect(error.code == .corrupt)
        #expect(error.message.contains("should be 0x0 as its name says, found 0x1"))
    }
}
