import ConclaveCore
import ConclaveSimulator
import ConclaveStorage
import TestLanes
import Testing

/// Folders, markers and epoch files.
@Suite(.aside) struct DirectoryTests {
    private func text(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test("Logs and snapshots may lie apart, but not in each other's place")
    func separateFolders() throws {
        var (store, _, _) = try History.recover(SimulatedDisk(), logs: "/logs/a")
        _ = try store.append(History.batch(1...3))
        #expect(store.disk.contents(of: "/logs/a/version-2/log.1") != nil)
        #expect(store.disk.contents(of: History.snapshot(0)) != nil)
        let disk = store.disk.afterCrash(.nothing, seed: 0)
        #expect(try History.recover(disk, logs: "/logs/a").recovered.lastZxid == Zxid(rawValue: 3))

        var mixed = disk
        mixed.put([1], at: History.log(9))
        let log = try #require(storageError { _ = try History.recover(mixed, logs: "/logs/a") })
        #expect(log.code == .layout && log.file == History.log(9))
        mixed = disk
        mixed.put([1], at: "/logs/a/version-2/snapshot.9")
        let snapshot = try #require(storageError { _ = try History.recover(mixed, logs: "/logs/a") })
        #expect(snapshot.code == .layout && snapshot.file == "/logs/a/version-2/snapshot.9")
    }

    @Test("An empty directory is begun only if that is allowed")
    func autoCreate() throws {
        var options = History.options
        options.autoCreate = false
        var (store, target, recovered) = try History.recover(SimulatedDisk(), options: options)
        #expect(recovered.isBlank && !recovered.isNew)
        #expect(recovered.lastZxid == Zxid(rawValue: -1))
        #expect(target.beginnings == 0)
        #expect(store.disk.contents(of: History.snapshot(0)) == nil)

        var disk = store.disk.afterCleanEnd()
        disk.put([], at: "/data/initialize")
        (store, target, recovered) = try History.recover(disk, options: options)
        #expect(recovered.isNew)
        #expect(recovered.lastZxid == .zero)
        #expect(store.disk.contents(of: "/data/initialize") == nil)
        #expect(target.nodes.count == 4)
    }

    @Test("A server that had something does not begin anew")
    func vanished() throws {
        var disk = SimulatedDisk()
        disk.put(text("3"), at: History.versionFolder + "/currentEpoch")
        let error = try #require(storageError { _ = try History.recover(disk) })
        #expect(error.code == .missing)
        #expect(error.message.contains("epoch 3"))
    }

    @Test("Epochs begin with that of the history and survive every crash")
    func epochs() throws {
        var (store, _, _) = try History.recover(SimulatedDisk())
        #expect(try store.loadEpochs() == StoredEpochs(accepted: 0, current: 0))
        var disk = store.disk
        disk.capturesCrashes = true
        (store, _, _) = try History.recover(disk.afterCleanEnd())
        try store.setAcceptedEpoch(4)
        try store.setCurrentEpoch(4)
        #expect(store.disk.contents(of: History.versionFolder + "/currentEpoch") == text("4"))
        let after = store.disk.afterCrash(.nothing, seed: 0)
        (store, _, _) = try History.recover(after)
        #expect(try store.loadEpochs() == StoredEpochs(accepted: 4, current: 4))

        disk = after
        disk.capturesCrashes = true
        (store, _, _) = try History.recover(disk)
        try store.setAcceptedEpoch(5)
        for survival in Survival.allCases {
            for (operation, image) in store.disk.captures.enumerated() {
                var (next, _, _) = try History.recover(image.afterCrash(survival, seed: UInt64(operation)))
                let epochs = try next.loadEpochs()
                #expect(epochs.current == 4)
                #expect(epochs.accepted == 4 || epochs.accepted == 5)
            }
        }
    }

    @Test("Epoch files that contradict the history are refused; an unfinished rename is finished")
    func contradictingEpochs() throws {
        let epoch = Int64(1) << 32
        var (store, _, _) = try History.recover(SimulatedDisk())
        _ = try store.append(History.batch((2 * epoch + 1)...(2 * epoch + 3)))
        let disk = store.disk.afterCleanEnd()
        (store, _, _) = try History.recover(disk)
        #expect(try store.loadEpochs() == StoredEpochs(accepted: 2, current: 2))

        let (current, accepted) = (History.versionFolder + "/currentEpoch", History.versionFolder + "/acceptedEpoch")
        var other = disk
        other.put(text("1"), at: current)
        other.put(text("1"), at: accepted)
        (store, _, _) = try History.recover(other)
        #expect(storageError { _ = try store.loadEpochs() }?.code == .epochs)
        // It had promised the epoch and had synced its first transactions: what is missing is that it adopted them.
        other.put(text("2\n"), at: accepted)
        (store, _, _) = try History.recover(other)
        #expect(try store.loadEpochs() == StoredEpochs(accepted: 2, current: 1))
        // A write that failed may have left a file without a number.
        other.put(text(""), at: current + ".tmp")
        (store, _, _) = try History.recover(other)
        #expect(try store.loadEpochs() == StoredEpochs(accepted: 2, current: 1))
        other.put(text("2"), at: current + ".tmp")
        (store, _, _) = try History.recover(other)
        #expect(try store.loadEpochs() == StoredEpochs(accepted: 2, current: 2))
        #expect(store.disk.contents(of: current) == text("2"))
        other.put(text("3"), at: current)
        (store, _, _) = try History.recover(other)
        #expect(storageError { _ = try store.loadEpochs() }?.message.contains("below the current one") == true)
        for damaged in ["", "x", "-1", "99999999999999999999"] {
            other.put(text(damaged), at: current)
            (store, _, _) = try History.recover(other)
            let error = try #require(storageError { _ = try store.loadEpochs() })
            #expect(error.code == .epochs && error.file == current)
        }
    }

    @Test("The server's number is the first line of its file")
    func serverID() throws {
        var disk = SimulatedDisk()
        var (store, _, _) = try History.recover(disk)
        #expect(try store.serverID() == nil)
        disk.put(text("  17 \nmore"), at: "/data/myid")
        store = History.store(disk)
        #expect(try store.serverID() == 17)
        disk.put(text("seventeen"), at: "/data/myid")
        store = History.store(disk)
        #expect(storageError { _ = try store.serverID() }?.code == .layout)
    }

    @Test("Names of files mean what the reference means by them")
    func names() {
        #expect(FileName.logZxid("log.1") == Zxid(rawValue: 1))
        #expect(FileName.logZxid("log.10000002a") == Zxid(epoch: 1, counter: 42))
        #expect(FileName.logZxid("log.ffffffffffffffff") == Zxid(rawValue: -1))
        for other in ["log", "log.", "log.g", "log.1.2", "log.+1", "log.-1", "xlog.1", "log.11111111111111111"] {
            #expect(FileName.logZxid(other) == nil, "\(other)")
        }
        #expect(FileName.snapshot("snapshot.15.gz")?.compression == .gzip)
        #expect(FileName.snapshot("snapshot.15.snappy")?.compression == .snappy)
        #expect(FileName.snapshot("snapshot.15")?.zxid == Zxid(rawValue: 21))
        for other in ["snapshot.15.tmp", "snapshot", "snapshot.x", "snapshot.15.gz.tmp"] {
            #expect(FileName.snapshot(other) == nil, "\(other)")
        }
        #expect(FileName.log(Zxid(epoch: 1, counter: 42)) == "log.10000002a")
    }
}
