import ConclaveCore
import ConclaveWire

/// The history of one server on disk: logs, snapshots and epochs, in the reference's formats.
///
/// Owned by one storage thread; every call blocks. Any error is final: after it the store answers `.stopped` to everything,
/// because what is on disk is no longer known, and the server must end (DESIGN D5).
///
/// The order of calls: ``recover(into:)`` first, then any others; after ``truncate(to:)`` recover again.
package struct Store<D: Disk> {
    var volume: Volume<D>
    let directory: DataDirectory
    let options: StorageOptions
    var state = State.closed
    var log: LogWriter<D>
    /// Exists from recovery on.
    var mark: ConfirmedMark<D>?
    var snapshot: SnapshotWriter<D>?
    var check: SnapshotCheck<D>?
    /// The newest transaction of the history.
    package internal(set) var lastZxid = Zxid(rawValue: -1)
    /// The newest snapshot that was loaded or written.
    package internal(set) var newestSnapshot: Zxid?
    /// Names of snapshots that were read whole since the start.
    var verified: Set<String> = []
    var schedule: SnapshotSchedule
    private var failure: StorageError?

    enum State: Equatable { case closed, open, truncated }

    /// - Parameters:
    ///   - dataDirectory: where `myid` and the folder of snapshots lie ("dataDir").
    ///   - logDirectory: where the folder of logs lies ("dataLogDir"); may be the same.
    package init(disk: D, dataDirectory: String, logDirectory: String, options: StorageOptions = StorageOptions()) {
        volume = Volume(disk: disk)
        directory = DataDirectory(dataDirectory: dataDirectory, logDirectory: logDirectory)
        self.options = options
        log = LogWriter(directory, options)
        schedule = SnapshotSchedule(options)
    }

    /// The disk as it is now, for tests.
    package var disk: D {
        get { volume.disk }
        _modify { yield &volume.disk }
    }

    /// Whether a snapshot should be written; see ``StorageOptions/snapshotEvery``.
    package var isSnapshotDue: Bool { snapshot == nil && check == nil && schedule.isDue }

    /// How many transactions a start would have to replay now.
    package var transactionsSinceSnapshot: Int { schedule.count }

    /// Writes a batch, syncs it and proves it.
    ///
    /// - Throws: `.misuse` if the batch does not follow what was appended before.
    package mutating func append(_ batch: borrowing LogBatch) throws(StorageError) -> DurableReceipt {
        try begin(in: .open)
        do throws(StorageError) {
            try check(batch)
            if !batch.isEmpty {
                try log.append(batch, &volume)
                lastZxid = batch.lastZxid
                if options.forceSync { try mark?.confirm(lastZxid, &volume) }
                schedule.appended(batch.count, bytes: batch.byteCount)
            }
            return DurableReceipt(syncedThrough: lastZxid)
        } catch { throw fail(error) }
    }

    private func check(_ batch: borrowing LogBatch) throws(StorageError) {
        guard !batch.isEmpty else { return }
        let last = max(lastZxid, .zero)
        guard last.isFollowed(by: batch.firstZxid) else {
            throw StorageError(.misuse, "transaction \(batch.firstZxid) does not follow \(last)")
        }
        if let gap = batch.firstGap { throw StorageError(.misuse, "a batch has a gap before transaction \(gap)") }
        guard batch.longest <= options.maximumEntryBytes else {
            throw StorageError(
                .misuse,
                "a transaction of \(batch.longest) bytes, more than \(options.maximumEntryBytes), could not be read back"
            )
        }
    }

    /// Ends the log file, so that the next start has nothing to judge. The store can be recovered again.
    package mutating func close() throws(StorageError) {
        try begin(in: .open)
        do throws(StorageError) {
            try log.roll(&volume)
            try dropUnfinished()
            if let mark {
                var mark = mark
                try mark.set(mark.zxid, &volume)
                mark.close(&volume)
            }
            mark = nil
            state = .closed
        } catch { throw fail(error) }
    }

    /// Closes every file as it is, as the end of the process would: nothing more is written and nothing tidied up.
    package mutating func letGo() {
        log.letGo(&volume)
        mark?.close(&volume)
        snapshot?.letGo(&volume)
        check?.letGo(&volume)
        (mark, snapshot, check) = (nil, nil, nil)
        state = .closed
    }

    // MARK: One fate

    /// Every call begins here.
    func begin(in required: State?) throws(StorageError) {
        if let failure {
            throw StorageError(.stopped, "storage stopped after an error: \(failure)")
        }
        if let required, state != required {
            throw StorageError(.misuse, "the store is \(state), it should be \(required)")
        }
    }

    /// Every error passes through here.
    mutating func fail(_ error: StorageError) -> StorageError {
        if failure == nil { failure = error }
        return error
    }
}

/// When a snapshot is due: by transactions or bytes since the last one, less a random part of up to one half.
struct SnapshotSchedule {
    private let every: Int
    private let everyBytes: Int64
    private var random: SeededRandom
    private(set) var count = 0
    private var bytes: Int64 = 0
    private var countLimit = 0
    private var bytesLimit: Int64 = 0

    init(_ options: StorageOptions) {
        every = max(2, options.snapshotEvery)
        everyBytes = max(0, options.snapshotEveryBytes)
        random = SeededRandom(seed: options.seed)
        reset()
    }

    var isDue: Bool { count > countLimit || (everyBytes > 0 && bytes > bytesLimit) }

    mutating func appended(_ count: Int, bytes: Int) {
        self.count += count
        self.bytes += Int64(bytes)
    }

    /// A snapshot has begun: counts from zero and draws new limits.
    mutating func reset() {
        count = 0
        bytes = 0
        countLimit = every / 2 + Int(random.next() % UInt64(max(1, every / 2)))
        bytesLimit = everyBytes / 2 + Int64(random.next() % UInt64(max(1, everyBytes / 2)))
    }
}
