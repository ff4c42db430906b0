import ConclaveCore
import ConclaveTree
import ConclaveWire
import Foundation

/// Files captured from the reference.
enum Vectors {
    private static func url(_ name: String) -> URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Vectors").appendingPathComponent(name)
    }

    static func bytes(_ name: String) throws -> [UInt8] { Array(try Data(contentsOf: url(name))) }

    static func computed<T: Decodable>(_ key: String, as type: [T].Type) throws -> [T] {
        // One path in the file is half a surrogate pair, which no parser takes; the paths are tested elsewhere.
        let text = try String(contentsOf: url("computed.json"), encoding: .utf8)
            .replacingOccurrences(of: "\\ud800", with: "?")
        let object = try JSONSerialization.jsonObject(with: Data(text.utf8))
        let part = (object as? [String: Any])?[key] ?? []
        return try JSONDecoder().decode(type, from: JSONSerialization.data(withJSONObject: part))
    }

    /// The transactions of a log file, up to its padding.
    static func transactions(_ name: String) throws -> [Transaction] {
        var reader = ByteReader(try bytes(name))
        try reader.skip(16)
        var result: [Transaction] = []
        while reader.remaining >= 12 {
            let checksum = try reader.readInt64()
            guard let range = try reader.readRange(), !range.isEmpty, checksum != 0 else { break }
            var entry = ByteReader(reader.bytes, in: range)
            result.append(try TransactionCodec.decode(&entry))
            try reader.skip(1)
        }
        return result
    }

    /// A tree from a snapshot file, with what was found wrong.
    static func tree(_ name: String, zxid: Int64, options: TreeOptions) throws -> (DataTree, [LoadProblem]) {
        var reader = ByteReader(try bytes(name))
        try SnapshotCodec.readHeader(from: &reader)
        var tree = DataTree(options: options)
        tree.beginLoading()
        for session in try SnapshotCodec.readSessions(from: &reader) {
            tree.loadSession(session.id, timeoutMilliseconds: session.timeoutMilliseconds)
        }
        for entry in try SnapshotCodec.readACLTable(from: &reader) { tree.loadACL(key: entry.key, acl: entry.acl) }
        while let node = try SnapshotCodec.readNode(from: &reader) {
            let data = node.data.map { Array(reader.bytes[$0]) }
            _ = tree.load(Array(reader.bytes[node.path]), data, key: node.aclKey, node.stat)
        }
        _ = try SnapshotCodec.readSeal(from: &reader)
        let digest = try SnapshotDigest(from: &reader)
        let problems = tree.finishLoading(zxid: Zxid(rawValue: zxid), digest: (digest.zxid, digest.digest))
        return (tree, problems)
    }
}
