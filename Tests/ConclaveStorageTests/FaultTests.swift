import ConclaveCore
import ConclaveSimulator
import ConclaveStorage
import TestLanes
import Testing

/// A disk that refuses: one error ends the store, and nothing acknowledged is lost by it.
@Suite(.aside) struct FaultTests {
    /// Appends, a snapshot, a purge, until something fails.
    private func work(_ store: inout Store<SimulatedDisk>, promised: inout Zxid) throws(StorageError) {
        for start in [Int64(1), 6, 11] {
            promised = try store.append(History.batch(start...(start + 4))).through
            try store.beginSnapshot(zxid: store.lastZxid)
            try store.writeSnapshot(History.snapshotBody(through: store.lastZxid))
            try store.finishSnapshot(digest: nil)
        }
        _ = try store.purge()
        promised = try store.append(History.batch(16...17)).through
        try store.close()
    }

    @Test("After any failed operation the store is silent, and the next start finds everything promised")
    func everyOperation() throws {
        let fresh = try History.recover(SimulatedDisk()).store.disk.afterCleanEnd()
        var failed = 0
        for operation in 0..<200 {
            var disk = fresh
            disk.failures = [operation: .other(errno: 5)]
            var promised = Zxid.zero
            var store = History.store(disk)
            var target = ModelTarget()
            do throws(StorageError) {
                _ = try store.recover(into: &target)
                try work(&store, promised: &promised)
                continue
            } catch {
                #expect(error.code == .disk)
                failed += 1
            }
            let before = store.disk.operationCount
            let next = storageError { _ = try store.append(History.batch(30...30)) }
            #expect(next?.code == .stopped, "operation \(operation)")
            #expect(storageError { _ = try store.purge() }?.code == .stopped)
            #expect(storageError { _ = try store.recover(into: &target) }?.code == .stopped)
            #expect(store.disk.operationCount == before)
            for survival in [Survival.nothing, .some, .processOnly] {
                let image = store.disk.afterCrash(survival, seed: UInt64(operation))
                let (_, after, recovered) = try History.recover(image)
                #expect(recovered.lastZxid >= promised, "operation \(operation), \(survival)")
                #expect(after.holdsExactly(through: recovered.lastZxid), "operation \(operation), \(survival)")
            }
        }
        #expect(failed > 40)
    }

    @Test("What a start found in memory only survives a later power failure, whatever failed before it")
    func promisedAfterRestart() throws {
        let fresh = try History.recover(SimulatedDisk()).store.disk.afterCleanEnd()
        var failed = 0
        for operation in 0..<200 {
            var disk = fresh
            disk.failures = [operation: .other(errno: 5)]
            var promised = Zxid.zero
            var store = History.store(disk)
            var target = ModelTarget()
            do throws(StorageError) {
                _ = try store.recover(into: &target)
                try work(&store, promised: &promised)
                continue
            } catch {
                failed += 1
            }
            // The process starts again on what the system still has in memory, and goes on.
            var (next, _, found) = try History.recover(store.disk.afterCrash(.processOnly, seed: 1))
            let first = max(found.lastZxid, .zero).rawValue + 1
            promised = try next.append(History.batch(first...(first + 2))).through
            let (_, after, last) = try History.recover(next.disk.afterCrash(.nothing, seed: 1))
            #expect(last.lastZxid >= promised, "operation \(operation)")
            #expect(after.holdsExactly(through: last.lastZxid), "operation \(operation)")
        }
        #expect(failed > 40)
    }

    @Test("A failed sync is never tried again")
    func failedSync() throws {
        var (store, _, _) = try History.recover(SimulatedDisk())
        _ = try store.append(History.batch(1...2))
        var disk = store.disk.afterCleanEnd()
        // Recovery, then: create, preallocate, header, entries, sync.
        let recovering = try History.recover(disk).store.disk.operationCount
        disk.failures = [recovering + 4: .other(errno: 5)]
        disk.recordsOperations = true
        (store, _, _) = try History.recover(disk)
        let error = try #require(storageError { _ = try store.append(History.batch(3...3)) })
        #expect(error.code == .disk)
        #expect(error.file == History.log(3))
        #expect(store.disk.operations.last == "sync " + History.log(3))
        #expect(storageError { _ = try store.append(History.batch(3...3)) }?.code == .stopped)
        #expect(store.disk.operations.last == "sync " + History.log(3))
    }

    @Test("A full disk is said to be full, and everything promised is there when there is room again")
    func fullDisk() throws {
        for capacity in stride(from: 400, through: 40_000, by: 1500) {
            var disk = SimulatedDisk()
            disk.capacity = capacity
            var promised = Zxid.zero
            var store = History.store(disk)
            var target = ModelTarget()
            do throws(StorageError) {
                _ = try store.recover(into: &target)
                try work(&store, promised: &promised)
            } catch {
                #expect(error.code == .full, "\(error)")
            }
            var image = store.disk.afterCrash(.some, seed: UInt64(capacity))
            image.capacity = nil
            let (_, after, recovered) = try History.recover(image)
            #expect(recovered.lastZxid >= promised)
            #expect(after.holdsExactly(through: recovered.lastZxid))
        }
    }

    @Test("Writes into reserved room cannot find the disk full")
    func reservedRoom() throws {
        var disk = SimulatedDisk()
        disk.capacity = 12_000
        var (store, _, _) = try History.recover(disk)
        _ = try store.append(History.batch(1...1))
        let used = store.disk.paths.reduce(0) { $0 + (store.disk.contents(of: $1)?.count ?? 0) }
        #expect(used > 8192)
        for zxid in Int64(2)...20 { _ = try store.append(History.batch(zxid...zxid)) }
        #expect(store.disk.contents(of: History.log(1))?.count == 8192)
    }
}
