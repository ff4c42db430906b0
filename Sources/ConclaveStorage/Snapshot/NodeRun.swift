import ConclaveCore
import ConclaveWire

/// The nodes of a snapshot that lie whole in a buffer.
///
/// Apart from the reader of the file because this is the loop that a start spends its time in: it knows nothing of disks, so
/// that the compiler makes one quick loop of it.
enum NodeRun {
    /// Why a run ended.
    enum End {
        /// The mark behind the last node has been read.
        case allRead
        /// So many bytes from the end of the run on are needed to go on.
        case needs(Int)
        /// The target could not place the node at the end of the run.
        case unplaced(path: Range<Int>)
        case malformed(DecodingError)
        /// As many bytes have been read as were asked for.
        case limit
    }

    /// - Parameters:
    ///   - start: where in the buffer the first node begins.
    ///   - limitBytes: after so many bytes the run ends.
    static func read(
        _ buffer: [UInt8], from start: Int, limitBytes: Int, maximumFieldBytes: Int,
        into target: inout some RecoveryTarget
    ) -> (bytes: Int, nodes: Int, end: End) {
        let span = buffer.span
        var reader = ByteReader(buffer, in: start..<buffer.count)
        var nodes = 0
        while reader.offset - start < limitBytes {
            let place = reader.offset
            do throws(DecodingError) {
                guard let length = try SnapshotCodec.nodeByteCount(reader, maximumFieldBytes: maximumFieldBytes) else {
                    return (place - start, nodes, .needs(reader.remaining + 1))
                }
                guard length <= reader.remaining else { return (place - start, nodes, .needs(length)) }
                guard let node = try SnapshotCodec.readNode(from: &reader) else {
                    return (place - start + length, nodes, .allRead)
                }
                let data: Span<UInt8>? = if let range = node.data { span.extracting(range) } else { nil }
                let isPlaced = target.node(
                    path: span.extracting(node.path), data: data, aclKey: node.aclKey, stat: node.stat)
                guard isPlaced else { return (place - start, nodes, .unplaced(path: node.path)) }
                nodes += 1
            } catch {
                return (place - start, nodes, .malformed(error))
            }
        }
        return (reader.offset - start, nodes, .limit)
    }
}
