import ConclaveCore
import ConclaveWire

/// Appends batches to the newest log file and begins new ones.
///
/// The bytes behind the last entry are zeros that were never written before. Recovery relies on it: a lost write shows as a
/// sector of zeros.
struct LogWriter<D: Disk> {
    private struct Open {
        let file: D.File
        var position: Int64
        /// What the file has been grown to.
        var reserved: Int64
    }

    private let directory: DataDirectory
    private let preallocateBytes: Int64
    private let sizeLimitBytes: Int64?
    private let forceSync: Bool
    private var current: Open?

    init(_ directory: DataDirectory, _ options: StorageOptions) {
        self.directory = directory
        preallocateBytes = Int64(max(0, options.preallocateBytes))
        sizeLimitBytes = options.logSizeLimitBytes
        forceSync = options.forceSync
    }

    /// Writes a batch and syncs it; when this returns it survives whatever comes.
    mutating func append(_ batch: borrowing LogBatch, _ volume: inout Volume<D>) throws(StorageError) {
        let isNew = current == nil
        var open =
            if let current { current } else { try begin(batch.firstZxid, batch.byteCount, &volume) }
        let bytes = batch.bytes
        var written = 0
        while written < bytes.count {
            let end = min(bytes.count, written + LogFormat.maximumUnsyncedBytes)
            try reserve(open.position + Int64(end - written), &open, &volume)
            try volume.write(open.file, bytes.span.extracting(written..<end), at: open.position)
            open.position += Int64(end - written)
            open.reserved = max(open.reserved, open.position)
            written = end
            if forceSync { try volume.synchronize(open.file) }
        }
        // The name must be certain before anybody is told, or the entries vanish with it.
        if isNew, forceSync { try volume.synchronizeDirectory(directory.logs) }
        current = open
        if let sizeLimitBytes, open.position >= sizeLimitBytes { try roll(&volume) }
    }

    /// Ends the current file; the next batch begins a new one.
    ///
    /// Gives the unused part of the file back to the disk. If a crash undoes that, the zeros are still a proper end.
    mutating func roll(_ volume: inout Volume<D>) throws(StorageError) {
        guard let open = current else { return }
        current = nil
        defer { volume.close(open.file) }
        if open.reserved > open.position { try volume.truncate(open.file, to: open.position) }
    }

    /// Closes the current file as it is.
    mutating func letGo(_ volume: inout Volume<D>) {
        if let current { volume.close(current.file) }
        current = nil
    }

    private func begin(
        _ zxid: Zxid, _ byteCount: Int, _ volume: inout Volume<D>
    ) throws(StorageError) -> Open {
        let file = try volume.create(directory.logPath(zxid))
        var open = Open(file: file, position: 0, reserved: 0)
        let first = min(byteCount, LogFormat.maximumUnsyncedBytes)
        try reserve(Int64(LogFormat.headerBytes + first), &open, &volume)
        let header = LogFormat.header
        try volume.write(file, header.span, at: 0)
        open.position = Int64(LogFormat.headerBytes)
        open.reserved = max(open.reserved, open.position)
        return open
    }

    /// Grows the file in steps, so that most writes find their room taken already. As the reference: when less than 4 KiB
    /// would be left.
    private func reserve(_ end: Int64, _ open: inout Open, _ volume: inout Volume<D>) throws(StorageError) {
        guard preallocateBytes > 0, end + 4096 > open.reserved else { return }
        let steps = (end + 4096 + preallocateBytes - 1) / preallocateBytes
        let size = steps * preallocateBytes
        try volume.preallocate(open.file, size: size)
        open.reserved = size
    }
}
