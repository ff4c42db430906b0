import ConclaveConsensus
import ConclaveCore
import ConclaveNode
import ConclaveSystem
import ConclaveTransport
import ConclaveTree

/// Snapshots, slice by slice: to the disk, and at the same time to learners that need the whole tree.
extension ServerShell {
    /// How much of a snapshot is made per turn.
    static let snapshotSliceBytes = 256 << 10
    /// Above this many unsent bytes to a learner the snapshot waits for it.
    static let learnerHighWaterBytes = 4 << 20

    func beginSnapshot() {
        let plan = machine.beginSnapshot()
        snapshot = plan
        snapshotSerial += 1
        isSnapshotReportDue = true
        transactionsToReplay = 0
        isLastSliceSent = false
        let tables = SnapshotEncoder.tables(plan)
        if isReplacingHistory {
            worker?.send(.beginReceivedSnapshot(zxid: plan.zxid, tables: tables))
        } else {
            worker?.send(.beginSnapshot(zxid: plan.zxid, tables: tables))
        }
        // The stream is exact at this moment: what comes later waits behind it.
        snapshotReaders = snapshotWaiters
        snapshotWaiters = []
        let (now, wall) = (loop.now, SystemClock.wallTime())
        for link in snapshotReaders {
            node?.snapshotReady(link, zxid: plan.zxid, now: now, wall: wall)
        }
        if !snapshotReaders.isEmpty { turnNode() }
        for link in snapshotReaders { peers?.send(tables, on: link) }
    }

    /// The disk has taken what it was given; the next slice may come.
    func writeSnapshotSlice() {
        guard let plan = snapshot, worker != nil else { return }
        guard !isLastSliceSent else {
            isSnapshotReportDue = true
            let digest = plan.digest.map { (zxid: plan.digestZxid, digest: $0) }
            worker?.send(isReplacingHistory ? .installSnapshot(digest: digest) : .sealSnapshot(digest: digest))
            return
        }
        let isBehind = snapshotReaders.contains { (peers?.pendingBytes(on: $0) ?? 0) > Self.learnerHighWaterBytes }
        guard !isBehind else {
            // Another look when some of it has left.
            let (later, serial) = (loop.now.advanced(byMilliseconds: 5), snapshotSerial)
            loop.schedule(at: later) { [weak self] in
                if self?.snapshotSerial == serial { self?.writeSnapshotSlice() }
            }
            return
        }
        let (bytes, hasMore) = machine.nextSnapshotSlice(limitBytes: Self.snapshotSliceBytes)
        isLastSliceSent = !hasMore
        for link in snapshotReaders {
            peers?.send(bytes, on: link)
            // Whoever takes its bytes is alive, however long the whole takes.
            noticeWhenSent(link)
        }
        if !hasMore { endSnapshotStreams() }
        isSnapshotReportDue = true
        worker?.send(.writeSnapshot(bytes))
    }

    private func endSnapshotStreams() {
        let readers = snapshotReaders
        snapshotReaders = []
        for link in readers {
            peers?.send(SnapshotEncoder.streamEnd, on: link)
            node?.snapshotSent(link, now: loop.now, wall: SystemClock.wallTime())
        }
    }

    /// A snapshot has ended; if learners came while it was written, another begins for them.
    func serveSnapshotWaiters() {
        if !snapshotWaiters.isEmpty, snapshot == nil, !isStopping { beginSnapshot() }
    }

    /// Whether a report is about the snapshot being written, and not about one that was given up meanwhile.
    func isOwnSnapshotReport() -> Bool {
        guard ignoredSnapshotReports == 0 else {
            ignoredSnapshotReports -= 1
            return false
        }
        isSnapshotReportDue = false
        return true
    }

    /// The tree that is being written has been given up.
    func abandonSnapshot() {
        guard snapshot != nil else { return }
        snapshot = nil
        snapshotReaders = []
        snapshotSerial += 1
        if isSnapshotReportDue { ignoredSnapshotReports += 1 }
        isSnapshotReportDue = false
        worker?.send(.abandonSnapshot)
    }
}
