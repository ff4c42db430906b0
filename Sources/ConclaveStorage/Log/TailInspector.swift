import ConclaveCore
import ConclaveWire

/// Proof that the bytes from an offset of the last log file onward were never synced, so that nobody was promised anything
/// about them. Only ``TailInspector`` makes one, and only with one can a log be cut during recovery.
package struct TornTail: Equatable, Sendable {
    /// The path of the log.
    package let file: String
    /// What stays: everything before this byte.
    package let offset: Int64
    /// How many bytes behind it were not zero.
    package let droppedBytes: Int64
    /// What was found, for people.
    package let reason: String
    /// Whether whole entries stand before the offset; otherwise the file has no use.
    let keepsEntries: Bool

    fileprivate init(file: String, damage: LogDamage, end: Int64, keepsEntries: Bool) {
        self.file = file
        offset = damage.offset
        droppedBytes = max(0, end - damage.offset)
        reason = damage.description
        self.keepsEntries = keepsEntries
    }
}

/// Tells a torn write from damage to what was synced.
///
/// A write that was lost in part leaves whole sectors as they were before: zeros, since logs are never written twice at
/// the same place, or the file ends early. And it can only be the last write. So a tail is torn if
///
/// 1. nothing that was confirmed as synced is missing (``ConfirmedMark``),
/// 2. a sector of the damaged entry is all zeros to its end, or the file ends inside the entry,
/// 3. no single flipped bit explains the damage, and
/// 4. no whole entry follows; or, in logs with a mark, none further away than one write reaches.
///
/// Everything else is damage, and the server refuses to start.
///
/// Source: the all-zero-sector rule is that of etcd's log; the rest is in the storage rules of the project.
struct TailInspector<D: Disk> {
    private var reader: LogFileReader<D>
    private let limit: Int
    /// The last transaction before the damage.
    private let last: Zxid

    init(_ reader: LogFileReader<D>, limit: Int, last: Zxid) {
        self.reader = reader
        self.limit = limit
        self.last = last
    }

    enum Verdict {
        case torn(TornTail)
        case corrupt(StorageError)
    }

    /// Judges the end of the last log.
    /// - Parameter confirmed: what the mark says; `nil` if there is none to rely on.
    mutating func judge(
        _ damage: LogDamage, confirmed: Zxid?, _ volume: inout Volume<D>
    ) throws(StorageError) -> Verdict {
        if let confirmed, last < confirmed {
            return .corrupt(
                error(
                    damage,
                    "this was synced once: transactions through \(confirmed) were confirmed, the last good one is \(last)"
                ))
        }
        let end = try endOfBytes(behind: damage, &volume)
        guard try isUnwritten(damage, &volume), try !isSingleFlippedBit(damage, &volume) else {
            return .corrupt(error(damage, "nothing proves that this was never synced"))
        }
        if let following = try firstEntry(behind: damage, before: end, &volume) {
            guard confirmed != nil else {
                return .corrupt(error(damage, "a whole entry follows at byte \(following)"))
            }
            guard end - damage.offset <= Int64(LogFormat.maximumUnsyncedBytes) else {
                return .corrupt(error(damage, "entries follow up to byte \(end), more than one write holds"))
            }
        }
        return .torn(
            TornTail(
                file: reader.path, damage: damage, end: end,
                keepsEntries: damage.offset > Int64(LogFormat.headerBytes)))
    }

    /// Whether damage at the end of a log that is not the last one may be passed over: the next log begins a new epoch,
    /// so nothing tells whether something is missing, except the look of the damage itself.
    mutating func isTornWithoutMark(_ damage: LogDamage, _ volume: inout Volume<D>) throws(StorageError) -> Bool {
        guard case .torn = try judge(damage, confirmed: nil, &volume) else { return false }
        return true
    }

    private func error(_ damage: LogDamage, _ reason: String) -> StorageError {
        StorageError(
            .corrupt, file: reader.path, offset: damage.offset,
            "\(damage) (after transaction \(last)); \(reason). Restore the file from a copy, or move the data directory "
                + "aside and let this server fetch everything from the others")
    }

    private mutating func endOfBytes(
        behind damage: LogDamage, _ volume: inout Volume<D>
    ) throws(StorageError) -> Int64 {
        var window = reader.window
        return try window.endOfNonZero(in: damage.offset..<window.size, &volume)
    }

    /// Whether part of the damaged entry looks as it did before it was written.
    private mutating func isUnwritten(
        _ damage: LogDamage, _ volume: inout Volume<D>
    ) throws(StorageError) -> Bool {
        if case .cut = damage.kind { return true }
        var window = reader.window
        let sector = Int64(LogFormat.sectorBytes)
        var start = damage.offset
        while start < damage.end {
            let end = min((start / sector + 1) * sector, window.size)
            // The first four bytes of an entry are zero anyway.
            let isTelling = start > damage.offset || end - start > 4
            if isTelling, try window.firstNonZero(in: start..<end, &volume) == nil { return true }
            start = end
        }
        return false
    }

    /// Looks for a whole entry that belongs to the history, at every byte.
    private mutating func firstEntry(
        behind damage: LogDamage, before end: Int64, _ volume: inout Volume<D>
    ) throws(StorageError) -> Int64? {
        let leastBytes = LogFormat.entryHeaderBytes + LogFormat.minimumTransactionBytes
        let zxidOffset = LogFormat.entryHeaderBytes + 12
        var window = reader.window
        var offset = damage.offset + 1
        while offset + Int64(leastBytes) < end {
            let count = Int(min(Int64(64 << 10), end - offset))
            guard let piece = try window.load(offset, count, &volume) else { return nil }
            for index in 0...(count - leastBytes) {
                let start = piece.lowerBound + index
                let header = window.buffer.span.extracting(start..<(start + LogFormat.entryHeaderBytes))
                let (checksum, length) = LogFormat.entryHeader(header)
                guard checksum > 0, checksum <= UInt32.max, length >= LogFormat.minimumTransactionBytes,
                    Int(length) <= limit
                else { continue }
                // The eight bytes are there, so reading them cannot fail.
                var number = ByteReader(window.buffer, in: (start + zxidOffset)..<(start + zxidOffset + 8))
                guard let zxid = try? number.readInt64(), Zxid(rawValue: zxid) > last else { continue }
                // The reader has a window of its own, this one stays where it is.
                if case .transaction = try reader.entry(at: offset + Int64(index), &volume) {
                    return offset + Int64(index)
                }
            }
            offset += Int64(count - leastBytes + 1)
        }
        return nil
    }

    // MARK: Flipped bits

    /// Whether the entry would be whole if one bit were different: no lost write looks like that.
    private mutating func isSingleFlippedBit(
        _ damage: LogDamage, _ volume: inout Volume<D>
    ) throws(StorageError) -> Bool {
        switch damage.kind {
        case .header, .hole: return false
        case .badEnd(let byte):
            if (byte ^ LogFormat.endOfEntry).nonzeroBitCount == 1 { return true }
        case .badChecksum(let stored, let computed):
            if (stored ^ Int64(computed)).nonzeroBitCount == 1 { return true }
            let body = (damage.offset + Int64(LogFormat.entryHeaderBytes))..<(damage.end - 1)
            var window = reader.window
            guard let range = try window.load(body.lowerBound, Int(body.upperBound - body.lowerBound), &volume)
            else { return false }
            let bytes = window.buffer.span.extracting(range)
            if let stored = UInt32(exactly: stored), FlippedBit.explains(stored, computed, bytes) { return true }
        case .badLength, .cut: break
        }
        return try isWholeWithAnotherLength(damage, &volume)
    }

    private mutating func isWholeWithAnotherLength(
        _ damage: LogDamage, _ volume: inout Volume<D>
    ) throws(StorageError) -> Bool {
        let headerBytes = LogFormat.entryHeaderBytes
        var window = reader.window
        guard let header = try window.load(damage.offset, headerBytes, &volume) else { return false }
        let (stored, length) = LogFormat.entryHeader(window.buffer.span.extracting(header))
        for bit in 0..<32 {
            let other = length ^ (1 << bit)
            guard other >= LogFormat.minimumTransactionBytes, Int(other) <= limit,
                let range = try window.load(damage.offset, headerBytes + Int(other) + 1, &volume),
                window.buffer[range.upperBound - 1] == LogFormat.endOfEntry
            else { continue }
            let body = (range.lowerBound + headerBytes)..<(range.upperBound - 1)
            if stored == Int64(Adler32.checksum(window.buffer.span.extracting(body))) { return true }
        }
        return false
    }
}
