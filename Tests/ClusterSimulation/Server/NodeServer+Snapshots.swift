import ConclaveConsensus
import ConclaveCore
import ConclaveNode
import ConclaveSimulator
import ConclaveStorage
import ConclaveTree

/// Snapshots, slice by slice: to the disk, and at the same time to learners that need the whole tree.
extension NodeServer {
    mutating func beginSnapshot(_ world: inout World) {
        guard let plan = node?.server.beginSnapshot() else { return }
        snapshot = plan
        snapshotSerial += 1
        isLastSliceSent = false
        isSnapshotStalled = false
        let tables = SnapshotEncoder.tables(plan)
        storage(
            .beginSnapshot(zxid: plan.zxid, tables: tables, isReceived: isReplacingHistory, serial: snapshotSerial),
            bytes: tables.count, &world)
        // The stream is exact at this moment: what comes later waits behind it.
        snapshotReaders = snapshotWaiters
        snapshotWaiters = []
        for link in snapshotReaders {
            node?.snapshotReady(link, zxid: plan.zxid, now: Self.now(world, planted), wall: world.wall)
        }
        if !snapshotReaders.isEmpty { work(&world) }
        for link in snapshotReaders { stream(tampered(tables: tables), to: link, &world) }
    }

    mutating func writeSnapshotSlice(_ world: inout World) {
        guard let plan = snapshot else { return }
        guard !isLastSliceSent else {
            let digest = plan.digest.map { (zxid: plan.digestZxid, digest: $0) }
            if isReplacingHistory {
                return storage(.installSnapshot(digest: digest, serial: snapshotSerial), bytes: 512, &world)
            }
            return storage(.sealSnapshot(digest: digest, serial: snapshotSerial), bytes: 512, &world)
        }
        for link in snapshotReaders {
            guard let peer = peers[link], !world.hasRoom(peer.link) else { continue }
            // Another look when there is room.
            isSnapshotStalled = true
            return
        }
        guard let (bytes, hasMore) = node?.server.nextSnapshotSlice(limitBytes: cluster.sliceBytes) else { return }
        isLastSliceSent = !hasMore
        let isLost = planted == .losesSnapshotSlice && mischief.onceIn(3)
        if !isLost {
            for link in snapshotReaders {
                stream(bytes, to: link, &world)
                // Whoever takes its bytes is alive, however long the whole takes.
                node?.quorumDrained(link, now: Self.now(world, planted), wall: world.wall)
            }
        }
        if !hasMore { endStreams(&world) }
        storage(.writeSnapshot(bytes, serial: snapshotSerial), bytes: bytes.count, syncs: false, &world)
    }

    private mutating func endStreams(_ world: inout World) {
        let readers = snapshotReaders
        snapshotReaders = []
        for link in readers {
            stream(SnapshotEncoder.streamEnd, to: link, &world)
            node?.snapshotSent(link, now: Self.now(world, planted), wall: world.wall)
        }
    }

    private func stream(_ bytes: [UInt8], to link: LinkID, _ world: inout World) {
        if let peer = peers[link] { world.send(bytes, on: peer.link) }
    }

    mutating func serveSnapshotWaiters(_ world: inout World) {
        if !snapshotWaiters.isEmpty, snapshot == nil { beginSnapshot(&world) }
    }

    /// The tree that is being written has been given up.
    mutating func abandonSnapshot(_ world: inout World) {
        guard snapshot != nil else { return }
        snapshot = nil
        snapshotReaders = []
        snapshotSerial += 1
        isSnapshotStalled = false
        storage(.abandonSnapshot, bytes: 0, &world)
    }

    private mutating func checkSnapshot(_ serial: Int, _ world: inout World) {
        storage(.checkSnapshot(serial: serial), bytes: cluster.sliceBytes * 4, syncs: false, &world)
    }

    // MARK: On the storage thread

    mutating func performSnapshot(_ job: StorageJob, _ world: inout World) throws(StorageError) {
        switch job {
        case .beginSnapshot(let zxid, let tables, let isReceived, let serial):
            if isReceived { try store.beginReceivedSnapshot(zxid: zxid) } else { try store.beginSnapshot(zxid: zxid) }
            try store.writeSnapshot(tables)
            if serial == snapshotSerial { writeSnapshotSlice(&world) }
        case .writeSnapshot(let bytes, let serial):
            try store.writeSnapshot(bytes)
            if serial == snapshotSerial { writeSnapshotSlice(&world) }
        case .sealSnapshot(let digest, let serial):
            try store.sealSnapshot(digest: digest)
            if serial == snapshotSerial { checkSnapshot(serial, &world) }
        case .checkSnapshot(let serial):
            let isDone = try store.checkSnapshot(limitBytes: cluster.sliceBytes * 4)
            guard serial == snapshotSerial else { return }
            guard isDone else { return checkSnapshot(serial, &world) }
            snapshot = nil
            storage(.purge, bytes: 0, &world)
            serveSnapshotWaiters(&world)
        case .installSnapshot(let digest, let serial):
            if planted == .skipsInstallation {
                try store.abandonSnapshot()
            } else {
                try store.installSnapshot(digest: digest)
            }
            guard serial == snapshotSerial else { return }
            world.observe(.durable(through: lastLogged))
            isReplacingHistory = false
            snapshot = nil
            isStoring = false
            node?.historyReplaced(now: Self.now(world, planted), wall: world.wall)
            serveSnapshotWaiters(&world)
        default: break
        }
    }
}
