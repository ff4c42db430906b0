import ConclaveCore
import ConclaveWire
import Testing

/// The captured snapshots, record by record.
struct StoredSnapshotTests {
    private struct Snapshot {
        var sessions: [SnapshotSession] = []
        var table: [SnapshotACL] = []
        var nodes: [SnapshotNode] = []
    }

    private func readTables(_ reader: inout ByteReader) throws(DecodingError) -> Snapshot {
        var snapshot = Snapshot()
        snapshot.sessions = try SnapshotCodec.readSessions(from: &reader)
        snapshot.table = try SnapshotCodec.readACLTable(from: &reader)
        while let node = try SnapshotCodec.readNode(from: &reader) { snapshot.nodes.append(node) }
        return snapshot
    }

    private func write(_ snapshot: Snapshot, from bytes: [UInt8], into writer: inout ByteWriter) {
        SnapshotCodec.writeSessions(snapshot.sessions, into: &writer)
        SnapshotCodec.writeACLTable(snapshot.table, into: &writer)
        for node in snapshot.nodes {
            SnapshotCodec.writeNode(
                path: bytes.span.extracting(node.path), data: node.data.map { Array(bytes[$0]) }, aclKey: node.aclKey,
                stat: node.stat, into: &writer)
        }
        SnapshotCodec.writeTerminator(into: &writer)
    }

    @Test("Snapshots come back byte for byte with their seals", arguments: ["snapshot.0", "snapshot.15"])
    func comeBack(name: String) throws {
        let file = Vectors.file(name)
        var reader = ByteReader(file)
        try SnapshotCodec.readHeader(from: &reader)
        let snapshot = try readTables(&reader)
        let firstSeal = try SnapshotCodec.readSeal(from: &reader)
        #expect(firstSeal == adler(file[..<(reader.offset - SnapshotCodec.sealBytes)]))
        let digest = try SnapshotDigest(from: &reader)
        let secondSeal = try SnapshotCodec.readSeal(from: &reader)
        #expect(secondSeal == adler(file[..<(reader.offset - SnapshotCodec.sealBytes)]))
        #expect(reader.isAtEnd)
        #expect(file.suffix(5) == SnapshotCodec.terminator[...])

        var writer = ByteWriter()
        SnapshotCodec.writeHeader(into: &writer)
        write(snapshot, from: file, into: &writer)
        SnapshotCodec.writeSeal(Adler32.checksum(writer.bytes.span), into: &writer)
        digest.encode(into: &writer)
        SnapshotCodec.writeSeal(Adler32.checksum(writer.bytes.span), into: &writer)
        #expect(writer.bytes == file)
    }

    @Test("What is in the captured snapshot")
    func meaning() throws {
        let file = Vectors.file("snapshot.15")
        var reader = ByteReader(file)
        try SnapshotCodec.readHeader(from: &reader)
        let snapshot = try readTables(&reader)
        #expect(
            snapshot.sessions
                == [SnapshotSession(id: SessionID(rawValue: 0x0100_0015_E318_0000), timeoutMilliseconds: 30_000)])
        let paths = snapshot.nodes.map { String(decoding: file[$0.path], as: UTF8.self) }
        #expect(paths.first == "")
        #expect(paths.contains("/uni-é中"))
        #expect(Set(snapshot.nodes.map(\.aclKey)).subtracting(snapshot.table.map(\.key)) == [SnapshotCodec.openACLKey])
        _ = try SnapshotCodec.readSeal(from: &reader)
        let digest = try SnapshotDigest(from: &reader)
        #expect(digest == SnapshotDigest(zxid: Zxid(rawValue: 0x15), digest: TreeDigest(value: 15_121_726_063)))
    }

    @Test("The stream that a leader sends comes back byte for byte")
    func stream() throws {
        let packet = try #require(Vectors.quorumPackets.first { $0.type == "SNAPSHOT" })
        let stream = bytes(packet.hex)
        var reader = ByteReader(stream)
        let snapshot = try readTables(&reader)
        #expect(try reader.readString() == "BenWasHere")
        var writer = ByteWriter()
        write(snapshot, from: stream, into: &writer)
        #expect(writer.bytes == Array(stream.dropLast(14)))
    }

    @Test("Tables, nodes and digests bear being cut, embedded and changed")
    func handling() throws {
        let file = Vectors.file("snapshot.15")
        var reader = ByteReader(file)
        try SnapshotCodec.readHeader(from: &reader)
        let start = reader.offset
        _ = try readTables(&reader)
        try Handling.all(
            Codec(
                name: "tables and nodes", bytes: Array(file[start..<reader.offset]),
                again: { (reader: inout ByteReader) throws(DecodingError) -> [UInt8] in
                    let snapshot = try self.readTables(&reader)
                    return written { self.write(snapshot, from: reader.bytes, into: &$0) }
                }))
        for digest in [
            TreeDigest(value: .min), TreeDigest(version: 1, value: -1), TreeDigest(version: 0, value: 0x51C6_D660),
        ] {
            try Handling.all(
                Codec(
                    name: "digest", bytes: written { SnapshotDigest(zxid: .zero, digest: digest).encode(into: &$0) },
                    again: { (reader: inout ByteReader) throws(DecodingError) -> [UInt8] in
                        let digest = try SnapshotDigest(from: &reader)
                        return written { digest.encode(into: &$0) }
                    }))
        }
    }

    @Test("The length of a node is known as soon as its lengths are there, and not before")
    func nodeLengths() throws {
        let file = Vectors.file("snapshot.15")
        var reader = ByteReader(file)
        try SnapshotCodec.readHeader(from: &reader)
        _ = try SnapshotCodec.readSessions(from: &reader)
        _ = try SnapshotCodec.readACLTable(from: &reader)
        while true {
            let start = reader.offset
            let node = try SnapshotCodec.readNode(from: &reader)
            let length = reader.offset - start
            var known = false
            for end in start...reader.offset {
                let told = try SnapshotCodec.nodeByteCount(ByteReader(file, in: start..<end))
                #expect(told == nil ? !known : told == length)
                known = told != nil
            }
            #expect(known)
            guard node != nil else { return }
        }
    }

    @Test("Lengths of nodes that cannot be are refused")
    func badNodeLengths() {
        let huge = written { $0.writeInt32(Int32(FrameLimit.defaultMaximumStoredBytes) + 1) }
        #expect(throws: DecodingError.self) { try SnapshotCodec.nodeByteCount(ByteReader(huge)) }
        #expect(throws: DecodingError.null("path")) {
            try SnapshotCodec.nodeByteCount(ByteReader([0xFF, 0xFF, 0xFF, 0xFF]))
        }
        let data = written {
            $0.writePath("/a")
            $0.writeInt32(-2)
        }
        #expect(throws: DecodingError.badLength(-2)) { try SnapshotCodec.nodeByteCount(ByteReader(data)) }
    }

    @Test("Another magic number, version or end of a seal is refused")
    func damaged() {
        let header = written { SnapshotCodec.writeHeader(into: &$0) }
        for index in 0..<8 {
            var changed = header
            changed[index] ^= 1
            var reader = ByteReader(changed)
            #expect(throws: DecodingError.self) { try SnapshotCodec.readHeader(from: &reader) }
        }
        let seal = written { SnapshotCodec.writeSeal(7, into: &$0) }
        #expect(seal.count == SnapshotCodec.sealBytes)
        for index in 8..<13 {
            var changed = seal
            changed[index] ^= 1
            var reader = ByteReader(changed)
            #expect(throws: DecodingError.self) { try SnapshotCodec.readSeal(from: &reader) }
        }
    }
}
