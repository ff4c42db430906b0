import ConclaveCore

/// The layout of transaction logs.
///
/// ```
/// int magic "ZKLG" | int version 2 | long database id 0 | entries … | zero padding
/// entry: long Adler-32 of the bytes | int length | bytes | 'B'
/// ```
///
/// A log ends at a checksum and length of zero, or with the file.
package enum LogFormat {
    /// "ZKLG".
    package static let magic: Int32 = 0x5A4B_4C47
    package static let version: Int32 = 2
    package static let databaseID: Int64 = 0
    package static let headerBytes = 16
    /// Checksum and length.
    package static let entryHeaderBytes = 12
    /// What stands after the bytes of an entry: 'B'.
    package static let endOfEntry = UInt8(ascii: "B")

    package static func writeHeader(into writer: inout ByteWriter) {
        writer.writeInt32(magic)
        writer.writeInt32(version)
        writer.writeInt64(databaseID)
    }

    /// Reads the header of a file; another magic or version throws `.invalid`. The database id is not looked at.
    package static func readHeader(from reader: inout ByteReader) throws(DecodingError) {
        let (magic, version) = (try reader.readInt32(), try reader.readInt32())
        _ = try reader.readInt64()
        guard magic == Self.magic else { throw .invalid("magic number \(hexadecimal(magic)) of a log") }
        guard version == Self.version else { throw .invalid("version \(version) of a log") }
    }

    /// Appends one entry, with its checksum. Cost: one pass over its bytes besides writing them.
    package static func writeEntry(_ transaction: Transaction, into writer: inout ByteWriter) {
        writer.writeInt64(0)
        let start = writer.openLength()
        TransactionCodec.encode(transaction, into: &writer)
        writer.closeLength(at: start)
        let checksum = Adler32.checksum(writer.bytes.span.extracting(start..<writer.count))
        for index in 0..<4 {
            writer.bytes[start - 8 + index] = UInt8(truncatingIfNeeded: checksum >> UInt32(24 - 8 * index))
        }
        writer.writeByte(endOfEntry)
    }

    static func hexadecimal(_ value: Int32) -> String { "0x" + String(UInt32(bitPattern: value), radix: 16) }
}
