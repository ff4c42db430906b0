import ConclaveCore
import ConclaveWire

/// Writes one snapshot beside the others; it appears under its name when it is whole, synced and read back.
///
/// The steps are small enough for a thread that also syncs the log: no call writes more than it is given plus one sync, and
/// syncs are never far apart.
struct SnapshotWriter<D: Disk> {
    let zxid: Zxid
    let temporaryPath: String
    private let directory: DataDirectory
    private let file: D.File
    private var position: Int64 = 0
    private var unsynced = 0
    private var sum = Adler32()

    /// After so many bytes the file is synced, so that the last sync is short.
    private static var syncEveryBytes: Int { 8 << 20 }

    /// Makes the file and writes its header.
    init(_ zxid: Zxid, in directory: DataDirectory, _ volume: inout Volume<D>) throws(StorageError) {
        self.zxid = zxid
        self.directory = directory
        temporaryPath = directory.snapshotPath(FileName.snapshot(zxid)) + FileName.temporarySuffix
        if try volume.exists(temporaryPath) { try volume.remove(temporaryPath) }
        file = try volume.create(temporaryPath)
        var header = ByteWriter(capacity: SnapshotCodec.headerBytes)
        SnapshotCodec.writeHeader(into: &header)
        try write(header.bytes.span, &volume)
    }

    /// Appends encoded sessions, access control lists or nodes.
    mutating func write(_ bytes: Span<UInt8>, _ volume: inout Volume<D>) throws(StorageError) {
        sum.update(bytes)
        try volume.write(file, bytes, at: position)
        position += Int64(bytes.count)
        unsynced += bytes.count
        if unsynced >= Self.syncEveryBytes {
            try volume.synchronize(file)
            unsynced = 0
        }
    }

    /// Writes terminator, seals and digest, and syncs. Nothing can be written afterwards.
    mutating func seal(digest: SnapshotDigest?, _ volume: inout Volume<D>) throws(StorageError) {
        var tail = ByteWriter()
        SnapshotCodec.writeTerminator(into: &tail)
        var sealed = sum
        sealed.update(tail.bytes.span)
        SnapshotCodec.writeSeal(sealed.value, into: &tail)
        if let digest {
            digest.encode(into: &tail)
            var sealed = sum
            sealed.update(tail.bytes.span)
            SnapshotCodec.writeSeal(sealed.value, into: &tail)
        }
        try write(tail.bytes.span, &volume)
        try volume.synchronize(file)
        volume.close(file)
    }

    /// Gives the sealed file its name.
    func publish(_ volume: inout Volume<D>) throws(StorageError) {
        try volume.rename(temporaryPath, to: directory.snapshotPath(FileName.snapshot(zxid)))
        try volume.synchronizeDirectory(directory.snapshots)
    }

    /// Gives up and leaves nothing behind.
    func abandon(_ volume: inout Volume<D>) throws(StorageError) {
        letGo(&volume)
        try volume.remove(temporaryPath)
    }

    /// Closes the file as it is.
    func letGo(_ volume: inout Volume<D>) { volume.close(file) }
}

/// Reads a sealed snapshot back, piece by piece, before it is published: what cannot be loaded must not replace what can.
struct SnapshotCheck<D: Disk> {
    let writer: SnapshotWriter<D>
    private let file: D.File
    private var reader: SnapshotReader<D>
    private var hasBegun = false

    init(_ writer: SnapshotWriter<D>, limit: Int, _ volume: inout Volume<D>) throws(StorageError) {
        self.writer = writer
        file = try volume.open(writer.temporaryPath)
        let name = SnapshotName(name: FileName.snapshot(writer.zxid), zxid: writer.zxid, compression: .none)
        reader = SnapshotReader(file, name, path: writer.temporaryPath, limit: limit)
    }

    /// Reads about so many bytes more.
    /// - Returns: whether the whole file has been read, and is sound.
    mutating func advance(limitBytes: Int, _ volume: inout Volume<D>) throws(StorageError) -> Bool {
        var target = NoTarget()
        if !hasBegun {
            try reader.begin(into: &target, &volume)
            hasBegun = true
        }
        guard try reader.nodes(into: &target, limitBytes: limitBytes, &volume) else { return false }
        _ = try reader.end(into: &target, &volume)
        volume.close(file)
        return true
    }

    /// Gives up and leaves nothing behind.
    func abandon(_ volume: inout Volume<D>) throws(StorageError) {
        letGo(&volume)
        try volume.remove(writer.temporaryPath)
    }

    /// Closes the file as it is.
    func letGo(_ volume: inout Volume<D>) { volume.close(file) }
}

/// The snapshot that a new database begins with.
enum EmptySnapshot {
    /// Sessions, access control lists and nodes: the built-in ones. The configuration node may be read by everybody and
    /// changed by nobody; its list's version is -1, as the reference leaves it.
    static var body: [UInt8] {
        var writer = ByteWriter()
        SnapshotCodec.writeSessions([], into: &writer)
        SnapshotCodec.writeACLTable([SnapshotACL(key: 1, acl: .readOnly)], into: &writer)
        let nodes: [(path: String, aclKey: Int64, aversion: Int32)] = [
            ("", SnapshotCodec.openACLKey, 0), ("/zookeeper", SnapshotCodec.openACLKey, 0),
            ("/zookeeper/config", 1, -1), ("/zookeeper/quota", SnapshotCodec.openACLKey, 0),
        ]
        for node in nodes {
            let stat = StoredStat(
                czxid: .zero, mzxid: .zero, ctime: 0, mtime: 0, version: 0, childCreates: 0, aversion: node.aversion,
                owner: 0, pzxid: .zero)
            let path = Array(node.path.utf8)
            SnapshotCodec.writeNode(path: path.span, data: [], aclKey: node.aclKey, stat: stat, into: &writer)
        }
        return writer.bytes
    }

    /// No digest has been taken of a tree without a transaction.
    static let digest = SnapshotDigest(zxid: .zero, digest: TreeDigest(value: 0))
}
