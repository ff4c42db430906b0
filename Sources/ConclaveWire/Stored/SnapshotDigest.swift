import ConclaveCore

/// The digest of the tree at the end of a snapshot, and where in the history it held.
///
/// ```
/// long zxid | int version | long digest          (version below 2: ustring with the digest in hexadecimal)
/// ```
package struct SnapshotDigest: Equatable, Sendable {
    /// The last transaction applied when the digest was taken; 0 in a fresh database.
    package var zxid: Zxid
    package var digest: TreeDigest

    package init(zxid: Zxid, digest: TreeDigest) {
        self.zxid = zxid
        self.digest = digest
    }

    package init(from reader: inout ByteReader) throws(DecodingError) {
        zxid = Zxid(rawValue: try reader.readInt64())
        let version = try reader.readInt32()
        guard version < 2 else {
            digest = TreeDigest(version: version, value: try reader.readInt64())
            return
        }
        let text = try reader.readString() ?? "0"
        guard let value = UInt64(text, radix: 16) else { throw .invalid("digest of a snapshot") }
        digest = TreeDigest(version: version, value: Int64(bitPattern: value))
    }

    package func encode(into writer: inout ByteWriter) {
        writer.writeInt64(zxid.rawValue)
        writer.writeInt32(digest.version)
        if digest.version < 2 {
            writer.writeString(String(UInt64(bitPattern: digest.value), radix: 16))
        } else {
            writer.writeInt64(digest.value)
        }
    }
}
