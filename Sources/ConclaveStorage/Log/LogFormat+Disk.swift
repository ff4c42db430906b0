import ConclaveCore
import ConclaveWire

extension LogFormat {
    /// No transaction is shorter than its header.
    static let minimumTransactionBytes = TransactionCodec.headerBytes
    /// What a disk writes at once, or not at all.
    static let sectorBytes = 512
    /// The most that is ever written between two syncs. Whatever stands further behind a damaged entry was written after a
    /// sync of that entry.
    static let maximumUnsyncedBytes = 4 << 20

    static let header: [UInt8] = {
        var writer = ByteWriter(capacity: headerBytes)
        writeHeader(into: &writer)
        return writer.bytes
    }()
}

extension Zxid {
    /// Whether a transaction may stand directly behind this one in the history: the next number, or the first of a later
    /// epoch.
    package func isFollowed(by next: Zxid) -> Bool {
        next.rawValue == rawValue &+ 1 || (next > self && next.epoch != epoch && next.counter == 1)
    }
}
