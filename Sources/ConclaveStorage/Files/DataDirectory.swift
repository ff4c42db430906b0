import ConclaveCore

/// Where everything lies, and what lies there.
struct DataDirectory: Sendable {
    /// The folder of `myid`.
    let root: String
    /// The folder of snapshots and epoch files.
    let snapshots: String
    /// The folder of logs.
    let logs: String
    /// The folder above the folder of logs.
    let logRoot: String

    init(dataDirectory: String, logDirectory: String) {
        root = dataDirectory
        logRoot = logDirectory
        snapshots = PathText.join(dataDirectory, FileName.versionDirectory)
        logs = PathText.join(logDirectory, FileName.versionDirectory)
    }

    func snapshotPath(_ name: String) -> String { PathText.join(snapshots, name) }
    func logPath(_ zxid: Zxid) -> String { PathText.join(logs, FileName.log(zxid)) }
    var confirmedPath: String { PathText.join(logs, FileName.confirmed) }

    /// Makes what is missing, and refuses a layout that would hide files.
    func prepare<D: Disk>(_ volume: inout Volume<D>) throws(StorageError) {
        try volume.createDurableDirectory(snapshots)
        guard logs != snapshots else { return }
        try volume.createDurableDirectory(logs)
        for name in try volume.list(snapshots) where FileName.logZxid(name) != nil {
            throw StorageError(
                .layout, file: PathText.join(snapshots, name),
                "a log lies in the folder of snapshots, although logs belong in \(logs); move it, or set dataLogDir")
        }
        for name in try volume.list(logs) where FileName.snapshot(name) != nil {
            throw StorageError(
                .layout, file: PathText.join(logs, name),
                "a snapshot lies in the folder of logs, although snapshots belong in \(snapshots); move it, or set dataDir"
            )
        }
    }

    /// Logs by first zxid, oldest first.
    func logFiles<D: Disk>(_ volume: inout Volume<D>) throws(StorageError) -> [Zxid] {
        var zxids: [Zxid] = []
        for name in try volume.list(logs) {
            guard let zxid = FileName.logZxid(name) else { continue }
            // Two spellings of one zxid would be two files of one name to everything below.
            guard name == FileName.log(zxid) else {
                throw StorageError(
                    .layout, file: PathText.join(logs, name), "the name should be \(FileName.log(zxid))")
            }
            zxids.append(zxid)
        }
        return zxids.sorted()
    }

    /// Snapshots, newest first; of equal zxids the uncompressed one first.
    func snapshotFiles<D: Disk>(_ volume: inout Volume<D>) throws(StorageError) -> [SnapshotName] {
        let names = try volume.list(snapshots)
        return names.compactMap(FileName.snapshot).sorted { ($1.zxid, $0.name.count) < ($0.zxid, $1.name.count) }
    }

    /// Removes what a crash left of snapshots being written.
    func removeTemporaries<D: Disk>(_ volume: inout Volume<D>) throws(StorageError) {
        for name in try volume.list(snapshots)
        where name.hasPrefix("snapshot.") && name.hasSuffix(FileName.temporarySuffix) {
            try volume.remove(PathText.join(snapshots, name))
        }
    }
}
