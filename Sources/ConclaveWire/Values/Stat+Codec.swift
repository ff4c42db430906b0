import ConclaveCore

/// Halves of a long in the byte order of the wire: records of fixed size are put together from them and appended at
/// once, which costs one look at the buffer's room instead of one for each field.
extension Int64 {
    @inlinable var upperWord: UInt32 { UInt32(truncatingIfNeeded: self >> 32).bigEndian }
    @inlinable var lowerWord: UInt32 { UInt32(truncatingIfNeeded: self).bigEndian }
}

extension Int32 {
    @inlinable var word: UInt32 { UInt32(bitPattern: self).bigEndian }
}

extension ByteWriter {
    /// The bytes of a record of fixed size, made of words without padding.
    @inlinable
    mutating func writeWords<Words: BitwiseCopyable>(_ words: Words) {
        // Safe: the pointer does not leave the closure, and tuples of words have no padding.
        unsafe Swift.withUnsafeBytes(of: words) { unsafe bytes.append(contentsOf: $0) }
    }

    /// 68 bytes.
    @inlinable
    package mutating func writeStat(_ stat: Stat) {
        writeWords(
            (
                stat.czxid.rawValue.upperWord, stat.czxid.rawValue.lowerWord,
                stat.mzxid.rawValue.upperWord, stat.mzxid.rawValue.lowerWord,
                stat.ctime.upperWord, stat.ctime.lowerWord, stat.mtime.upperWord, stat.mtime.lowerWord,
                stat.version.word, stat.cversion.word, stat.aversion.word,
                stat.ephemeralOwner.rawValue.upperWord, stat.ephemeralOwner.rawValue.lowerWord,
                stat.dataLength.word, stat.numChildren.word,
                stat.pzxid.rawValue.upperWord, stat.pzxid.rawValue.lowerWord
            ))
    }

    /// 60 bytes, as snapshots keep them.
    @inlinable
    package mutating func writeStoredStat(_ stat: StoredStat) {
        writeWords(
            (
                stat.czxid.rawValue.upperWord, stat.czxid.rawValue.lowerWord,
                stat.mzxid.rawValue.upperWord, stat.mzxid.rawValue.lowerWord,
                stat.ctime.upperWord, stat.ctime.lowerWord, stat.mtime.upperWord, stat.mtime.lowerWord,
                stat.version.word, stat.childCreates.word, stat.aversion.word,
                stat.owner.upperWord, stat.owner.lowerWord,
                stat.pzxid.rawValue.upperWord, stat.pzxid.rawValue.lowerWord
            ))
    }
}

extension ByteReader {
    /// 68 bytes.
    package mutating func readStat() throws(DecodingError) -> Stat {
        guard remaining >= 68 else { throw .cut }
        return Stat(
            czxid: Zxid(rawValue: try readInt64()), mzxid: Zxid(rawValue: try readInt64()),
            ctime: try readInt64(), mtime: try readInt64(),
            version: try readInt32(), cversion: try readInt32(), aversion: try readInt32(),
            ephemeralOwner: SessionID(rawValue: try readInt64()),
            dataLength: try readInt32(), numChildren: try readInt32(),
            pzxid: Zxid(rawValue: try readInt64()))
    }

    /// 60 bytes.
    package mutating func readStoredStat() throws(DecodingError) -> StoredStat {
        guard remaining >= 60 else { throw .cut }
        return StoredStat(
            czxid: Zxid(rawValue: try readInt64()), mzxid: Zxid(rawValue: try readInt64()),
            ctime: try readInt64(), mtime: try readInt64(),
            version: try readInt32(), childCreates: try readInt32(), aversion: try readInt32(),
            owner: try readInt64(), pzxid: Zxid(rawValue: try readInt64()))
    }
}
