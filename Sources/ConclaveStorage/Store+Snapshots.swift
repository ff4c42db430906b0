import ConclaveCore
import ConclaveWire

/// Writing snapshots, piece by piece between appends.
///
/// ```
/// beginSnapshot(zxid)      a temporary file with the header; the log rolls
/// writeSnapshot(bytes) …   sessions, access control lists, nodes, as ``SnapshotCodec`` encodes them
/// sealSnapshot(digest)     terminator, seals, sync
/// checkSnapshot(bytes) …   reads back; at the end rename and sync of the folder
/// ```
extension Store {
    /// Begins the snapshot of the state directly behind a transaction.
    ///
    /// - Throws: `.misuse` if another one is being written, or the state is ahead of the history.
    package mutating func beginSnapshot(zxid: Zxid) throws(StorageError) {
        try begin(in: .open)
        do throws(StorageError) {
            // The begin of an epoch is no transaction: the history in front of it is whole without it.
            let isBeginOfEpoch = zxid.counter == 0 && zxid.epoch > max(lastZxid, .zero).epoch
            guard zxid <= lastZxid || isBeginOfEpoch else {
                throw StorageError(.misuse, "a snapshot at \(zxid) of a history that ends with \(lastZxid)")
            }
            try startSnapshot(zxid)
            try log.roll(&volume)
        } catch { throw fail(error) }
    }

    /// Begins writing a snapshot that a leader sent, at whatever zxid; ``installSnapshot(digest:)`` ends it.
    package mutating func beginReceivedSnapshot(zxid: Zxid) throws(StorageError) {
        try begin(in: .open)
        do throws(StorageError) { try startSnapshot(zxid) } catch { throw fail(error) }
    }

    private mutating func startSnapshot(_ zxid: Zxid) throws(StorageError) {
        guard snapshot == nil, check == nil else {
            throw StorageError(.misuse, "a snapshot is already being written")
        }
        snapshot = try SnapshotWriter(zxid, in: directory, &volume)
        schedule.reset()
    }

    /// Appends encoded parts.
    package mutating func writeSnapshot(_ bytes: [UInt8]) throws(StorageError) {
        try begin(in: .open)
        do throws(StorageError) {
            guard snapshot != nil else { throw StorageError(.misuse, "no snapshot was begun") }
            try snapshot?.write(bytes.span, &volume)
        } catch { throw fail(error) }
    }

    /// Ends the writing; ``checkSnapshot(limitBytes:)`` follows. Blocks for one short sync.
    ///
    /// - Parameter digest: the digest of the tree and the transaction after which it held; left out if the options say so.
    package mutating func sealSnapshot(digest: (zxid: Zxid, digest: TreeDigest)?) throws(StorageError) {
        try begin(in: .open)
        do throws(StorageError) { check = try sealed(digest) } catch { throw fail(error) }
    }

    /// Reads back about so many bytes of the sealed snapshot, and publishes it when all have been read.
    /// - Returns: whether it has been published.
    package mutating func checkSnapshot(limitBytes: Int) throws(StorageError) -> Bool {
        try begin(in: .open)
        do throws(StorageError) {
            guard check != nil else { throw StorageError(.misuse, "no snapshot was sealed") }
            guard try check?.advance(limitBytes: limitBytes, &volume) == true, let writer = check?.writer else {
                return false
            }
            check = nil
            try writer.publish(&volume)
            published(writer.zxid)
            return true
        } catch { throw fail(error) }
    }

    /// Seals, checks and publishes the snapshot in one call, which blocks for as long as reading it back takes.
    package mutating func finishSnapshot(digest: (zxid: Zxid, digest: TreeDigest)?) throws(StorageError) {
        try sealSnapshot(digest: digest)
        while try !checkSnapshot(limitBytes: .max) {}
    }

    /// Publishes a snapshot received from a leader, in place of the history: what the logs hold beyond it is dropped, so that
    /// a later start does not replay what the leader never had.
    ///
    /// A crash in between leaves the old history, or a beginning of it.
    package mutating func installSnapshot(
        digest: (zxid: Zxid, digest: TreeDigest)?
    ) throws(StorageError) {
        try begin(in: .open)
        do throws(StorageError) {
            var check = try sealed(digest)
            while try !check.advance(limitBytes: .max, &volume) {}
            let writer = check.writer
            try log.roll(&volume)
            try writer.publish(&volume)
            published(writer.zxid)
            if lastZxid > writer.zxid {
                let isDropped = try dropHistory(behind: writer.zxid, mustExist: false)
                // It has just been read back and published.
                guard isDropped else {
                    throw StorageError(
                        .corrupt, file: directory.snapshotPath(FileName.snapshot(writer.zxid)),
                        "this snapshot was whole a moment ago and is not any more")
                }
            }
            lastZxid = writer.zxid
            try mark?.set(lastZxid, &volume)
        } catch { throw fail(error) }
    }

    /// Gives up the snapshot that is being written.
    package mutating func abandonSnapshot() throws(StorageError) {
        try begin(in: .open)
        do throws(StorageError) { try dropUnfinished() } catch { throw fail(error) }
    }

    mutating func dropUnfinished() throws(StorageError) {
        let (writer, check) = (snapshot, check)
        (snapshot, self.check) = (nil, nil)
        try writer?.abandon(&volume)
        try check?.abandon(&volume)
    }

    private mutating func sealed(
        _ digest: (zxid: Zxid, digest: TreeDigest)?
    ) throws(StorageError) -> SnapshotCheck<D> {
        guard var writer = snapshot else { throw StorageError(.misuse, "no snapshot was begun") }
        snapshot = nil
        let recorded = options.writesDigest ? digest.map { SnapshotDigest(zxid: $0.zxid, digest: $0.digest) } : nil
        try writer.seal(digest: recorded, &volume)
        return try SnapshotCheck(writer, limit: options.maximumEntryBytes, &volume)
    }

    private mutating func published(_ zxid: Zxid) {
        newestSnapshot = max(zxid, newestSnapshot ?? zxid)
        verified.insert(FileName.snapshot(zxid))
    }
}
