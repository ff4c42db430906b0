import ConclaveConsensus
import ConclaveCore
import ConclaveNode
import ConclaveSimulator
import ConclaveStorage
import ConclaveTree
import ConclaveWire

/// What the storage thread is asked to do.
enum StorageJob: Sendable {
    case append(LogBatch)
    case saveAcceptedEpoch(Int64)
    case saveCurrentEpoch(Int64)
    case reload(cuttingTo: Zxid?)
    case readHistory(LinkID, after: Zxid, through: Zxid, isFirst: Bool)
    case beginSnapshot(zxid: Zxid, tables: [UInt8], isReceived: Bool, serial: Int)
    case writeSnapshot([UInt8], serial: Int)
    case sealSnapshot(digest: (zxid: Zxid, digest: TreeDigest)?, serial: Int)
    case checkSnapshot(serial: Int)
    case installSnapshot(digest: (zxid: Zxid, digest: TreeDigest)?, serial: Int)
    case abandonSnapshot
    case purge
}

/// Orders to storage, one of the node's at a time, consecutive appends as one; slices of snapshots in between.
extension NodeServer {
    mutating func storage(_ job: StorageJob, bytes: Int, syncs: Bool = true, _ world: inout World) {
        jobs.append(job)
        world.orderStorage(bytes: bytes, syncs: syncs)
    }

    /// Notes an order of the node, and tells the judge what it means.
    mutating func take(_ order: StorageOrder, _ world: inout World) {
        switch order {
        case .append(let proposal):
            world.note(
                "\(proposal.transaction.change) \(proposal.transaction.header.timeMilliseconds) \(proposal.transaction.digest.map { "\($0.value)" } ?? "-")"
            )
            world.observe(.logged(LogEntry(proposal.transaction)))
            unapplied.append(proposal.zxid)
            lastLogged = proposal.zxid
            if planted == .acknowledgesBeforeSync {
                node?.synced(
                    DurableReceipt(syncedThrough: proposal.zxid), count: 0, now: Self.now(world, planted),
                    wall: world.wall)
            }
        case .truncate(let zxid):
            world.observe(.truncated(to: zxid))
            unapplied = RingBuffer()
            lastLogged = zxid
        case .replaceHistory:
            let zxid = node?.server.tree.lastProcessed ?? .zero
            world.observe(.installed(through: zxid))
            unapplied = RingBuffer()
            lastLogged = zxid
        case .saveCurrentEpoch: adopted = lastLogged
        case .saveAcceptedEpoch, .reload: break
        }
        orders.append(order)
    }

    mutating func sendOrders(_ world: inout World) {
        guard !isStoring, let first = orders.first else { return }
        isStoring = true
        guard case .append = first else {
            _ = orders.popFirst()
            return send(first, &world)
        }
        var batch = LogBatch()
        // The more has piled up the more goes with one sync, as in the product: else a slow disk might never catch up.
        let limit = max(cluster.batchLimit, orders.count / 8)
        while batch.count < limit, case .append(let proposal)? = orders.first {
            batch.append(encoded: proposal.body[...], zxid: proposal.zxid)
            _ = orders.popFirst()
        }
        storage(.append(batch), bytes: batch.byteCount, &world)
    }

    private mutating func send(_ order: StorageOrder, _ world: inout World) {
        switch order {
        case .append: break
        case .saveAcceptedEpoch(let epoch): storage(.saveAcceptedEpoch(epoch), bytes: 16, &world)
        case .saveCurrentEpoch(let epoch): storage(.saveCurrentEpoch(epoch), bytes: 16, &world)
        case .truncate(let zxid):
            abandonSnapshot(&world)
            storage(.reload(cuttingTo: planted == .skipsTruncation ? nil : zxid), bytes: 256, &world)
        case .reload:
            abandonSnapshot(&world)
            storage(.reload(cuttingTo: nil), bytes: 256, &world)
        case .replaceHistory:
            abandonSnapshot(&world)
            isReplacingHistory = true
            beginSnapshot(&world)
        }
    }

    // MARK: On the storage thread

    package mutating func performStorage(world: inout World) {
        guard let job = jobs.popFirst() else { return }
        do throws(StorageError) {
            try perform(job, &world)
        } catch {
            if planted == .goesOnAfterDiskError, case .append(let batch) = job {
                isStoring = false
                node?.synced(
                    DurableReceipt(syncedThrough: batch.lastZxid), count: batch.count, now: Self.now(world, planted),
                    wall: world.wall)
            } else {
                return stop(error, &world)
            }
        }
        work(&world)
    }

    private mutating func perform(_ job: StorageJob, _ world: inout World) throws(StorageError) {
        let wall = world.wall
        switch job {
        case .append(let batch):
            let receipt = try store.append(batch)
            world.observe(.durable(through: receipt.through))
            isStoring = false
            node?.synced(receipt, count: batch.count, now: Self.now(world, planted), wall: wall)
            if store.isSnapshotDue, snapshot == nil { beginSnapshot(&world) }
        case .saveAcceptedEpoch(let epoch):
            if planted != .forgetsAcceptedEpoch { try store.setAcceptedEpoch(epoch) }
            world.observe(.acceptedEpoch(epoch))
            isStoring = false
            node?.acceptedEpochSaved(epoch, now: Self.now(world, planted), wall: wall)
        case .saveCurrentEpoch(let epoch):
            if planted != .forgetsCurrentEpoch { try store.setCurrentEpoch(epoch) }
            world.observe(.currentEpoch(epoch))
            isStoring = false
            node?.currentEpochSaved(epoch, now: Self.now(world, planted), wall: wall)
        case .reload(let zxid): try reload(cuttingTo: zxid, &world)
        case .readHistory(let link, let after, let through, let isFirst):
            let proposals = try history(after: after, through: through, isFirst: isFirst)
            node?.historyRead(link, proposals: proposals, now: Self.now(world, planted), wall: wall)
        case .purge: _ = try store.purge()
        case .abandonSnapshot: try store.abandonSnapshot()
        case .beginSnapshot, .writeSnapshot, .sealSnapshot, .checkSnapshot, .installSnapshot:
            try performSnapshot(job, &world)
        }
    }

    private mutating func reload(cuttingTo zxid: Zxid?, _ world: inout World) throws(StorageError) {
        guard let options = node?.server.tree.options else { return }
        if let zxid {
            guard try store.truncate(to: zxid) else {
                lastLogged = store.lastZxid
                isStoring = false
                world.observe(.recovered(through: lastLogged))
                node?.truncationFailed(now: Self.now(world, planted), wall: world.wall)
                return
            }
        } else {
            try store.rewind()
        }
        var loader = TreeLoader(options: options)
        let recovered = try store.recover(into: &loader)
        lastLogged = recovered.lastZxid
        unapplied = RingBuffer()
        world.observe(.recovered(through: recovered.lastZxid))
        isStoring = false
        node?.reloaded(loader.tree, now: Self.now(world, planted), wall: world.wall)
    }

    private mutating func history(
        after: Zxid, through: Zxid, isFirst: Bool
    ) throws(StorageError) -> [Proposal]? {
        if isFirst {
            guard let sizes = try store.historySizes(behind: after),
                cluster.ensemble(id).allowsHistorySync(logBytes: sizes.logBytes, snapshotBytes: sizes.snapshotBytes)
            else { return nil }
            if planted != .handsOnGaps, try !store.isHistoryWhole(behind: after) { return nil }
        }
        return try store.history(after: after, through: through, limitBytes: cluster.historyBytes)
    }
}
