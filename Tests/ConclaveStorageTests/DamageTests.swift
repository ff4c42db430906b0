import ConclaveCore
import ConclaveSimulator
import ConclaveStorage
import TestLanes
import Testing

/// Nothing that was synced is ever taken for the end of the history.
@Suite(.aside) struct DamageTests {
    /// A log of three transactions, the middle one with a whole sector of zeros, without padding.
    static func smallLog() throws -> (disk: SimulatedDisk, bytes: [UInt8]) {
        var (store, _, _) = try History.recover(SimulatedDisk())
        _ = try store.append(History.batch(1...1))
        _ = try store.append(History.batch(2...2, data: [UInt8](repeating: 0, count: 1100)))
        _ = try store.append(History.batch(3...3))
        try store.close()
        let disk = store.disk.afterCleanEnd()
        return (disk, try #require(disk.contents(of: History.log(1))))
    }

    @Test("Every flipped bit in a log is found, even without a mark beside it")
    func flippedBitsInLog() throws {
        var (disk, bytes) = try Self.smallLog()
        for bit in 0..<(bytes.count * 8) {
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            disk.put(bytes, at: History.log(1))
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            do {
                let report = try StoredFile.readLog(History.log(1), disk: disk) { _, _, _ in }
                guard case .corrupt(let error) = report.end else {
                    Issue.record("bit \(bit) was taken for \(report.end)")
                    continue
                }
                #expect(error.file == History.log(1))
                #expect((error.offset ?? -1) <= Int64(bit / 8))
            } catch {
                Issue.record("bit \(bit): \(error)")
            }
        }
    }

    @Test("Every flipped bit in a snapshot is found")
    func flippedBitsInSnapshot() throws {
        var disk = SimulatedDisk()
        var bytes = try Vector.bytes("snapshot.0")
        let name = try #require(FileName.snapshot("snapshot.0"))
        for bit in 0..<(bytes.count * 8) {
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            disk.put(bytes, at: History.snapshot(0))
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            var target = ModelTarget()
            let error = storageError {
                _ = try StoredFile.readSnapshot(History.snapshot(0), name: name, disk: disk, into: &target)
            }
            #expect(error?.code == .corrupt, "bit \(bit)")
        }
    }

    @Test("A directory with a flipped bit starts with everything, or not at all and says why")
    func flippedBitsInDirectory() throws {
        let whole = try History.threeFiles()
        var refusals = 0
        for path in whole.paths {
            let size = try #require(whole.contents(of: path)).count
            for bit in stride(from: 0, to: size * 8, by: 61) {
                var disk = whole
                disk.flipBit(bit, in: path)
                do {
                    let (_, target, recovered) = try History.recover(disk)
                    #expect(recovered.lastZxid == Zxid(rawValue: 30), "\(path), bit \(bit)")
                    #expect(target.holdsExactly(through: recovered.lastZxid), "\(path), bit \(bit)")
                } catch let error as StorageError {
                    refusals += 1
                    #expect(error.file?.hasPrefix(History.versionFolder) == true, "\(error)")
                    #expect(error.offset != nil, "\(error)")
                }
            }
        }
        // Damage in the last log cannot be made good; damage in snapshots and in what they cover can.
        #expect(refusals > 50)
    }

    @Test("A log that was cut is refused, wherever it was cut")
    func cuts() throws {
        let (disk, bytes) = try Self.smallLog()
        for length in 0..<bytes.count {
            var cut = disk
            cut.cut(History.log(1), to: length)
            let error = storageError { _ = try History.recover(cut) }
            #expect(
                error?.code == .corrupt || error?.code == .missing, "cut at \(length): \(String(describing: error))")
        }
    }

    @Test("A log of another server that ends early gives what is whole in it")
    func cutsWithoutMark() throws {
        let bytes = try Vector.bytes("log.1").prefix(2244)
        var disk = SimulatedDisk()
        disk.put(try Vector.bytes("snapshot.0"), at: History.snapshot(0))
        var last = Zxid.zero
        for length in 0...bytes.count {
            disk.put(Array(bytes.prefix(length)), at: History.log(1))
            let (_, target, recovered) = try History.recover(disk)
            #expect(recovered.lastZxid >= last && recovered.lastZxid <= Zxid(rawValue: 0x15))
            #expect(target.holdsExactly(through: recovered.lastZxid))
            last = recovered.lastZxid
            if let torn = recovered.torn {
                #expect(torn.file == History.log(1))
                #expect(torn.offset <= Int64(length))
            }
        }
        #expect(last == Zxid(rawValue: 0x15))
    }

    @Test("A damaged entry at the end of a log without a mark is not taken for a torn write")
    func flippedLastEntry() throws {
        var disk = SimulatedDisk()
        disk.put(try Vector.bytes("snapshot.0"), at: History.snapshot(0))
        disk.put(try Vector.bytes("log.1"), at: History.log(1))
        disk.flipBit(2200 * 8, in: History.log(1))
        let error = try #require(storageError { _ = try History.recover(disk) })
        #expect(error.code == .corrupt)
        #expect(error.file == History.log(1))
        #expect(error.message.contains("after transaction 0x14"))
        #expect(error.message.contains("nothing proves that this was never synced"))
    }

    @Test("A hole before whole entries is damage")
    func hole() throws {
        var disk = SimulatedDisk()
        disk.put(try Vector.bytes("snapshot.0"), at: History.snapshot(0))
        var bytes = try Vector.bytes("log.1")
        for index in 512..<1024 { bytes[index] = 0 }
        disk.put(bytes, at: History.log(1))
        let error = try #require(storageError { _ = try History.recover(disk) })
        #expect(error.code == .corrupt)
        #expect(error.message.contains("a whole entry follows at byte"))
    }

    @Test("A missing log in the middle is a gap")
    func missingMiddle() throws {
        var disk = try History.threeFiles()
        disk.lose(History.log(11))
        // The newest snapshot does not need it.
        #expect(try History.recover(disk).recovered.lastZxid == Zxid(rawValue: 30))
        disk.flipBit(500, in: History.snapshot(20))
        let error = try #require(storageError { _ = try History.recover(disk) })
        #expect(error.code == .gap)
        #expect(error.file == History.log(21))
        #expect(error.message.contains("expected 0xb, found 0x15"))
    }

    @Test("A missing last log is noticed")
    func missingLast() throws {
        var disk = try History.threeFiles()
        disk.lose(History.log(21))
        let error = try #require(storageError { _ = try History.recover(disk) })
        #expect(error.code == .missing)
        #expect(error.message.contains("through 0x1e were confirmed"))
        #expect(error.message.contains("ends with 0x14"))
    }

    @Test("Without a snapshot logs are refused, unless the operator trusts them")
    func missingSnapshots() throws {
        var disk = try History.threeFiles()
        for zxid in [Int64(0), 10, 20] { disk.lose(History.snapshot(zxid)) }
        #expect(storageError { _ = try History.recover(disk) }?.code == .missing)
        disk.lose(History.mark)
        #expect(storageError { _ = try History.recover(disk) }?.code == .noSnapshot)
        var options = History.options
        options.trustEmptySnapshot = true
        let (_, target, recovered) = try History.recover(disk, options: options)
        #expect(recovered.lastZxid == Zxid(rawValue: 30))
        #expect(target.holdsExactly(through: recovered.lastZxid))
    }

    @Test("A damaged snapshot gives way to an older one and all logs behind it")
    func olderSnapshot() throws {
        var disk = try History.threeFiles()
        disk.flipBit(2000, in: History.snapshot(20))
        var (_, target, recovered) = try History.recover(disk)
        #expect(recovered.snapshot == "snapshot.a")
        #expect(recovered.replayed == 20)
        #expect(recovered.warnings.count == 1)
        #expect(recovered.warnings[0].contains(History.snapshot(20)))
        #expect(target.holdsExactly(through: Zxid(rawValue: 30)))
        #expect(target.beginnings == 2)
        disk.flipBit(2000, in: History.snapshot(10))
        (_, target, recovered) = try History.recover(disk)
        #expect(recovered.snapshot == "snapshot.0")
        #expect(target.holdsExactly(through: Zxid(rawValue: 30)))
        disk.flipBit(2000, in: History.snapshot(0))
        let error = try #require(storageError { _ = try History.recover(disk) })
        #expect(error.code == .corrupt)
        #expect(error.message.contains("None of the 3 snapshots is whole"))
    }

    @Test("A damaged snapshot is not replaced by one whose logs end before it")
    func olderSnapshotTooOld() throws {
        var disk = try History.threeFiles()
        disk.lose(History.log(11))
        disk.lose(History.log(21))
        disk.lose(History.mark)
        disk.flipBit(2000, in: History.snapshot(20))
        let error = try #require(storageError { _ = try History.recover(disk) })
        #expect(error.code == .missing)
        #expect(error.message.contains("reach only 0xa"))
    }

    @Test("An unreadable snapshot is one more reason to take an older one")
    func unreadableSnapshot() throws {
        let whole = try History.threeFiles()
        var starts = 0
        for read in 0..<200 {
            var disk = whole
            disk.readFailures = [read: .other(errno: 5)]
            guard let (_, target, recovered) = try? History.recover(disk) else { continue }
            starts += 1
            #expect(target.holdsExactly(through: Zxid(rawValue: 30)), "read \(read)")
            #expect(recovered.lastZxid == Zxid(rawValue: 30))
        }
        #expect(starts > 0)
    }
}
