import ConclaveCore
import ConclaveWire

/// Reads the history that follows a snapshot from the log files.
///
/// Every file ends in one of four ways: cleanly, with a torn tail, damaged, or it is missing, which shows as a gap before the
/// next transaction. Only a clean end, and a torn tail of the last file, let the history go on or end there.
struct LogReplay<D: Disk> {
    private let directory: DataDirectory
    private let limit: Int
    /// The snapshot's zxid; the history begins behind it.
    private let base: Zxid
    /// All logs, oldest first.
    private let files: [Zxid]

    /// The newest transaction seen, also from before the snapshot.
    private var last: Zxid?
    private(set) var replayed = 0
    private(set) var warnings: [String] = []
    private(set) var torn: TornTail?
    /// Numbers left out between neighbours in one file.
    private(set) var skipped = 0
    /// The parts of files behind the mark: what they hold may never have been synced.
    private(set) var unconfirmed: [(file: Zxid, range: Range<Int64>)] = []

    init(_ directory: DataDirectory, files: [Zxid], base: Zxid, limit: Int) {
        self.directory = directory
        self.files = files
        self.base = base
        self.limit = limit
    }

    /// The newest transaction of the history.
    var end: Zxid { max(base, last ?? base) }

    /// The files that hold what follows the snapshot: the newest one that begins at or before it, and all later ones.
    var relevant: ArraySlice<Zxid> {
        let next = Zxid(rawValue: base.rawValue &+ 1)
        return files[(files.lastIndex { $0 <= next } ?? 0)...]
    }

    /// Reads everything.
    /// - Parameters:
    ///   - confirmed: what the mark says; `nil` if there is none to rely on.
    ///   - visit: called with each transaction behind the snapshot, in order.
    mutating func run(
        confirmed: Zxid?, _ volume: inout Volume<D>, visit: (Transaction) -> Void
    ) throws(StorageError) {
        for (index, name) in zip(relevant.indices, relevant) {
            let following = index + 1 < files.count ? files[index + 1] : nil
            let path = directory.logPath(name)
            let file = try volume.open(path)
            defer { volume.close(file) }
            var reader = try LogFileReader(file, path: path, limit: limit, &volume)
            try read(&reader, named: name, before: following, confirmed, &volume, visit)
        }
    }

    private mutating func read(
        _ reader: inout LogFileReader<D>, named name: Zxid, before following: Zxid?, _ confirmed: Zxid?,
        _ volume: inout Volume<D>, _ visit: (Transaction) -> Void
    ) throws(StorageError) {
        var offset = reader.offset
        while let zxid = try reader.skip(through: base, &volume) {
            try arrive(at: zxid, in: reader.path, named: name, at: offset)
            offset = reader.offset
        }
        while true {
            offset = reader.offset
            switch try reader.next(&volume) {
            case .cleanEnd: return
            case .damage(let damage):
                return try examine(damage, in: reader, before: following, confirmed, &volume)
            case .transaction(let transaction):
                try arrive(at: transaction.header.zxid, in: reader.path, named: name, at: offset)
                replayed += 1
                if transaction.header.zxid > confirmed ?? .zero { note(offset..<reader.offset, in: name) }
                visit(transaction)
            }
        }
    }

    private mutating func note(_ entry: Range<Int64>, in file: Zxid) {
        if let last = unconfirmed.last, last.file == file {
            unconfirmed[unconfirmed.count - 1].range = last.range.lowerBound..<entry.upperBound
        } else {
            // The header of the file came with its first entry.
            let start = entry.lowerBound <= Int64(LogFormat.headerBytes) ? 0 : entry.lowerBound
            unconfirmed.append((file, start..<entry.upperBound))
        }
    }

    private mutating func arrive(
        at zxid: Zxid, in path: String, named name: Zxid, at offset: Int64
    ) throws(StorageError) {
        let place = max(offset, Int64(LogFormat.headerBytes))
        let isFirst = place == Int64(LogFormat.headerBytes)
        if isFirst, zxid != name {
            throw StorageError(
                .corrupt, file: path, offset: place,
                "the first transaction of the file should be \(name) as its name says, found \(zxid)")
        }
        try check(zxid, in: path, at: place, isFirst: place == Int64(LogFormat.headerBytes))
        last = zxid
    }

    /// Zxids grow; from the snapshot on without a gap.
    ///
    /// Older gaps do not matter: a server that was sent a snapshot has one where its own history stopped. Nor do numbers left
    /// out between two neighbours in one file, where nothing can have been lost: the reference uses a zxid up without a
    /// record when it fails to decode a multi (observed).
    private mutating func check(
        _ zxid: Zxid, in path: String, at offset: Int64, isFirst: Bool
    ) throws(StorageError) {
        if let last, zxid <= last {
            throw StorageError(
                .corrupt, file: path, offset: offset, "transaction \(zxid) stands behind \(last), which is later")
        }
        guard zxid > base else { return }
        guard end.isFollowed(by: zxid) else {
            let expected = Zxid(rawValue: end.rawValue &+ 1)
            guard isFirst || end.epoch != zxid.epoch else {
                skipped += 1
                return
            }
            throw StorageError(
                .gap, file: path, offset: offset,
                "transactions are missing: expected \(expected), found \(zxid). A log between \(FileName.log(expected)) "
                    + "and this one is gone or cut; restore it from a copy")
        }
    }

    private mutating func examine(
        _ damage: LogDamage, in reader: LogFileReader<D>, before following: Zxid?, _ confirmed: Zxid?,
        _ volume: inout Volume<D>
    ) throws(StorageError) {
        var inspector = TailInspector(reader, limit: limit, last: end)
        guard let following else {
            switch try inspector.judge(damage, confirmed: confirmed, &volume) {
            case .torn(let tail): torn = tail
            case .corrupt(let error): throw error
            }
            return
        }
        // Whoever wrote the next log had found this one to end here. If it goes on with the next number, nothing can be
        // missing; if it begins a new epoch, the damage itself must show that it was never synced.
        let goesOn = following.rawValue == end.rawValue &+ 1
        var isPassable = goesOn
        if !goesOn, end.isFollowed(by: following) { isPassable = try inspector.isTornWithoutMark(damage, &volume) }
        guard isPassable else {
            throw StorageError(
                .corrupt, file: reader.path, offset: damage.offset,
                "\(damage) (after transaction \(end)); the next log begins with \(following), so what stood here is lost. "
                    + "Restore the file from a copy")
        }
        warnings.append("\(reader.path) at byte \(damage.offset): an unfinished write was passed over: \(damage)")
    }
}

/// Makes the end of the history clean again.
enum TornTailRepair {
    /// Cuts a torn tail off, such that the reference reads the folder too, and removes files in which nothing is left: the
    /// next transaction needs their name.
    static func clean<D: Disk>(
        _ torn: TornTail?, end: Zxid, in directory: DataDirectory, _ volume: inout Volume<D>
    ) throws(StorageError) {
        if let torn, torn.keepsEntries {
            let file = try volume.openForWriting(torn.file)
            defer { volume.close(file) }
            try volume.truncate(file, to: torn.offset)
            try volume.synchronize(file)
        }
        for name in try directory.logFiles(&volume).reversed() {
            // A log is named after its first transaction, so later ones have none.
            let isEmptied = torn.map { !$0.keepsEntries && $0.file == directory.logPath(name) } ?? false
            guard name > end || isEmptied else { continue }
            try volume.remove(directory.logPath(name))
            try volume.synchronizeDirectory(directory.logs)
        }
    }
}
