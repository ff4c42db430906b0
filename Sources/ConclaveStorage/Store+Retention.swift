import ConclaveCore
import ConclaveWire

/// Removing what is no longer needed.
extension Store {
    /// Keeps the newest snapshots that are whole, and all logs that are needed to go on from the oldest of them.
    ///
    /// Snapshots that were not read since the start are read now, which blocks for as long as that takes; damaged ones do not
    /// count. If fewer are whole than should stay, nothing is removed. Snapshots go before logs and old logs before newer ones:
    /// at every moment each snapshot that is there has all logs behind it.
    ///
    /// - Returns: the paths removed.
    package mutating func purge() throws(StorageError) -> [String] {
        try begin(in: .open)
        do throws(StorageError) {
            guard let oldest = try oldestToKeep() else { return [] }
            var removed: [String] = []
            for name in try directory.snapshotFiles(&volume).reversed() where name.zxid < oldest {
                removed.append(directory.snapshotPath(name.name))
                try volume.remove(directory.snapshotPath(name.name))
                verified.remove(name.name)
            }
            if !removed.isEmpty { try volume.synchronizeDirectory(directory.snapshots) }
            let snapshotCount = removed.count
            let logs = try directory.logFiles(&volume)
            let first = logs.last { $0 <= oldest } ?? oldest
            for name in logs where name < first {
                removed.append(directory.logPath(name))
                try volume.remove(directory.logPath(name))
            }
            if removed.count > snapshotCount { try volume.synchronizeDirectory(directory.logs) }
            return removed
        } catch { throw fail(error) }
    }

    private mutating func oldestToKeep() throws(StorageError) -> Zxid? {
        var kept: [Zxid] = []
        for name in try directory.snapshotFiles(&volume) where !kept.contains(name.zxid) {
            guard try isWhole(name) else { continue }
            kept.append(name.zxid)
            if kept.count == max(1, options.retainSnapshots) { return name.zxid }
        }
        return nil
    }

    /// Whether a snapshot can be loaded and will be there after a crash.
    private mutating func isWhole(_ name: SnapshotName) throws(StorageError) -> Bool {
        if verified.contains(name.name) { return true }
        let path = directory.snapshotPath(name.name)
        do throws(StorageError) {
            _ = try SnapshotReader.verify(name, path: path, limit: options.maximumEntryBytes, &volume)
        } catch {
            guard error.code == .corrupt else { throw error }
            return false
        }
        try volume.synchronize(path: path)
        verified.insert(name.name)
        return true
    }
}
