import ConclaveCore
import ConclaveWire

/// Recovery: the newest snapshot that is whole, then every transaction behind it.
///
/// ```
/// snapshots   none, but transactions exist      refuse (or begin from the empty tree, if told to trust)
///             none, but there was something     refuse
///             none at all                       write snapshot.0 and begin
///             newest damaged                    the next older one, if the logs reach from it past the damaged one
/// logs        clean end, torn tail of the last  the end of the history; the tail is cut
///             damage, gap, missing end          refuse
/// ```
///
/// What was found is synced before anything is answered: a process may have been killed between write and sync, and what
/// only the page cache holds must not be shown to anybody.
extension Store {
    /// Loads everything into the target.
    ///
    /// - Throws: see the table above; the message names file, offset, expected and found. Nothing was changed then, except
    ///   that missing folders were made and left-over temporary files were removed.
    package mutating func recover(into target: inout some RecoveryTarget) throws(StorageError) -> Recovered {
        try begin(in: state == .truncated ? .truncated : .closed)
        do throws(StorageError) { return try load(into: &target) } catch { throw fail(error) }
    }

    private mutating func load(into target: inout some RecoveryTarget) throws(StorageError) -> Recovered {
        var recovered = Recovered()
        try directory.prepare(&volume)
        let confirmed = try readMark(&recovered)
        let files = try directory.logFiles(&volume)
        var candidates = try directory.snapshotFiles(&volume)
        if candidates.isEmpty {
            guard try mayBeginAnew(files, confirmed) else {
                // Whatever logs are here have nothing in them, and would be in the way.
                try TornTailRepair.clean(nil, end: recovered.lastZxid, in: directory, &volume)
                try establish(&recovered, confirmed)
                return recovered
            }
            try publishEmptySnapshot()
            recovered.isNew = true
            candidates = try directory.snapshotFiles(&volume)
        }
        try forgetInitializeMark()
        try directory.removeTemporaries(&volume)

        let base = try loadSnapshot(candidates, into: &target, &recovered)
        recovered.snapshot = base.name
        recovered.snapshotZxid = base.zxid
        var replay = LogReplay<D>(directory, files: files, base: base.zxid, limit: options.maximumEntryBytes)
        // Snapshots that could not be used. A received one stands for transactions that no log here has.
        var skipped = candidates.prefix { $0.zxid != base.zxid }.map(\.zxid)
        try replay.run(confirmed: confirmed, &volume) { transaction in
            if !skipped.isEmpty { skipped.removeAll { $0 == transaction.header.zxid } }
            target.replay(transaction)
        }
        recovered.lastZxid = replay.end
        recovered.replayed = replay.replayed
        recovered.warnings += replay.warnings
        if replay.skipped > 0 {
            recovered.warnings.append(
                "the logs leave out \(replay.skipped) numbers between neighbouring transactions; nothing is missing")
        }
        try checkEnd(replay.end, newest: candidates[0], used: base, confirmed)
        if let lost = skipped.first {
            throw StorageError(
                .missing, file: directory.snapshotPath(FileName.snapshot(lost)),
                "this snapshot cannot be used, and the logs behind \(base.name) do not hold its last transaction, \(lost): what "
                    + "led there may be missing. Restore it from a copy")
        }
        try TornTailRepair.clean(replay.torn, end: replay.end, in: directory, &volume)
        recovered.torn = replay.torn
        try makeDurable(base, replay)
        newestSnapshot = base.zxid
        verified.insert(base.name)
        try establish(&recovered, confirmed)
        return recovered
    }

    private mutating func readMark(_ recovered: inout Recovered) throws(StorageError) -> Zxid? {
        switch try ConfirmedMark.read(directory, &volume) {
        case .absent: return nil
        case .confirmed(let zxid): return zxid
        case .damaged:
            recovered.warnings.append("\(directory.confirmedPath) is damaged and was not relied on; it is written anew")
            return nil
        }
    }

    /// Without any snapshot: whether this is a new database.
    private mutating func mayBeginAnew(_ files: [Zxid], _ confirmed: Zxid?) throws(StorageError) -> Bool {
        if let confirmed, confirmed > .zero {
            throw StorageError(
                .missing, file: directory.snapshots,
                "no snapshot is here, but transactions through \(confirmed) were confirmed (\(directory.confirmedPath)). "
                    + "Restore the folder; or, to begin empty, remove that file too")
        }
        if !options.trustEmptySnapshot {
            for file in files where try hasEntries(file) {
                throw StorageError(
                    .noSnapshot, file: directory.logPath(file),
                    "there are logs but no snapshot in \(directory.snapshots) to replay them on. Restore the snapshots; for "
                        + "logs that reach back to the first transaction, set snapshot.trust.empty=true once")
            }
            if let epoch = try readEpoch(FileName.currentEpoch), epoch > 0 {
                throw StorageError(
                    .missing, file: directory.snapshots,
                    "no snapshot is here, but this server has taken part in epoch \(epoch). Restore the folder; or, to "
                        + "begin empty, remove \(FileName.currentEpoch) and \(FileName.acceptedEpoch)")
            }
        }
        if options.autoCreate || (options.trustEmptySnapshot && !files.isEmpty) { return true }
        return try volume.exists(PathText.join(directory.logRoot, FileName.initialize))
    }

    /// Whether anything but an unfinished beginning is in a log.
    private mutating func hasEntries(_ name: Zxid) throws(StorageError) -> Bool {
        let path = directory.logPath(name)
        let file = try volume.open(path)
        defer { volume.close(file) }
        var reader = try LogFileReader(file, path: path, limit: options.maximumEntryBytes, &volume)
        switch try reader.next(&volume) {
        case .transaction: return true
        case .cleanEnd: return false
        case .damage:
            var window = reader.window
            return try window.firstNonZero(in: Int64(LogFormat.headerBytes)..<max(window.size, 16), &volume) != nil
        }
    }

    private mutating func publishEmptySnapshot() throws(StorageError) {
        var writer = try SnapshotWriter(.zero, in: directory, &volume)
        let body = EmptySnapshot.body
        try writer.write(body.span, &volume)
        try writer.seal(digest: options.writesDigest ? EmptySnapshot.digest : nil, &volume)
        try writer.publish(&volume)
    }

    /// The marker has done its work once there is a snapshot.
    private mutating func forgetInitializeMark() throws(StorageError) {
        let path = PathText.join(directory.logRoot, FileName.initialize)
        if try volume.exists(path) {
            try volume.remove(path)
            try volume.synchronizeDirectory(directory.logRoot)
        }
    }

    /// The reference's limit on how many snapshots are tried.
    private static var candidateLimit: Int { 100 }

    private mutating func loadSnapshot(
        _ candidates: [SnapshotName], into target: inout some RecoveryTarget, _ recovered: inout Recovered
    ) throws(StorageError) -> SnapshotName {
        var first: StorageError?
        for name in candidates.prefix(Self.candidateLimit) {
            do throws(StorageError) {
                _ = try SnapshotReader.load(
                    name, in: directory, into: &target, limit: options.maximumEntryBytes, &volume)
                return name
            } catch {
                first = first ?? error
                recovered.warnings.append("\(error); an older snapshot is tried")
            }
        }
        let newest = first ?? StorageError(.missing, file: directory.snapshots, "there is no snapshot")
        throw StorageError(
            newest.code, file: newest.file, offset: newest.offset,
            "\(newest.message). None of the \(candidates.count) snapshots is whole; restore one from a copy")
    }

    private func checkEnd(
        _ end: Zxid, newest: SnapshotName, used: SnapshotName, _ confirmed: Zxid?
    ) throws(StorageError) {
        if end < newest.zxid {
            throw StorageError(
                .missing, file: directory.snapshotPath(newest.name),
                "this snapshot is damaged, and the logs behind \(used.name) reach only \(end): transactions through "
                    + "\(newest.zxid) are missing. Restore it or the logs from a copy")
        }
        if let confirmed, end < confirmed {
            throw StorageError(
                .missing, file: directory.logs,
                "transactions through \(confirmed) were confirmed (\(directory.confirmedPath)), but the history ends with "
                    + "\(end). Restore the newest logs; if they were cut on purpose, by another server, remove that file"
            )
        }
    }

    /// Syncs whatever the recovered state rests on.
    private mutating func makeDurable(_ base: SnapshotName, _ replay: LogReplay<D>) throws(StorageError) {
        for (file, range) in replay.unconfirmed { try rewrite(range, of: directory.logPath(file)) }
        try volume.synchronize(path: directory.snapshotPath(base.name))
        for file in try directory.logFiles(&volume) where replay.relevant.contains(file) {
            try volume.synchronize(path: directory.logPath(file))
        }
        try volume.synchronizeDirectory(directory.snapshots)
        if directory.logs != directory.snapshots { try volume.synchronizeDirectory(directory.logs) }
    }

    /// Writes bytes of a file anew, as they are. After a sync that failed the system may take them for written although
    /// they are not, and a sync alone would then do nothing.
    private mutating func rewrite(_ range: Range<Int64>, of path: String) throws(StorageError) {
        let file = try volume.openForWriting(path)
        defer { volume.close(file) }
        var offset = range.lowerBound
        while offset < range.upperBound {
            var bytes: [UInt8] = []
            let wanted = Int(min(range.upperBound - offset, 1 << 20))
            guard try volume.read(file, at: offset, count: wanted, into: &bytes) > 0 else { return }
            try volume.write(file, bytes.span, at: offset)
            offset += Int64(bytes.count)
        }
    }

    private mutating func establish(_ recovered: inout Recovered, _ confirmed: Zxid?) throws(StorageError) {
        lastZxid = recovered.lastZxid
        mark = try ConfirmedMark.establish(max(lastZxid, .zero), directory, &volume)
        log = LogWriter(directory, options)
        snapshot = nil
        schedule.reset()
        // A server that is killed again and again must not have ever more to replay.
        schedule.appended(recovered.replayed, bytes: 0)
        state = .open
    }
}
