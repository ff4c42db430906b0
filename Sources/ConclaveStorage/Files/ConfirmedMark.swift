import ConclaveCore

/// The highest zxid known to be synced, in a small file of its own beside the logs.
///
/// Apache's log format cannot say which of its entries were synced, so a damaged entry could be a torn write that nobody
/// was promised anything about, or the loss of an acknowledged one. This file, physically apart, tells: it is rewritten after
/// each sync, without a sync of its own. It may therefore lag behind after a power failure, never run ahead; a lagging mark only
/// proves less. Apache's server ignores the file.
///
/// ```
///  0  8 bytes  "CNCLMARK"
///  8  int      version, 1
/// 12  long     zxid
/// 20  int      Adler-32 of the bytes before
/// ```
///
/// Source: the persist record of Alagappan et al., Protocol-Aware Recovery (FAST 2018), weakened to one per log.
struct ConfirmedMark<D: Disk> {
    static var byteCount: Int { 24 }

    private let file: D.File
    private(set) var zxid: Zxid

    /// What a mark file says.
    enum Found: Equatable {
        case absent
        case damaged
        case confirmed(Zxid)
    }

    static func read(_ directory: DataDirectory, _ volume: inout Volume<D>) throws(StorageError) -> Found {
        guard let bytes = try volume.readSmallFile(directory.confirmedPath) else { return .absent }
        guard bytes.count == byteCount else { return .damaged }
        // The count was checked, so reading cannot fail.
        var reader = ByteReader(bytes)
        guard let magic = try? reader.readInt64(), let version = try? reader.readInt32(),
            let zxid = try? reader.readInt64(), let sum = try? reader.readInt32()
        else { return .damaged }
        guard magic == self.magic, version == 1,
            UInt32(bitPattern: sum) == Adler32.checksum(bytes.span.extracting(0..<20))
        else { return .damaged }
        return .confirmed(Zxid(rawValue: zxid))
    }

    /// Opens or makes the file and writes a zxid that is certain to survive.
    static func establish(
        _ zxid: Zxid, _ directory: DataDirectory, _ volume: inout Volume<D>
    ) throws(StorageError) -> ConfirmedMark {
        let path = directory.confirmedPath
        if try !volume.exists(path) {
            try volume.publish(encode(zxid), as: FileName.confirmed, in: directory.logs)
            return ConfirmedMark(file: try volume.openForWriting(path), zxid: zxid)
        }
        var mark = ConfirmedMark(file: try volume.openForWriting(path), zxid: zxid)
        try mark.set(zxid, &volume)
        return mark
    }

    private init(file: D.File, zxid: Zxid) {
        self.file = file
        self.zxid = zxid
    }

    /// Everything through `zxid` has been synced.
    mutating func confirm(_ zxid: Zxid, _ volume: inout Volume<D>) throws(StorageError) {
        try volume.write(file, Self.encode(zxid).span, at: 0)
        self.zxid = zxid
    }

    /// As ``confirm(_:_:)``, and the mark itself is certain to survive. The only way to lower it.
    mutating func set(_ zxid: Zxid, _ volume: inout Volume<D>) throws(StorageError) {
        try confirm(zxid, &volume)
        try volume.truncate(file, to: Int64(Self.byteCount))
        try volume.synchronize(file)
    }

    func close(_ volume: inout Volume<D>) { volume.close(file) }

    private static var magic: Int64 { 0x434E_434C_4D41_524B }

    private static func encode(_ zxid: Zxid) -> [UInt8] {
        var writer = ByteWriter(capacity: byteCount)
        writer.writeInt64(magic)
        writer.writeInt32(1)
        writer.writeInt64(zxid.rawValue)
        writer.writeInt32(Int32(bitPattern: Adler32.checksum(writer.bytes.span)))
        return writer.bytes
    }
}
