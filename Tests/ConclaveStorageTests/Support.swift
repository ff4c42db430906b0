import ConclaveCore
import ConclaveSimulator
import ConclaveStorage
import ConclaveWire
import Foundation
import Testing

/// Files captured from the reference.
enum Vector {
    static func bytes(_ name: String) throws -> [UInt8] {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        return Array(try Data(contentsOf: folder.appending(path: "Vectors").appending(path: name)))
    }
}

/// Keeps what recovery gives it: every transaction of the test history creates one node that is named after its zxid.
struct ModelTarget: RecoveryTarget {
    var zxids: [Zxid] = []
    var nodes: [String] = []
    var data: [String: [UInt8]?] = [:]
    var stats: [String: StoredStat] = [:]
    var aclKeys: [String: Int64] = [:]
    var sessions: [SessionID: Int32] = [:]
    var acls: [SnapshotACL] = []
    var transactions: [Transaction] = []
    var snapshotZxid: Zxid?
    var digest: (zxid: Zxid, digest: TreeDigest)?
    var beginnings = 0

    mutating func beginSnapshot() {
        self = ModelTarget(beginnings: beginnings + 1)
    }

    mutating func session(_ session: SessionID, timeoutMilliseconds: Int32) { sessions[session] = timeoutMilliseconds }
    mutating func acl(key: Int64, _ acl: [ACL]) { acls.append(SnapshotACL(key: key, acl: acl)) }

    mutating func node(path: Span<UInt8>, data: Span<UInt8>?, aclKey: Int64, stat: StoredStat) -> Bool {
        let bytes = path.copy
        let name = String(decoding: bytes, as: UTF8.self)
        guard self.data[name] == nil else { return false }
        if let parent = NodePath(utf8: bytes).parent, self.data[parent == .root ? "" : parent.text] == nil {
            return false
        }
        nodes.append(name)
        if let data { self.data[name] = .some(data.copy) } else { self.data[name] = .some(nil) }
        stats[name] = stat
        aclKeys[name] = aclKey
        if name.hasPrefix("/n") { zxids.append(stat.czxid) }
        return true
    }

    mutating func endSnapshot(zxid: Zxid, digest: (zxid: Zxid, digest: TreeDigest)?) {
        snapshotZxid = zxid
        self.digest = digest
    }

    mutating func replay(_ transaction: Transaction) {
        transactions.append(transaction)
        zxids.append(transaction.header.zxid)
    }
}

extension ModelTarget {
    init(beginnings: Int) { self.beginnings = beginnings }

    /// Whether the state is that directly behind a transaction: everything before it, nothing twice, nothing else.
    func holdsExactly(through last: Zxid) -> Bool {
        zxids.map(\.rawValue).sorted() == Array(1..<max(1, last.rawValue + 1))
    }
}

/// Makes and checks a history.
enum History {
    static let folder = "/data"
    static var versionFolder: String { folder + "/version-2" }
    static func log(_ zxid: Int64) -> String { versionFolder + "/" + FileName.log(Zxid(rawValue: zxid)) }
    static func snapshot(_ zxid: Int64) -> String { versionFolder + "/" + FileName.snapshot(Zxid(rawValue: zxid)) }
    static var mark: String { versionFolder + "/" + FileName.confirmed }

    static var options: StorageOptions {
        var options = StorageOptions()
        options.preallocateBytes = 8192
        options.retainSnapshots = 2
        return options
    }

    static func transaction(_ zxid: Zxid, data: [UInt8] = [1, 2, 3]) -> Transaction {
        let path = NodePath("/n" + String(zxid.rawValue, radix: 16))
        let change = CreateChange(
            form: .create2, path: path, data: data, acl: .open, isEphemeral: false,
            parentChildCreates: Int32(truncatingIfNeeded: zxid.rawValue))
        return Transaction(
            header: TransactionHeader(
                session: SessionID(rawValue: 0x7777), cxid: 1, zxid: zxid, timeMilliseconds: 1_700_000_000_000),
            change: .create(change), digest: TreeDigest(value: zxid.rawValue &* 0x9E37))
    }

    static func batch(_ zxids: ClosedRange<Int64>, data: [UInt8] = [1, 2, 3]) -> LogBatch {
        var batch = LogBatch()
        for zxid in zxids { batch.append(transaction(Zxid(rawValue: zxid), data: data)) }
        return batch
    }

    /// The encoded body of a snapshot that holds the test history through a zxid.
    static func snapshotBody(through last: Zxid) -> [UInt8] {
        var writer = ByteWriter()
        SnapshotCodec.writeSessions(
            [SnapshotSession(id: SessionID(rawValue: 0x7777), timeoutMilliseconds: 9000)], into: &writer)
        SnapshotCodec.writeACLTable([SnapshotACL(key: 1, acl: .readOnly)], into: &writer)
        var paths: [(String, Zxid)] = [("", .zero), ("/zookeeper", .zero)]
        for zxid in stride(from: Int64(1), through: last.rawValue, by: 1) {
            paths.append(("/n" + String(zxid, radix: 16), Zxid(rawValue: zxid)))
        }
        for (path, zxid) in paths {
            let stat = StoredStat(
                czxid: zxid, mzxid: zxid, ctime: 0, mtime: 0, version: 0, childCreates: 0, aversion: 0, owner: 0,
                pzxid: zxid)
            let utf8 = Array(path.utf8)
            SnapshotCodec.writeNode(path: utf8.span, data: [7], aclKey: -1, stat: stat, into: &writer)
        }
        return writer.bytes
    }

    static func store(
        _ disk: SimulatedDisk, options: StorageOptions = options, logs: String = folder
    ) -> Store<SimulatedDisk> {
        Store(disk: disk, dataDirectory: folder, logDirectory: logs, options: options)
    }

    static func recover(
        _ disk: SimulatedDisk, options: StorageOptions = options, logs: String = folder
    ) throws -> (store: Store<SimulatedDisk>, target: ModelTarget, recovered: Recovered) {
        var store = store(disk, options: options, logs: logs)
        var target = ModelTarget()
        let recovered = try store.recover(into: &target)
        return (store, target, recovered)
    }

    static func snapshot(_ store: inout Store<SimulatedDisk>) throws {
        let zxid = store.lastZxid
        try store.beginSnapshot(zxid: zxid)
        try store.writeSnapshot(snapshotBody(through: zxid))
        try store.finishSnapshot(digest: (zxid, TreeDigest(value: 5)))
    }

    /// A closed directory with snapshots 0, 10 and 20 and logs 1, b and 15, through zxid 30.
    static func threeFiles(close: Bool = true) throws -> SimulatedDisk {
        var (store, _, _) = try recover(SimulatedDisk())
        for start in [Int64(1), 11, 21] {
            _ = try store.append(batch(start...(start + 4)))
            _ = try store.append(batch((start + 5)...(start + 9), data: [UInt8](repeating: 9, count: 300)))
            if start < 21 { try snapshot(&store) }
        }
        if close { try store.close() }
        return store.disk.afterCleanEnd()
    }
}

extension Span<UInt8> {
    var copy: [UInt8] { withUnsafeBufferPointer { Array($0) } }
}

/// The storage error that a body throws.
func storageError(_ body: () throws -> Void) -> StorageError? {
    do {
        try body()
        return nil
    } catch { return error as? StorageError }
}
