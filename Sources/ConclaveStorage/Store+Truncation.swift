import ConclaveCore
import ConclaveWire

/// Dropping the end of the history, because the leader never had it.
extension Store {
    /// Removes everything behind a transaction: log entries, later logs, and snapshots that contain, or may contain, something
    /// later. Recover again afterwards: memory is ahead of the disk.
    ///
    /// - Returns: `false` if the transaction is not in the history, or no whole snapshot at or before it is left: the newest
    ///   ones may hold an end that was never committed. Nothing was removed then, and the store goes on as it was.
    package mutating func truncate(to zxid: Zxid) throws(StorageError) -> Bool {
        try begin(in: .open)
        do throws(StorageError) {
            try dropUnfinished()
            try log.roll(&volume)
            guard try dropHistory(behind: zxid, mustExist: true) else { return false }
            lastZxid = zxid
            if let mark { mark.close(&volume) }
            mark = nil
            state = .truncated
            return true
        } catch { throw fail(error) }
    }

    /// Lets go of everything, so that it is read again: memory has gone another way than the disk.
    package mutating func rewind() throws(StorageError) {
        try begin(in: .open)
        do throws(StorageError) {
            try dropUnfinished()
            try log.roll(&volume)
            if let mark { mark.close(&volume) }
            mark = nil
            state = .truncated
        } catch { throw fail(error) }
    }

    /// Drops what is later than a transaction, in an order that leaves a whole history after a crash at any point: the mark is
    /// lowered first, then logs go from the newest to the oldest, each for certain before the next, then snapshots.
    ///
    /// - Parameter mustExist: whether the transaction must be in the logs, unless a snapshot ends with it.
    /// - Returns: whether there is a history that ends there; if not, nothing was dropped.
    mutating func dropHistory(behind zxid: Zxid, mustExist: Bool) throws(StorageError) -> Bool {
        guard let base = try snapshotToKeep(zxid) else { return false }
        let files = try directory.logFiles(&volume)
        let boundary = try boundary(behind: zxid, in: files)
        // The begin of an epoch is no transaction. Whoever has the epoch's first one has what its leader had at the begin.
        let next = boundary?.next ?? files.first { $0 > zxid }
        let isBeginOfEpoch = zxid.counter == 0 && next?.epoch == zxid.epoch
        guard !mustExist || base.zxid == zxid || boundary?.last == zxid || isBeginOfEpoch else { return false }
        if let mark, mark.zxid > zxid { try self.mark?.set(zxid, &volume) }
        for name in files.reversed() where name > zxid {
            try volume.remove(directory.logPath(name))
            try volume.synchronizeDirectory(directory.logs)
        }
        if let boundary, let offset = boundary.cut { try cut(boundary.file, at: offset) }
        for name in try directory.snapshotFiles(&volume) {
            var isDropped = name.zxid > zxid
            if !isDropped { isDropped = try isAhead(name, of: zxid) }
            guard isDropped else { continue }
            try volume.remove(directory.snapshotPath(name.name))
            try volume.synchronizeDirectory(directory.snapshots)
            verified.remove(name.name)
        }
        newestSnapshot = base.zxid
        return true
    }

    /// Where the log that holds a transaction would be cut to end with it.
    struct Boundary {
        let file: Zxid
        /// The last transaction that stays.
        var last: Zxid?
        /// `nil` if nothing later is in the file.
        var cut: Int64?
        /// The transaction that stands there.
        var next: Zxid?
    }

    mutating func boundary(behind zxid: Zxid, in files: [Zxid]) throws(StorageError) -> Boundary? {
        guard let name = files.last(where: { $0 <= zxid }) else { return nil }
        var boundary = Boundary(file: name)
        let path = directory.logPath(name)
        let file = try volume.open(path)
        defer { volume.close(file) }
        var reader = try LogFileReader(file, path: path, limit: options.maximumEntryBytes, &volume)
        while let passed = try reader.skip(through: zxid, &volume) { boundary.last = passed }
        let offset = reader.offset
        if case .transaction(let transaction) = try reader.next(&volume) {
            boundary.cut = offset
            boundary.next = transaction.header.zxid
        }
        return boundary
    }

    private mutating func cut(_ name: Zxid, at offset: Int64) throws(StorageError) {
        let file = try volume.openForWriting(directory.logPath(name))
        defer { volume.close(file) }
        try volume.truncate(file, to: offset)
        try volume.synchronize(file)
    }

    /// The newest whole snapshot that contains nothing later than a transaction.
    private mutating func snapshotToKeep(_ zxid: Zxid) throws(StorageError) -> SnapshotName? {
        for name in try directory.snapshotFiles(&volume) where name.zxid <= zxid {
            do throws(StorageError) {
                let summary = try SnapshotReader.verify(
                    name, path: directory.snapshotPath(name.name), limit: options.maximumEntryBytes, &volume)
                if summary.newest <= zxid { return name }
            } catch {
                guard error.code == .corrupt else { throw error }
            }
        }
        return nil
    }

    /// Whether a snapshot contains something later than its name says and than a transaction. Damaged ones are left alone: they
    /// are not loaded either.
    private mutating func isAhead(_ name: SnapshotName, of zxid: Zxid) throws(StorageError) -> Bool {
        do throws(StorageError) {
            let summary = try SnapshotReader.verify(
                name, path: directory.snapshotPath(name.name), limit: options.maximumEntryBytes, &volume)
            return summary.newest > zxid
        } catch {
            guard error.code == .corrupt else { throw error }
            return false
        }
    }
}
