import ConclaveCore
import ConclaveWire

/// Reading back what was logged, for servers that were away for longer than memory goes back.
extension Store {
    /// How large the logs are that hold what is behind a transaction, and the newest snapshot beside them.
    ///
    /// - Returns: `nil` if no log can hold the transaction.
    package mutating func historySizes(
        behind zxid: Zxid
    ) throws(StorageError) -> (logBytes: Int64, snapshotBytes: Int64)? {
        try begin(in: .open)
        do throws(StorageError) {
            let files = try directory.logFiles(&volume)
            guard let first = files.lastIndex(where: { $0 <= zxid }) else { return nil }
            var bytes: Int64 = 0
            for file in files[first...] { bytes += try size(of: directory.logPath(file)) }
            guard let snapshot = try directory.snapshotFiles(&volume).first else { return (bytes, 0) }
            return (bytes, try size(of: directory.snapshotPath(snapshot.name)))
        } catch { throw fail(error) }
    }

    /// Whether the logs tell everything that has followed a transaction.
    ///
    /// A snapshot that a leader sent stands for transactions that no log here has, and older logs may end with some
    /// that were never committed. Numbers do not show that gap when an epoch ends in it, but the snapshot does: its own
    /// transaction is in no log. Nor is the begin of an epoch, at which a leader may write one as well: that counts as a
    /// gap too. What lies in front of all snapshots is left over from a purge, with gaps that nothing shows any more.
    ///
    /// To be asked before the first part of a history is read; costs reading the logs without examining them.
    package mutating func isHistoryWhole(behind zxid: Zxid) throws(StorageError) -> Bool {
        try begin(in: .open)
        do throws(StorageError) {
            let files = try directory.logFiles(&volume)
            let snapshots = try directory.snapshotFiles(&volume)
            guard let begin = try newest(through: zxid, in: files) else { return false }
            if let oldest = snapshots.last?.zxid, let first = files.last(where: { $0 <= oldest }) {
                guard begin.file >= first else { return false }
            }
            for snapshot in snapshots where snapshot.zxid > begin.zxid {
                guard try newest(through: snapshot.zxid, in: files)?.zxid == snapshot.zxid else { return false }
            }
            return true
        } catch { throw fail(error) }
    }

    /// The newest transaction in the file that can hold one.
    private mutating func newest(
        through zxid: Zxid, in files: [Zxid]
    ) throws(StorageError) -> (file: Zxid, zxid: Zxid)? {
        guard let name = files.last(where: { $0 <= zxid }) else { return nil }
        let path = directory.logPath(name)
        let file = try volume.open(path)
        defer { volume.close(file) }
        var reader = try LogFileReader(file, path: path, limit: options.maximumEntryBytes, &volume)
        return try reader.newest(through: zxid, &volume).map { (name, $0.header.zxid) }
    }

    /// Transactions from the logs: the newest one at or before `after`, and what follows it.
    ///
    /// - Parameters:
    ///   - through: the last one wanted.
    ///   - limitBytes: after so many bytes no more are read; the rest is to be asked for again.
    /// - Returns: `nil` if there is no transaction at or before `after`, or the logs are not whole from there on.
    package mutating func history(
        after: Zxid, through: Zxid, limitBytes: Int
    ) throws(StorageError) -> [Proposal]? {
        try begin(in: .open)
        do throws(StorageError) {
            let files = try directory.logFiles(&volume)
            guard let first = files.lastIndex(where: { $0 <= after }) else { return nil }
            var found: [Proposal] = []
            var bytes = 0
            for file in files[first...] where file <= through && bytes < limitBytes {
                let isWhole = try read(file, after: after, through: through, limitBytes, &found, &bytes)
                guard isWhole, let start = found.first?.zxid, start <= after else { return nil }
            }
            return found
        } catch { throw fail(error) }
    }

    /// - Returns: whether the file was read to its end, or as far as was wanted.
    private mutating func read(
        _ name: Zxid, after: Zxid, through: Zxid, _ limitBytes: Int, _ found: inout [Proposal], _ bytes: inout Int
    ) throws(StorageError) -> Bool {
        let path = directory.logPath(name)
        let file = try volume.open(path)
        defer { volume.close(file) }
        var reader = try LogFileReader(file, path: path, limit: options.maximumEntryBytes, &volume)
        // Only the newest of those is told, and it does not count: one more is wanted at the least.
        if let newest = try reader.newest(through: after, &volume) { found = [Proposal(newest)] }
        while bytes < limitBytes {
            switch try reader.next(&volume) {
            case .cleanEnd: return true
            // The log that is being written ends in room that was reserved, or the file was cut short under our hands.
            case .damage: return false
            case .transaction(let transaction):
                let proposal = Proposal(transaction)
                guard proposal.zxid <= through else { return true }
                guard found.last?.zxid.isFollowed(by: proposal.zxid) ?? true else { return false }
                found.append(proposal)
                bytes += proposal.body.count
            }
        }
        return true
    }

    private mutating func size(of path: String) throws(StorageError) -> Int64 {
        let file = try volume.open(path)
        defer { volume.close(file) }
        return try volume.size(of: file)
    }
}
