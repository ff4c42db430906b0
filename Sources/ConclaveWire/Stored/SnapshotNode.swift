import ConclaveCore

/// A node record of a snapshot, read in place.
package struct SnapshotNode: Equatable, Sendable {
    /// Where the path lies within the reader's bytes; empty for the root.
    package let path: Range<Int>
    /// Where the data lies within the reader's bytes; `nil` for null.
    package let data: Range<Int>?
    /// The key of the node's access control list in the table, or ``SnapshotCodec/openACLKey``.
    package let aclKey: Int64
    package let stat: StoredStat
}

extension SnapshotCodec {
    /// What follows path and data: ACL key and stat.
    private static let nodeTailBytes = 68

    /// Appends the record of a node; the root's path must be given as "".
    package static func writeNode(
        path: Span<UInt8>, data: [UInt8]?, aclKey: Int64, stat: StoredStat, into writer: inout ByteWriter
    ) {
        writer.writeBuffer(path)
        writer.writeBuffer(data)
        writer.writeInt64(aclKey)
        writer.writeStoredStat(stat)
    }

    /// Reads the next node; `nil` when the terminator was read instead.
    package static func readNode(from reader: inout ByteReader) throws(DecodingError) -> SnapshotNode? {
        let path = try reader.readPathRange()
        if path.count == 1, reader.bytes[path.lowerBound] == UInt8(ascii: "/") { return nil }
        let data = try reader.readRange()
        let aclKey = try reader.readInt64()
        return SnapshotNode(path: path, data: data, aclKey: aclKey, stat: try reader.readStoredStat())
    }

    /// How many bytes the node or terminator takes that starts where the reader stands, for those who read a file in
    /// pieces.
    ///
    /// - Returns: `nil` if the reader ends before that can be told; otherwise the number, which may be more than is
    ///   there.
    /// - Throws: for lengths that are negative or above `maximumFieldBytes`.
    package static func nodeByteCount(
        _ reader: ByteReader, maximumFieldBytes: Int = FrameLimit.defaultMaximumStoredBytes
    ) throws(DecodingError) -> Int? {
        var reader = reader
        guard reader.remaining >= 4 else { return nil }
        let path = try fieldLength(&reader, maximumFieldBytes)
        guard path >= 0 else { throw .null("path") }
        guard reader.remaining >= path else { return nil }
        if path == 1, reader.bytes[reader.offset] == UInt8(ascii: "/") { return terminator.count }
        try reader.skip(path)
        guard reader.remaining >= 4 else { return nil }
        let data = try fieldLength(&reader, maximumFieldBytes)
        return 4 + path + 4 + max(data, 0) + nodeTailBytes
    }

    private static func fieldLength(_ reader: inout ByteReader, _ maximum: Int) throws(DecodingError) -> Int {
        let length = try reader.readInt32()
        guard length >= -1, Int(length) <= maximum else { throw .badLength(length) }
        return Int(length)
    }
}
