import ConclaveCore

/// The whole records that were found in a piece of a snapshot stream, in their order.
package struct SnapshotBatch: Equatable, Sendable {
    /// One record. What is large lies in ``SnapshotBatch/bytes`` and is not copied.
    package enum Record: Equatable, Sendable {
        case session(SnapshotSession)
        case acl(SnapshotACL)
        /// The ranges lie within ``SnapshotBatch/bytes``.
        case node(SnapshotNode)
    }

    /// What was received, more or less; ranges of nodes refer to it.
    package let bytes: [UInt8]
    /// Sessions, then access control lists, then nodes, the root first.
    package let records: [Record]
}

/// Cuts the snapshot that follows a SNAP packet into records while it arrives.
///
/// ```
/// int count | count × { long session, int timeout }
/// int count | count × { long key, vector<ACL> }
/// nodes, parents first; the root has the path ""
/// ustring "/" | ustring "BenWasHere"           what follows belongs to the packets behind the snapshot
/// ```
///
/// The stream says nowhere how long it is, so it must be read to be passed over. Memory: one incomplete record, which
/// is bounded, plus the bytes of the last ``append(_:)``. Every byte is looked at once and moved twice at the most.
package struct SnapshotStreamDecoder: Sendable {
    /// The text at the end of the stream, which the reference asks for.
    package static let signature = Array("BenWasHere".utf8)
    /// A session: id and time-out.
    private static let sessionBytes = 12
    /// The least that an entry of an access control list takes: permissions and two empty texts.
    private static let entryBytes = 12

    private enum Part: Equatable {
        case sessionCount
        case sessions(left: Int32)
        case aclCount
        /// `scanned` bytes of the present list are known to be there, `entries` of it are not; -1 before its count is.
        case acls(left: Int32, scanned: Int, entries: Int32)
        case root
        case nodes
        case signature
        case end
    }

    private var buffer: [UInt8] = []
    private var part = Part.sessionCount
    private let maximumFieldBytes: Int

    /// - Parameter maximumFieldBytes: the longest path and data that are accepted, and the longest access control list.
    package init(maximumFieldBytes: Int = FrameLimit.defaultMaximumStoredBytes) {
        self.maximumFieldBytes = maximumFieldBytes
    }

    /// Whether the signature has been read.
    package var isComplete: Bool { part == .end }

    /// Takes received bytes.
    package mutating func append(_ bytes: Span<UInt8>) {
        // Safe: the pointer does not leave the closure.
        unsafe bytes.withUnsafeBufferPointer { unsafe buffer.append(contentsOf: $0) }
    }

    /// Takes the whole records among what has been received.
    ///
    /// - Returns: `nil` if there is none; ``isComplete`` tells whether more can come.
    /// - Throws: for bytes that are no snapshot. The decoder is of no use afterwards.
    package mutating func next() throws(DecodingError) -> SnapshotBatch? {
        var records: [SnapshotBatch.Record] = []
        var reader = ByteReader(buffer)
        var next = part
        var end = 0
        while next != .end, let following = try step(next, &reader, &records) {
            next = following
            // A list that is known in part stays in the buffer from its start.
            if case .acls(_, let scanned, _) = next, scanned > 0 { continue }
            end = reader.offset
        }
        part = next
        guard end > 0 else { return nil }
        guard !records.isEmpty else {
            drop(end)
            return nil
        }
        let batch = SnapshotBatch(bytes: buffer, records: records)
        buffer = Array(buffer[end...])
        return batch
    }

    /// Gives back what was received behind the snapshot; to be asked for once it is complete.
    package mutating func takeRest() -> [UInt8] {
        defer { buffer = [] }
        return buffer
    }

    private mutating func drop(_ count: Int) {
        buffer.removeSubrange(0..<count)
    }
}

/// One step of decoding each: from one part to the next, or `nil` while there are too few bytes.
extension SnapshotStreamDecoder {
    private func step(
        _ part: Part, _ reader: inout ByteReader, _ records: inout [SnapshotBatch.Record]
    ) throws(DecodingError) -> Part? {
        switch part {
        case .sessionCount:
            guard let count = try Self.count(&reader) else { return nil }
            return count == 0 ? .aclCount : .sessions(left: count)
        case .sessions(let left):
            guard reader.remaining >= Self.sessionBytes else { return nil }
            records.append(.session(try SnapshotCodec.readSession(from: &reader)))
            return left == 1 ? .aclCount : .sessions(left: left - 1)
        case .aclCount:
            guard let count = try Self.count(&reader) else { return nil }
            return count == 0 ? .root : .acls(left: count, scanned: 0, entries: -1)
        case .acls(let left, let scanned, let entries):
            return try acl(left, scanned, entries, &reader, &records)
        case .root, .nodes: return try node(isRoot: part == .root, &reader, &records)
        case .signature:
            guard reader.remaining >= 4 + Self.signature.count else { return nil }
            let text = try reader.readBuffer()
            guard text == Self.signature else { throw .invalid("signature of a snapshot") }
            return .end
        case .end: return nil
        }
    }

    private static func count(_ reader: inout ByteReader) throws(DecodingError) -> Int32? {
        guard reader.remaining >= 4 else { return nil }
        let count = try reader.readInt32()
        guard count >= -1 else { throw .badLength(count) }
        return max(0, count)
    }

    /// Goes on looking how long the next list is, and decodes it once all of it is there.
    ///
    /// The place that the scan has come to is remembered, so that a list that arrives in small pieces is not looked at
    /// from its start each time.
    private func acl(
        _ left: Int32, _ scanned: Int, _ entries: Int32, _ reader: inout ByteReader,
        _ records: inout [SnapshotBatch.Record]
    ) throws(DecodingError) -> Part? {
        let start = reader.offset
        var scan = reader
        try scan.skip(scanned)
        if entries < 0 {
            guard scan.remaining >= 12 else { return nil }
            try scan.skip(8)
            let count = max(0, try Self.count(&scan) ?? 0)
            guard Int(count) * Self.entryBytes <= maximumFieldBytes else { throw .badLength(count) }
            return count == 0
                ? try finish(left, &reader, &records) : .acls(left: left, scanned: scan.offset - start, entries: count)
        }
        guard scan.remaining >= Self.entryBytes else { return nil }
        try scan.skip(4)
        for _ in 0..<2 {
            guard scan.remaining >= 4 else { return nil }
            let length = try scan.readInt32()
            guard length >= 0, Int(length) <= maximumFieldBytes - (scan.offset - start) else {
                throw .badLength(length)
            }
            guard scan.remaining >= Int(length) else { return nil }
            try scan.skip(Int(length))
        }
        return entries == 1
            ? try finish(left, &reader, &records)
            : .acls(left: left, scanned: scan.offset - start, entries: entries - 1)
    }

    private func finish(
        _ left: Int32, _ reader: inout ByteReader, _ records: inout [SnapshotBatch.Record]
    ) throws(DecodingError) -> Part {
        records.append(.acl(try SnapshotCodec.readACLEntry(from: &reader)))
        return left == 1 ? .root : .acls(left: left - 1, scanned: 0, entries: -1)
    }

    private func node(
        isRoot: Bool, _ reader: inout ByteReader, _ records: inout [SnapshotBatch.Record]
    ) throws(DecodingError) -> Part? {
        guard let length = try SnapshotCodec.nodeByteCount(reader, maximumFieldBytes: maximumFieldBytes),
            length <= reader.remaining
        else { return nil }
        guard let node = try SnapshotCodec.readNode(from: &reader) else {
            guard !isRoot else { throw .invalid("snapshot without a root") }
            return .signature
        }
        guard node.path.isEmpty == isRoot, isRoot || reader.bytes[node.path.lowerBound] == UInt8(ascii: "/") else {
            throw .invalid("path in a snapshot")
        }
        records.append(.node(node))
        return .nodes
    }
}
