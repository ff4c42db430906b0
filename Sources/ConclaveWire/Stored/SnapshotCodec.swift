import ConclaveCore

/// The parts of an uncompressed snapshot.
///
/// ```
/// int magic "ZKSN" | int version 2 | long database id -1
/// int count | count × { long session, int timeout }
/// int count | count × { long key, vector<ACL> }
/// nodes, parents first: { ustring path, buffer data, long ACL key, 60 bytes stat }; the root has the path ""
/// ustring "/"
/// long Adler-32 of everything before | ustring "/"                       first seal
/// long zxid | int digest version | long digest                           if digests are enabled
/// long Adler-32 of everything before | ustring "/"                       second seal
/// long last processed zxid, third seal                                   releases from 3.9
/// ```
///
/// Checksums run over the whole file, so whoever writes or reads the file computes them; ``writeSeal(_:into:)`` and
/// ``readSeal(from:)`` know their form.
package enum SnapshotCodec {
    /// "ZKSN".
    package static let magic: Int32 = 0x5A4B_534E
    package static let version: Int32 = 2
    package static let databaseID: Int64 = -1
    package static let headerBytes = 16
    /// Checksum and terminator.
    package static let sealBytes = 13
    /// The ustring "/": what ends the nodes and every seal, and so the last five bytes of every whole snapshot.
    package static let terminator: [UInt8] = [0, 0, 0, 1, UInt8(ascii: "/")]
    /// The ACL key of nodes that are open to everybody; it is not in the table.
    package static let openACLKey: Int64 = -1

    package static func writeHeader(into writer: inout ByteWriter) {
        writer.writeInt32(magic)
        writer.writeInt32(version)
        writer.writeInt64(databaseID)
    }

    /// Reads the header of a file; another magic or version throws `.invalid`. The database id is not looked at.
    package static func readHeader(from reader: inout ByteReader) throws(DecodingError) {
        let (magic, version) = (try reader.readInt32(), try reader.readInt32())
        _ = try reader.readInt64()
        guard magic == Self.magic else { throw .invalid("magic number \(LogFormat.hexadecimal(magic)) of a snapshot") }
        guard version == Self.version else { throw .invalid("version \(version) of a snapshot") }
    }

    package static func writeTerminator(into writer: inout ByteWriter) { writer.writeRaw(terminator) }

    /// 13 bytes: the checksum of everything before it, and the terminator.
    package static func writeSeal(_ checksum: UInt32, into writer: inout ByteWriter) {
        writer.writeInt64(Int64(checksum))
        writeTerminator(into: &writer)
    }

    /// The checksum that a seal holds; something else in place of the terminator throws `.invalid`.
    package static func readSeal(from reader: inout ByteReader) throws(DecodingError) -> Int64 {
        let checksum = try reader.readInt64()
        let mark = try reader.readPathRange()
        guard mark.count == 1, reader.bytes[mark.lowerBound] == UInt8(ascii: "/") else {
            throw .invalid("end of a seal")
        }
        return checksum
    }
}
