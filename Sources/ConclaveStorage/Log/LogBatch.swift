import ConclaveCore
import ConclaveWire

/// Log entries of consecutive transactions, encoded where the transactions are made and written by the storage thread.
///
/// Every transaction is encoded in place, once, and the batch is written as it stands.
package struct LogBatch: Sendable {
    private var writer = ByteWriter()
    package private(set) var count = 0
    /// `.zero` while empty.
    package private(set) var firstZxid = Zxid.zero
    /// `.zero` while empty.
    package private(set) var lastZxid = Zxid.zero
    /// Where the bytes of the last transaction stand in ``bytes``: what a leader proposes to its followers.
    package private(set) var lastTransaction = 0..<0
    /// The longest transaction in bytes.
    private(set) var longest = 0
    /// The first transaction that did not follow the one before; the store refuses such a batch.
    private(set) var firstGap: Zxid?

    package init() {}

    package var isEmpty: Bool { count == 0 }
    package var bytes: [UInt8] { writer.bytes }
    package var byteCount: Int { writer.count }

    /// Adds a transaction, which must follow the last one.
    package mutating func append(_ transaction: Transaction) {
        let start = writer.count
        LogFormat.writeEntry(transaction, into: &writer)
        added(transaction.header.zxid, from: start)
    }

    /// Adds a transaction that is already encoded, as it came from a leader.
    package mutating func append(encoded: ArraySlice<UInt8>, zxid: Zxid) {
        let start = writer.count
        writer.writeInt64(0)
        let body = writer.openLength()
        writer.writeRaw(encoded)
        writer.closeLength(at: body)
        let checksum = Adler32.checksum(writer.bytes.span.extracting(body..<writer.count))
        for index in 0..<4 {
            writer.bytes[body - 8 + index] = UInt8(truncatingIfNeeded: checksum >> UInt32(24 - 8 * index))
        }
        writer.writeByte(LogFormat.endOfEntry)
        added(zxid, from: start)
    }

    /// Empties the batch for the next turn.
    package mutating func removeAll(keepingCapacity: Bool = false) {
        var kept = ByteWriter()
        if keepingCapacity {
            swap(&kept, &writer)
            kept.bytes.removeAll(keepingCapacity: true)
        }
        self = LogBatch()
        writer = kept
    }

    private mutating func added(_ zxid: Zxid, from start: Int) {
        lastTransaction = (start + LogFormat.entryHeaderBytes)..<(writer.count - 1)
        longest = max(longest, lastTransaction.count)
        if count == 0 {
            firstZxid = zxid
        } else if firstGap == nil, !lastZxid.isFollowed(by: zxid) {
            firstGap = zxid
        }
        lastZxid = zxid
        count += 1
    }
}
