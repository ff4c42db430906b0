import ConclaveCore
import ConclaveSimulator
import ConclaveStorage
import ConclaveWire
import TestLanes
import Testing

@Suite("Reading back for those who were away", .aside)
struct HistoryTests {
    private func zxid(_ value: Int64) -> Zxid { Zxid(rawValue: value) }

    @Test("What is read begins with the newest transaction that is not behind the place, and ends where it is told to")
    func ranges() throws {
        var (store, _, _) = try History.recover(try History.threeFiles())
        for (after, through, expected) in [
            (1, 30, 1...30), (15, 30, 15...30), (20, 25, 20...25), (29, 30, 29...30), (30, 30, 30...30),
            (10, 11, 10...11),
        ] as [(Int64, Int64, ClosedRange<Int64>)] {
            let found = try store.history(after: zxid(after), through: zxid(through), limitBytes: .max)
            #expect(found?.map(\.zxid.rawValue) == Array(expected))
        }
        #expect(try store.history(after: zxid(0), through: zxid(30), limitBytes: .max) == nil)
    }

    @Test("A part can be asked for after the other")
    func parts() throws {
        var (store, _, _) = try History.recover(try History.threeFiles())
        var seen: [Int64] = [5]
        while let last = seen.last, last < 30 {
            let part = try #require(try store.history(after: zxid(last), through: zxid(30), limitBytes: 300))
            #expect(part.first?.zxid.rawValue == last && part.count > 1)
            seen += part.dropFirst().map(\.zxid.rawValue)
        }
        #expect(seen == Array(5...30))
    }

    @Test("Sizes count the logs from the place on, and the newest snapshot")
    func sizes() throws {
        var (store, _, _) = try History.recover(try History.threeFiles())
        let all = try #require(try store.historySizes(behind: zxid(1)))
        let some = try #require(try store.historySizes(behind: zxid(15)))
        #expect(some.logBytes < all.logBytes && some.snapshotBytes == all.snapshotBytes && some.snapshotBytes > 0)
        #expect(try store.historySizes(behind: zxid(0)) == nil)
    }

    @Test("A log that is damaged at the place or behind it is nobody's history; in front of it nobody looks")
    func damaged() throws {
        for (byte, places) in [(62, [12, 19, 22]), (500, [19, 22])] as [(Int, [Int64])] {
            var (store, _, _) = try History.recover(try History.threeFiles())
            var disk = store.disk
            disk.flipBit(byte * 8 + 4, in: History.log(11))
            (store, _, _) = try History.recover(disk.afterCrash(.everything, seed: 1))
            for place in [11, 12, 19, 22] as [Int64] {
                let found = try store.history(after: zxid(place), through: zxid(30), limitBytes: .max)
                #expect(found?.map(\.zxid.rawValue) == (places.contains(place) ? Array(place...30) : nil))
            }
        }
    }

    @Test("Logs in front of a snapshot that a leader sent do not tell what has followed them")
    func gap() throws {
        var (store, _, _) = try History.recover(SimulatedDisk())
        _ = try store.append(History.batch(1...5))
        #expect(try store.isHistoryWhole(behind: zxid(2)))
        #expect(try !store.isHistoryWhole(behind: zxid(0)))
        // The epoch of the last of these has ended, and with it the numbers do not show the gap.
        try store.beginReceivedSnapshot(zxid: Zxid(epoch: 1, counter: 7))
        try store.writeSnapshot(History.snapshotBody(through: zxid(5)))
        try store.installSnapshot(digest: nil)
        _ = try store.append(History.batch(Zxid(epoch: 2, counter: 1).rawValue...Zxid(epoch: 2, counter: 9).rawValue))
        for _ in 0..<2 {
            #expect(try !store.isHistoryWhole(behind: zxid(2)))
            #expect(try !store.isHistoryWhole(behind: Zxid(epoch: 1, counter: 7)))
            #expect(try store.isHistoryWhole(behind: Zxid(epoch: 2, counter: 1)))
            (store, _, _) = try History.recover(store.disk.afterCrash(.everything, seed: 1))
        }
    }

    @Test("Logs that a purge has left in front of all snapshots tell nothing, those behind a snapshot written here do")
    func leftOver() throws {
        var (store, _, _) = try History.recover(try History.threeFiles())
        #expect(try store.isHistoryWhole(behind: zxid(1)))
        #expect(try store.isHistoryWhole(behind: zxid(12)))
        var disk = store.disk
        for name in [Int64(0), 10] { try disk.remove(History.snapshot(name)) }
        (store, _, _) = try History.recover(disk.afterCrash(.everything, seed: 1))
        #expect(try !store.isHistoryWhole(behind: zxid(9)))
        #expect(try store.isHistoryWhole(behind: zxid(12)))
    }

    @Test("A leader writes a snapshot at the begin of its epoch, before there is a transaction in it")
    func beginOfEpoch() throws {
        var (store, _, _) = try History.recover(SimulatedDisk())
        _ = try store.append(History.batch(1...5))
        let begin = Zxid(epoch: 2, counter: 0)
        #expect(storageError { try store.beginSnapshot(zxid: zxid(6)) }?.code == .misuse)
        (store, _, _) = try History.recover(store.disk.afterCrash(.everything, seed: 1))
        try store.beginSnapshot(zxid: begin)
        try store.writeSnapshot(History.snapshotBody(through: zxid(5)))
        try store.finishSnapshot(digest: nil)
        let after = try History.recover(store.disk.afterCrash(.nothing, seed: 1))
        #expect(after.recovered.lastZxid == begin && after.recovered.warnings == [])
    }
}
