import ConclaveCore

/// The end of the newest log, which nobody was promised anything about, and which may be in memory only.
///
/// After a sync that failed, systems take what they could not write for written: it can be read until the power fails, and
/// no later sync writes it. The server whose sync failed ends (DESIGN D5); the next one finds those bytes and must write them
/// again before it builds on them.
///
/// Source: Rebello and others, Can applications recover from fsync failures? (ATC 2020); found by the simulator.
enum UnconfirmedTail {
    private static let sliceBytes = 1 << 20

    /// Writes everything behind the last transaction that the mark confirms again, in place; a sync must follow.
    static func rewrite<D: Disk>(
        _ path: String, behind confirmed: Zxid?, limit: Int, _ volume: inout Volume<D>
    ) throws(StorageError) {
        let file = try volume.openForWriting(path)
        defer { volume.close(file) }
        var reader = try LogFileReader(file, path: path, limit: limit, &volume)
        var offset: Int64 = 0
        while try reader.skip(through: confirmed ?? Zxid(rawValue: -1), &volume) != nil { offset = reader.offset }
        while try reader.skip(through: Zxid(rawValue: .max), &volume) != nil {}
        var buffer: [UInt8] = []
        while offset < reader.offset {
            buffer.removeAll(keepingCapacity: true)
            let count = Int(min(Int64(sliceBytes), reader.offset - offset))
            let read = try volume.read(file, at: offset, count: count, into: &buffer)
            guard read > 0 else { break }
            try volume.write(file, buffer.span, at: offset)
            offset += Int64(read)
        }
    }
}
