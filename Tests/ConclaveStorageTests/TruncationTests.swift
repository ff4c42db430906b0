import ConclaveCore
import ConclaveSimulator
import ConclaveStorage
import TestLanes
import Testing

@Suite(.aside) struct TruncationTests {
    private func zxid(_ value: Int64) -> Zxid { Zxid(rawValue: value) }

    @Test("Everything behind the transaction goes: entries, logs, and newer snapshots", arguments: 0...30)
    func everywhere(_ last: Int64) throws {
        var (store, _, _) = try History.recover(try History.threeFiles())
        #expect(try store.truncate(to: zxid(last)))
        var target = ModelTarget()
        let recovered = try store.recover(into: &target)
        #expect(recovered.lastZxid == zxid(last))
        #expect(recovered.torn == nil)
        #expect(target.holdsExactly(through: zxid(last)))
        #expect(recovered.snapshotZxid == zxid(last / 10 * 10).orLess(zxid(20)))
        // Twenty-five transactions of another history follow in a new file.
        _ = try store.append(History.batch((last + 1)...(last + 25)))
        let after = try History.recover(store.disk.afterCrash(.nothing, seed: 1))
        #expect(after.target.holdsExactly(through: zxid(last + 25)))
        #expect(after.recovered.warnings == [])
    }

    @Test("A snapshot that may contain something later goes too")
    func fuzzySnapshot() throws {
        var (store, _, _) = try History.recover(SimulatedDisk())
        _ = try store.append(History.batch(1...5))
        try store.beginSnapshot(zxid: zxid(5))
        _ = try store.append(History.batch(6...9))
        try store.writeSnapshot(History.snapshotBody(through: zxid(5)))
        // As the reference writes it: the digest was taken two transactions later.
        try store.finishSnapshot(digest: (zxid(7), TreeDigest(value: 1)))
        #expect(try store.truncate(to: zxid(6)))
        #expect(store.disk.contents(of: History.snapshot(5)) == nil)
        var target = ModelTarget()
        #expect(try store.recover(into: &target).snapshot == "snapshot.0")
        #expect(target.holdsExactly(through: zxid(6)))
    }

    @Test("A transaction that is not there is not cut to, and nothing is removed")
    func notThere() throws {
        let disk = try History.threeFiles()
        for last in [Int64(31), 1 << 32] {
            var (store, _, _) = try History.recover(disk)
            let paths = store.disk.paths
            #expect(try !store.truncate(to: zxid(last)))
            #expect(store.disk.paths == paths)
            // It goes on.
            #expect(try store.append(History.batch(31...32)).through == zxid(32))
        }
    }

    @Test("Nothing is removed when no old enough snapshot is left")
    func noSnapshot() throws {
        var disk = try History.threeFiles()
        disk.lose(History.snapshot(0))
        disk.flipBit(800, in: History.snapshot(10))
        var (store, _, _) = try History.recover(disk)
        let paths = store.disk.paths
        #expect(try !store.truncate(to: zxid(15)))
        #expect(store.disk.paths == paths)
    }

    @Test("A crash while cutting leaves a whole history of some length", arguments: Survival.allCases)
    func crashes(_ survival: Survival) throws {
        for last in [Int64(7), 10, 15, 20, 27] {
            var disk = try History.threeFiles()
            disk.capturesCrashes = true
            var (store, _, _) = try History.recover(disk)
            #expect(try store.truncate(to: zxid(last)))
            for (operation, image) in store.disk.captures.enumerated() {
                let context: Comment = "to \(last), operation \(operation)"
                let after = try History.recover(image.afterCrash(survival, seed: UInt64(operation)))
                #expect(after.recovered.lastZxid >= zxid(last), context)
                #expect(after.target.holdsExactly(through: after.recovered.lastZxid), context)
                var again = after.store
                if after.recovered.lastZxid > zxid(last) {
                    #expect(try again.truncate(to: zxid(last)))
                } else {
                    try again.close()
                }
                var target = ModelTarget()
                #expect(try again.recover(into: &target).lastZxid == zxid(last), context)
            }
        }
    }

    @Test("A crash while a leader's snapshot is installed leaves the old history, part of it, or the new one")
    func installCrashes() throws {
        for survival in Survival.allCases {
            var disk = try History.threeFiles()
            disk.capturesCrashes = true
            var (store, _, _) = try History.recover(disk)
            let recovering = store.disk.operationCount
            try store.beginReceivedSnapshot(zxid: zxid(12))
            try store.writeSnapshot(History.snapshotBody(through: zxid(12)))
            try store.installSnapshot(digest: nil)
            for (operation, image) in store.disk.captures.enumerated().dropFirst(recovering) {
                let after = try History.recover(image.afterCrash(survival, seed: UInt64(operation)))
                #expect(after.recovered.lastZxid >= zxid(12), "\(survival), operation \(operation)")
                #expect(
                    after.target.holdsExactly(through: after.recovered.lastZxid), "\(survival), operation \(operation)")
            }
        }
    }
}

extension Zxid {
    fileprivate func orLess(_ limit: Zxid) -> Zxid { min(self, limit) }
}
