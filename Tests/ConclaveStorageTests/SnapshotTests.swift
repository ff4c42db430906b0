import ConclaveCore
import ConclaveSimulator
import ConclaveStorage
import TestLanes
import Testing

@Suite(.aside) struct SnapshotTests {
    @Test("Snapshots are due by count and by bytes, each server at its own time")
    func schedule() throws {
        var counts: Set<Int> = []
        for seed in UInt64(1)...20 {
            var options = History.options
            options.snapshotEvery = 40
            options.seed = seed
            var (store, _, _) = try History.recover(SimulatedDisk(), options: options)
            var count = 0
            while !store.isSnapshotDue, count < 100 {
                count += 1
                _ = try store.append(History.batch(Int64(count)...Int64(count)))
            }
            #expect(count > 20 && count <= 41)
            counts.insert(count)
            try store.beginSnapshot(zxid: store.lastZxid)
            #expect(!store.isSnapshotDue)
        }
        #expect(counts.count > 5)

        var options = History.options
        options.snapshotEveryBytes = 4000
        var (store, _, _) = try History.recover(SimulatedDisk(), options: options)
        for zxid in Int64(1)...50 { _ = try store.append(History.batch(zxid...zxid)) }
        #expect(store.isSnapshotDue)
    }

    @Test("A snapshot begins a new log and appears only when it is whole")
    func publishing() throws {
        var (store, _, _) = try History.recover(SimulatedDisk())
        _ = try store.append(History.batch(1...4))
        try store.beginSnapshot(zxid: Zxid(rawValue: 4))
        _ = try store.append(History.batch(5...6))
        #expect(store.disk.contents(of: History.log(5)) != nil)
        let body = History.snapshotBody(through: Zxid(rawValue: 4))
        for start in stride(from: 0, to: body.count, by: 100) {
            try store.writeSnapshot(Array(body[start..<min(start + 100, body.count)]))
        }
        #expect(store.disk.contents(of: History.snapshot(4)) == nil)
        try store.finishSnapshot(digest: (Zxid(rawValue: 4), TreeDigest(value: 99)))
        #expect(store.newestSnapshot == Zxid(rawValue: 4))
        let (_, target, recovered) = try History.recover(store.disk.afterCrash(.nothing, seed: 0))
        #expect(recovered.snapshot == "snapshot.4")
        #expect(recovered.replayed == 2)
        #expect(target.digest?.digest == TreeDigest(value: 99))
        #expect(target.holdsExactly(through: Zxid(rawValue: 6)))
    }

    @Test("A sealed snapshot is read back piece by piece, with appends in between, before it is published")
    func checking() throws {
        var (store, _, _) = try History.recover(SimulatedDisk())
        _ = try store.append(History.batch(1...20))
        try store.beginSnapshot(zxid: Zxid(rawValue: 20))
        try store.writeSnapshot(History.snapshotBody(through: Zxid(rawValue: 20)))
        try store.sealSnapshot(digest: (Zxid(rawValue: 20), TreeDigest(value: 1)))
        #expect(!store.isSnapshotDue)
        var pieces = 1
        while try !store.checkSnapshot(limitBytes: 300) {
            #expect(store.disk.contents(of: History.snapshot(20)) == nil)
            let zxid = store.lastZxid.rawValue + 1
            _ = try store.append(History.batch(zxid...zxid))
            pieces += 1
        }
        #expect(pieces > 4)
        let (_, target, recovered) = try History.recover(store.disk.afterCrash(.nothing, seed: 0))
        #expect(recovered.snapshot == "snapshot.14")
        #expect(target.holdsExactly(through: store.lastZxid))
    }

    @Test("Snapshots without the digest part are written on demand, and read")
    func withoutDigest() throws {
        var options = History.options
        options.writesDigest = false
        var (store, _, _) = try History.recover(SimulatedDisk(), options: options)
        _ = try store.append(History.batch(1...4))
        try History.snapshot(&store)
        let (_, target, recovered) = try History.recover(store.disk.afterCleanEnd(), options: options)
        #expect(recovered.snapshot == "snapshot.4")
        #expect(target.digest == nil)
    }

    @Test("What a crash left of a snapshot is removed at the next start")
    func leftovers() throws {
        var (store, _, _) = try History.recover(SimulatedDisk())
        _ = try store.append(History.batch(1...4))
        try store.beginSnapshot(zxid: Zxid(rawValue: 4))
        let temporary = History.snapshot(4) + ".tmp"
        #expect(store.disk.contents(of: temporary) != nil)
        let (next, _, _) = try History.recover(store.disk.afterCrash(.everything, seed: 0))
        #expect(next.disk.contents(of: temporary) == nil)
    }

    @Test("A body that is no snapshot is not published")
    func unreadableBody() throws {
        var (store, _, _) = try History.recover(SimulatedDisk())
        _ = try store.append(History.batch(1...4))
        try store.beginSnapshot(zxid: Zxid(rawValue: 4))
        try store.writeSnapshot([1, 2, 3])
        #expect(storageError { try store.finishSnapshot(digest: nil) }?.code == .corrupt)
        #expect(store.disk.contents(of: History.snapshot(4)) == nil)
    }

    @Test("Only one snapshot is written at a time, and none of the future")
    func misuse() throws {
        var (store, _, _) = try History.recover(SimulatedDisk())
        _ = try store.append(History.batch(1...4))
        #expect(storageError { try store.beginSnapshot(zxid: Zxid(rawValue: 5)) }?.code == .misuse)
        (store, _, _) = try History.recover(SimulatedDisk())
        try store.beginSnapshot(zxid: .zero)
        try store.abandonSnapshot()
        try store.beginSnapshot(zxid: .zero)
        #expect(storageError { try store.beginSnapshot(zxid: .zero) }?.code == .misuse)
    }

    @Test("Purging leaves the newest whole snapshots and every log behind the oldest of them")
    func purge() throws {
        let disk = try History.threeFiles()
        var (store, _, _) = try History.recover(disk)
        #expect(try store.purge() == [History.snapshot(0)])
        #expect(try store.purge() == [])
        _ = try store.append(History.batch(31...32))
        try History.snapshot(&store)
        #expect(try store.purge() == [History.snapshot(10), History.log(1)])
        let (_, target, recovered) = try History.recover(store.disk.afterCleanEnd())
        #expect(recovered.snapshot == "snapshot.20")
        #expect(target.holdsExactly(through: Zxid(rawValue: 32)))
        // The older one that was kept is enough by itself.
        var damaged = store.disk.afterCleanEnd()
        damaged.flipBit(800, in: History.snapshot(32))
        #expect(try History.recover(damaged).target.holdsExactly(through: Zxid(rawValue: 32)))
    }

    @Test("Damaged snapshots do not count as kept")
    func purgeWithDamage() throws {
        var disk = try History.threeFiles()
        disk.flipBit(800, in: History.snapshot(10))
        var (store, _, _) = try History.recover(disk)
        #expect(try store.purge() == [])
        _ = try store.append(History.batch(31...32))
        try History.snapshot(&store)
        #expect(try store.purge() == [History.snapshot(0), History.snapshot(10), History.log(1)])
    }

    @Test("Too few whole snapshots: nothing is removed")
    func purgeTooFew() throws {
        var options = History.options
        options.retainSnapshots = 4
        var (store, _, _) = try History.recover(try History.threeFiles(), options: options)
        #expect(try store.purge() == [])
    }

    @Test("A snapshot from a leader replaces a history that goes beyond it")
    func install() throws {
        for (zxid, lost) in [(Int64(12), true), (40, false)] {
            var (store, _, _) = try History.recover(try History.threeFiles())
            try store.beginReceivedSnapshot(zxid: Zxid(rawValue: zxid))
            try store.writeSnapshot(History.snapshotBody(through: Zxid(rawValue: zxid)))
            try store.installSnapshot(digest: (Zxid(rawValue: zxid), TreeDigest(value: 1)))
            #expect(store.lastZxid == Zxid(rawValue: zxid))
            let (_, target, recovered) = try History.recover(store.disk.afterCrash(.nothing, seed: 0))
            #expect(recovered.snapshotZxid == Zxid(rawValue: zxid))
            #expect(recovered.lastZxid == Zxid(rawValue: zxid))
            #expect(target.holdsExactly(through: Zxid(rawValue: zxid)))
            #expect((store.disk.contents(of: History.snapshot(20)) == nil) == lost)
            _ = try store.append(History.batch((zxid + 1)...(zxid + 2)))
            let after = try History.recover(store.disk.afterCrash(.nothing, seed: 0)).recovered
            #expect(after.lastZxid == Zxid(rawValue: zxid + 2))
        }
    }
}
