import ConclaveCore
import ConclaveWire

/// What stands next in a log file.
enum LogStep {
    case transaction(Transaction)
    /// Nothing but zeros up to the end of the file, or the end of the file.
    case cleanEnd
    /// Something that is no entry. What it means is for ``TailInspector`` to find out.
    case damage(LogDamage)
}

/// A place in a log where an entry should be and none is.
struct LogDamage: Equatable, Sendable {
    enum Kind: Equatable, Sendable {
        /// The header of the file is not what it must be.
        case header
        /// Checksum and length are zero as behind the last entry, but bytes that are not zero follow.
        case hole
        case badLength(Int32)
        /// The file ends inside the entry.
        case cut(missingBytes: Int64)
        case badChecksum(stored: Int64, computed: UInt32)
        case badEnd(UInt8)
    }

    let kind: Kind
    /// Where the entry begins.
    let offset: Int64
    /// Where the entry ends, as far as that can be told.
    let end: Int64
}

extension LogDamage: CustomStringConvertible {
    var description: String {
        switch kind {
        case .header: "expected the header of a log (ZKLG, version 2, database 0), found something else"
        case .hole: "expected an entry or zeros up to the end of the file, found zeros with other bytes behind them"
        case .badLength(let length): "expected the length of a transaction, found \(length)"
        case .cut(let missing): "the file ends inside an entry, \(missing) bytes are missing"
        case .badChecksum(let stored, let computed):
            "the entry's checksum is 0x\(String(UInt64(bitPattern: stored), radix: 16)), "
                + "its bytes have 0x\(String(computed, radix: 16))"
        case .badEnd(let byte): "expected the end of an entry (0x42), found 0x\(String(byte, radix: 16))"
        }
    }
}

/// Reads one log file from the beginning, entry by entry, in bounded memory.
struct LogFileReader<D: Disk> {
    let path: String
    private(set) var window: FileWindow<D>
    /// Where the next entry begins.
    private(set) var offset: Int64 = 0
    private let limit: Int

    init(_ file: D.File, path: String, limit: Int, _ volume: inout Volume<D>) throws(StorageError) {
        self.path = path
        self.limit = limit
        window = try FileWindow(file, &volume)
    }

    /// Reads the file's header or the next entry. An end is found again and again.
    ///
    /// - Throws: `.corrupt` for an entry whose checksum is right and which is nevertheless no transaction.
    mutating func next(_ volume: inout Volume<D>) throws(StorageError) -> LogStep {
        if offset == 0 {
            if let damage = try readHeader(&volume) { return .damage(damage) }
            offset = Int64(LogFormat.headerBytes)
        }
        switch try entry(at: offset, &volume) {
        case .cleanEnd: return .cleanEnd
        case .damage(let damage): return .damage(damage)
        case .transaction(let range):
            var reader = ByteReader(window.buffer, in: range)
            do {
                let transaction = try TransactionCodec.decode(&reader)
                offset += Int64(LogFormat.entryHeaderBytes + range.count + 1)
                return .transaction(transaction)
            } catch {
                throw StorageError(
                    .corrupt, file: path, offset: offset,
                    "the entry's checksum is right, but it is no transaction that this release knows: \(error)")
            }
        }
    }

    /// Steps over the next entry without decoding it, if it is whole and no later than a transaction.
    /// - Returns: its zxid; `nil` if something else is next, which ``next(_:)`` will tell.
    mutating func skip(through last: Zxid, _ volume: inout Volume<D>) throws(StorageError) -> Zxid? {
        if offset == 0 {
            guard try readHeader(&volume) == nil else { return nil }
            offset = Int64(LogFormat.headerBytes)
        }
        // No entry is shorter than a transaction's header, so looking ahead cannot fail.
        guard case .transaction(let range) = try entry(at: offset, &volume),
            let zxid = try? TransactionCodec.peekZxid(ByteReader(window.buffer, in: range)), zxid <= last
        else { return nil }
        offset += Int64(LogFormat.entryHeaderBytes + range.count + 1)
        return zxid
    }

    /// Steps over everything that is no later than a transaction, and examines only the last of it.
    ///
    /// What is stepped over is believed to be as long as it says: if it is not, no entry with the right checksum is found
    /// in the end.
    mutating func newest(through last: Zxid, _ volume: inout Volume<D>) throws(StorageError) -> Transaction? {
        var place: Int64?
        if offset == 0 {
            guard try readHeader(&volume) == nil else { return nil }
            offset = Int64(LogFormat.headerBytes)
        }
        while let (zxid, end) = try glance(&volume), zxid <= last {
            place = offset
            offset = end
        }
        guard let place else { return nil }
        offset = place
        guard case .transaction(let transaction) = try next(&volume) else { return nil }
        return transaction
    }

    /// Looks at the next entry's zxid and end without examining it; `nil` if there is none.
    private mutating func glance(_ volume: inout Volume<D>) throws(StorageError) -> (zxid: Zxid, end: Int64)? {
        let headerBytes = LogFormat.entryHeaderBytes
        guard let header = try window.load(offset, headerBytes, &volume) else { return nil }
        let length = Int(LogFormat.entryHeader(window.buffer.span.extracting(header)).length)
        guard length >= LogFormat.minimumTransactionBytes, length <= limit,
            let range = try window.load(offset, headerBytes + length + 1, &volume),
            let zxid = try? TransactionCodec.peekZxid(
                ByteReader(window.buffer, in: (range.lowerBound + headerBytes)..<(range.upperBound - 1)))
        else { return nil }
        return (zxid, offset + Int64(range.count))
    }

    private mutating func readHeader(_ volume: inout Volume<D>) throws(StorageError) -> LogDamage? {
        let headerBytes = LogFormat.headerBytes
        guard let range = try window.load(0, headerBytes, &volume) else {
            return LogDamage(kind: .cut(missingBytes: Int64(headerBytes) - window.size), offset: 0, end: window.size)
        }
        guard Array(window.buffer[range]) == LogFormat.header else {
            return LogDamage(kind: .header, offset: 0, end: Int64(headerBytes))
        }
        return nil
    }

    enum Entry {
        case transaction(Range<Int>)
        case cleanEnd
        case damage(LogDamage)
    }

    /// Looks at what stands at an offset, without decoding it.
    mutating func entry(at offset: Int64, _ volume: inout Volume<D>) throws(StorageError) -> Entry {
        let headerBytes = LogFormat.entryHeaderBytes
        guard let header = try window.load(offset, headerBytes, &volume) else {
            let isZero = try window.firstNonZero(in: offset..<window.size, &volume) == nil
            if isZero { return .cleanEnd }
            let missing = Int64(headerBytes) - (window.size - offset)
            return .damage(LogDamage(kind: .cut(missingBytes: missing), offset: offset, end: window.size))
        }
        let (stored, length) = LogFormat.entryHeader(window.buffer.span.extracting(header))
        if stored == 0, length == 0 {
            let isZero = try window.firstNonZero(in: offset..<window.size, &volume) == nil
            return isZero
                ? .cleanEnd : .damage(LogDamage(kind: .hole, offset: offset, end: offset + Int64(headerBytes)))
        }
        guard length >= LogFormat.minimumTransactionBytes, Int(length) <= limit else {
            return .damage(
                LogDamage(kind: .badLength(length), offset: offset, end: offset + Int64(headerBytes)))
        }
        let byteCount = headerBytes + Int(length) + 1
        guard let range = try window.load(offset, byteCount, &volume) else {
            let missing = Int64(byteCount) - (window.size - offset)
            return .damage(LogDamage(kind: .cut(missingBytes: missing), offset: offset, end: window.size))
        }
        let body = (range.lowerBound + headerBytes)..<(range.upperBound - 1)
        let computed = Adler32.checksum(window.buffer.span.extracting(body))
        let end = offset + Int64(byteCount)
        guard stored == Int64(computed) else {
            return .damage(
                LogDamage(kind: .badChecksum(stored: stored, computed: computed), offset: offset, end: end))
        }
        let endByte = window.buffer[range.upperBound - 1]
        guard endByte == LogFormat.endOfEntry else {
            return .damage(LogDamage(kind: .badEnd(endByte), offset: offset, end: end))
        }
        return .transaction(body)
    }
}

extension LogFormat {
    /// Checksum and length of an entry; `bytes` holds 12.
    static func entryHeader(_ bytes: Span<UInt8>) -> (checksum: Int64, length: Int32) {
        precondition(bytes.count == entryHeaderBytes, "an entry's header has 12 bytes, not \(bytes.count)")
        // Safe: the precondition leaves all of them inside.
        let checksum = unsafe bytes.bytes.unsafeLoadUnaligned(fromByteOffset: 0, as: Int64.self)
        // Safe: the same.
        let length = unsafe bytes.bytes.unsafeLoadUnaligned(fromByteOffset: 8, as: Int32.self)
        return (Int64(bigEndian: checksum), Int32(bigEndian: length))
    }
}
