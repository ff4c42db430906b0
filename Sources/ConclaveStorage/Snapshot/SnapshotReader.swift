import ConclaveCore
import ConclaveWire

/// Reads one snapshot file, part by part, in bounded memory, and checks its seals.
///
/// The target has been given garbage if this throws; it is told to begin anew when another snapshot is tried.
struct SnapshotReader<D: Disk> {
    private var input: SnapshotInput<D>
    private let name: SnapshotName
    private let limit: Int
    private var nodeCount = 0

    /// What a whole snapshot says about itself.
    struct Summary {
        let zxid: Zxid
        /// As recorded, also where there is nothing to compare it with.
        let digest: SnapshotDigest?
        let nodes: Int

        /// No transaction later than this is in the snapshot.
        ///
        /// The reference's snapshots are written while the tree changes; the digest says how far it had come.
        var newest: Zxid { max(zxid, digest?.zxid ?? zxid) }
    }

    init(_ file: D.File, _ name: SnapshotName, path: String, limit: Int) {
        input = SnapshotInput(file, path: path, compression: name.compression)
        self.name = name
        self.limit = limit
    }

    /// Reads a file into a target.
    /// - Throws: `.corrupt` with the place in the uncompressed bytes, `.disk` when the file cannot be read.
    static func load(
        _ name: SnapshotName, in directory: DataDirectory, into target: inout some RecoveryTarget, limit: Int,
        _ volume: inout Volume<D>
    ) throws(StorageError) -> Summary {
        let path = directory.snapshotPath(name.name)
        let file = try volume.open(path)
        defer { volume.close(file) }
        var reader = SnapshotReader(file, name, path: path, limit: limit)
        return try reader.load(into: &target, &volume)
    }

    /// Reads a file and keeps nothing.
    static func verify(
        _ name: SnapshotName, path: String, limit: Int, _ volume: inout Volume<D>
    ) throws(StorageError) -> Summary {
        let file = try volume.open(path)
        defer { volume.close(file) }
        var reader = SnapshotReader(file, name, path: path, limit: limit)
        var target = NoTarget()
        return try reader.load(into: &target, &volume)
    }

    /// Reads the whole file, once.
    mutating func load(
        into target: inout some RecoveryTarget, _ volume: inout Volume<D>
    ) throws(StorageError) -> Summary {
        try begin(into: &target, &volume)
        while try !nodes(into: &target, limitBytes: .max, &volume) {}
        return try end(into: &target, &volume)
    }

    // MARK: The three parts of a file, in order

    /// Reads header, sessions and access control lists.
    mutating func begin(into target: inout some RecoveryTarget, _ volume: inout Volume<D>) throws(StorageError) {
        target.beginSnapshot()
        try header(&volume)
        for _ in 0..<(try count(&volume)) {
            let session = try part(12, &volume) { reader throws(DecodingError) in
                try SnapshotCodec.readSession(from: &reader)
            }
            target.session(session.id, timeoutMilliseconds: session.timeoutMilliseconds)
        }
        for _ in 0..<(try count(&volume)) {
            let entry = try aclEntry(&volume)
            target.acl(key: entry.key, entry.acl)
        }
    }

    /// Reads nodes until about so many bytes have been read.
    /// - Returns: whether all have been read.
    mutating func nodes(
        into target: inout some RecoveryTarget, limitBytes: Int, _ volume: inout Volume<D>
    ) throws(StorageError) -> Bool {
        let start = input.offset
        while true {
            let run = NodeRun.read(
                input.buffer, from: input.position, limitBytes: limitBytes - Int(input.offset - start),
                maximumFieldBytes: limit, into: &target)
            nodeCount += run.nodes
            input.consume(run.bytes)
            switch run.end {
            case .allRead: return true
            case .limit: return false
            case .needs(let count): try need(count, &volume)
            case .malformed(let error): throw input.error("a node cannot be read: \(error)")
            case .unplaced(let range):
                let path = String(decoding: input.buffer[range], as: UTF8.self)
                throw input.error("the node \(path.isEmpty ? "/" : path) has no parent, or is there twice")
            }
        }
    }

    /// Reads seals and digest.
    mutating func end(
        into target: inout some RecoveryTarget, _ volume: inout Volume<D>
    ) throws(StorageError) -> Summary {
        let summary = Summary(zxid: name.zxid, digest: try tail(&volume), nodes: nodeCount)
        // A zxid of 0, or one before the file's, means that no digest was taken.
        let comparable = summary.digest.flatMap { $0.zxid > .zero && $0.zxid >= name.zxid ? $0 : nil }
        target.endSnapshot(zxid: name.zxid, digest: comparable.map { (zxid: $0.zxid, digest: $0.digest) })
        return summary
    }

    // MARK: Parts

    private mutating func header(_ volume: inout Volume<D>) throws(StorageError) {
        try part(SnapshotCodec.headerBytes, &volume) { reader throws(DecodingError) in
            try SnapshotCodec.readHeader(from: &reader)
        }
    }

    private mutating func count(_ volume: inout Volume<D>) throws(StorageError) -> Int {
        let count = try part(4, &volume) { reader throws(DecodingError) in try reader.readInt32() }
        guard count >= -1 else { throw input.error("expected a count, found \(count)") }
        return max(0, Int(count))
    }

    private mutating func aclEntry(_ volume: inout Volume<D>) throws(StorageError) -> SnapshotACL {
        // An entry says only piece by piece how long it is: key, count, then permissions and two strings each.
        var length = 12
        for _ in 0..<(try int(at: 8, &volume)) {
            length += 4
            for _ in 0..<2 {
                length += 4 + Int(try int(at: length, &volume))
                guard length <= limit else { throw input.error("an access control list of more than \(limit) bytes") }
            }
        }
        return try part(length, &volume) { reader throws(DecodingError) in
            try SnapshotCodec.readACLEntry(from: &reader)
        }
    }

    /// A length that stands some bytes ahead; null counts as 0.
    private mutating func int(at distance: Int, _ volume: inout Volume<D>) throws(StorageError) -> Int32 {
        try need(distance + 4, &volume)
        let start = input.position + distance
        var reader = ByteReader(input.buffer, in: start..<(start + 4))
        // The four bytes are there, so reading them cannot fail.
        guard let value = try? reader.readInt32(), value >= -1 else { throw input.error("expected a length") }
        return max(0, value)
    }

    /// Seals and digest. Old releases end after the first seal; releases from 3.9 have a third part.
    private mutating func tail(_ volume: inout Volume<D>) throws(StorageError) -> SnapshotDigest? {
        try seal(&volume)
        guard try input.need(1, &volume) else { return nil }
        let digest = try digest(&volume)
        try seal(&volume)
        guard try input.need(1, &volume) else { return digest }
        _ = try part(8, &volume) { reader throws(DecodingError) in try reader.readInt64() }
        try seal(&volume)
        guard try !input.need(1, &volume) else { throw input.error("expected the end of the file, found more bytes") }
        return digest
    }

    private mutating func digest(_ volume: inout Volume<D>) throws(StorageError) -> SnapshotDigest {
        try need(12, &volume)
        // Digests before version 2 are text.
        let isText = try int(at: 8, &volume) < 2
        let length = isText ? 16 + Int(try int(at: 12, &volume)) : 20
        guard length <= limit else { throw input.error("a digest of \(length) bytes") }
        return try part(length, &volume) { reader throws(DecodingError) in try SnapshotDigest(from: &reader) }
    }

    private mutating func seal(_ volume: inout Volume<D>) throws(StorageError) {
        let computed = input.checksum()
        let place = input.offset
        let stored = try part(SnapshotCodec.sealBytes, &volume) { reader throws(DecodingError) in
            try SnapshotCodec.readSeal(from: &reader)
        }
        guard stored == Int64(computed) else {
            throw StorageError(
                .corrupt, file: input.path, offset: place,
                "the checksum should be 0x\(String(UInt64(bitPattern: stored), radix: 16)), "
                    + "found 0x\(String(computed, radix: 16))")
        }
    }

    // MARK: Bytes

    private mutating func need(_ count: Int, _ volume: inout Volume<D>) throws(StorageError) {
        guard try input.need(count, &volume) else {
            throw input.error("the snapshot ends early: \(count) more bytes expected")
        }
    }

    /// Decodes a part of known length.
    private mutating func part<R>(
        _ length: Int, _ volume: inout Volume<D>, _ decode: (inout ByteReader) throws(DecodingError) -> R
    ) throws(StorageError) -> R {
        try need(length, &volume)
        var reader = ByteReader(input.buffer, in: input.position..<(input.position + length))
        do {
            let value = try decode(&reader)
            input.consume(length)
            return value
        } catch {
            throw input.error("the snapshot cannot be read: \(error)")
        }
    }
}
