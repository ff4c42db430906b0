import ConclaveCore
import ConclaveWire
import Testing

/// The snapshot as it arrives from a leader, in pieces.
struct SnapshotStreamTests {
    /// What the records of a stream say, written again, with the number of records.
    private struct Reading: Equatable {
        var again: [UInt8] = []
        var records = 0
        var rest: [UInt8] = []
        var isComplete = false
    }

    private func captured() throws -> [UInt8] {
        bytes(try #require(Vectors.quorumPackets.first { $0.type == "SNAPSHOT" }).hex)
    }

    /// Reads pieces and writes the records anew, in the layout of the stream.
    private func read(_ pieces: [ArraySlice<UInt8>], limit: Int = FrameLimit.defaultMaximumStoredBytes) throws
        -> Reading
    {
        var decoder = SnapshotStreamDecoder(maximumFieldBytes: limit)
        var sessions: [SnapshotSession] = []
        var table: [SnapshotACL] = []
        var nodes = ByteWriter()
        var reading = Reading()
        for piece in pieces {
            let piece = Array(piece)
            decoder.append(piece.span)
            while let batch = try decoder.next() {
                #expect(!batch.records.isEmpty)
                reading.records += batch.records.count
                for record in batch.records {
                    switch record {
                    case .session(let session): sessions.append(session)
                    case .acl(let entry): table.append(entry)
                    case .node(let node):
                        SnapshotCodec.writeNode(
                            path: batch.bytes.span.extracting(node.path),
                            data: node.data.map { Array(batch.bytes[$0]) },
                            aclKey: node.aclKey, stat: node.stat, into: &nodes)
                    }
                }
            }
        }
        reading.isComplete = decoder.isComplete
        reading.rest = decoder.takeRest()
        reading.again = written {
            SnapshotCodec.writeSessions(sessions, into: &$0)
            SnapshotCodec.writeACLTable(table, into: &$0)
            $0.writeRaw(nodes.bytes)
            SnapshotCodec.writeTerminator(into: &$0)
            $0.writeBuffer(SnapshotStreamDecoder.signature)
        }
        return reading
    }

    /// A stream of random records behind a root.
    private func generated(seed: UInt64) -> [UInt8] {
        var generator = Generator(seed: seed)
        return written {
            let sessions = generator.list(upTo: 4) { generator in
                SnapshotSession(id: SessionID(rawValue: generator.int64()), timeoutMilliseconds: generator.int32())
            }
            SnapshotCodec.writeSessions(sessions, into: &$0)
            let table = generator.list(upTo: 4) { SnapshotACL(key: $0.int64(), acl: $0.acl()) }
            SnapshotCodec.writeACLTable(table, into: &$0)
            let names = [""] + generator.list(upTo: 6) { "/" + $0.text() + "x" }
            for name in names {
                SnapshotCodec.writeNode(
                    path: Array(name.utf8).span, data: generator.data(), aclKey: generator.int64(),
                    stat: generator.storedStat(), into: &$0)
            }
            SnapshotCodec.writeTerminator(into: &$0)
            $0.writeBuffer(SnapshotStreamDecoder.signature)
        }
    }

    @Test("The captured stream is read whole, and what follows it is given back")
    func whole() throws {
        let stream = try captured()
        let follower: [UInt8] = [0, 0, 0, 10, 1, 2, 3]
        let reading = try read([stream[...] + follower])
        #expect(reading.again == stream)
        #expect(reading.isComplete)
        #expect(reading.rest == follower)
    }

    @Test("The captured stream is read the same wherever it is cut")
    func cutAnywhere() throws {
        let stream = try captured() + [7, 7, 7]
        let whole = try read([stream[...]])
        for cut in 0...stream.count { #expect(try read([stream[..<cut], stream[cut...]]) == whole) }
    }

    @Test("Streams are read the same byte by byte", arguments: 1...40)
    func byteByByte(seed: UInt64) throws {
        let stream = generated(seed: seed)
        let whole = try read([stream[...]])
        #expect(whole.again == stream)
        #expect(try read(stream.indices.map { stream[$0...$0] }) == whole)
        #expect(
            try read(stride(from: 0, to: stream.count, by: 7).map { stream[$0..<min($0 + 7, stream.count)] }) == whole)
    }

    @Test("A stream that ends early is never complete", arguments: 1...10)
    func early(seed: UInt64) throws {
        let stream = generated(seed: seed)
        for length in stream.indices { #expect(try !read([stream[..<length]]).isComplete) }
    }

    @Test("Changed bytes give an error or another snapshot, never a trap")
    func flipped() throws {
        let stream = try captured() + generated(seed: 3)
        var changed = stream
        for index in stream.indices {
            for mask: UInt8 in [0xFF, 0x80, 0x01] {
                changed[index] ^= mask
                defer { changed[index] ^= mask }
                let half = changed.count / 2
                _ = try? read([changed[..<half], changed[half...]], limit: 4096)
            }
        }
    }

    // MARK: Refusals

    private func root(_ writer: inout ByteWriter) {
        SnapshotCodec.writeNode(
            path: Span(), data: nil, aclKey: -1, stat: .zero, into: &writer)
    }

    private func refuses(_ write: (inout ByteWriter) -> Void, sourceLocation: SourceLocation = #_sourceLocation) {
        let stream = written(write)
        #expect(throws: DecodingError.self, sourceLocation: sourceLocation) { try read([stream[...]], limit: 1024) }
        #expect(throws: DecodingError.self, sourceLocation: sourceLocation) {
            try read(stream.indices.map { stream[$0...$0] }, limit: 1024)
        }
    }

    @Test("Counts and lengths that cannot be are refused before anything is kept for them")
    func lengths() {
        refuses { $0.writeInt32(-2) }
        refuses {
            $0.writeInt32(0)
            $0.writeInt32(.min)
        }
        refuses {
            $0.writeInt32(0)
            $0.writeInt32(1)
            $0.writeInt64(1)
            $0.writeInt32(.max)
        }
        for length: Int32 in [-1, 1025, .max] {
            refuses {
                $0.writeInt32(0)
                $0.writeInt32(1)
                $0.writeInt64(1)
                $0.writeInt32(1)
                $0.writeInt32(31)
                $0.writeInt32(length)
                $0.writeInt32(0)
            }
        }
        for length: Int32 in [-1, 1025, .max, .min] {
            refuses {
                $0.writeInt64(0)
                $0.writeInt32(length)
            }
        }
        refuses {
            $0.writeInt64(0)
            $0.writeInt32(0)
            $0.writeInt32(1025)
        }
    }

    @Test("A list is bounded as a whole, not entry by entry")
    func longList() {
        refuses {
            $0.writeInt32(0)
            SnapshotCodec.writeACLTable(
                [
                    SnapshotACL(
                        key: 1,
                        acl: (0..<4).map { _ in
                            ACL(.all, for: Identity(scheme: "s", id: String(repeating: "x", count: 300)))
                        })
                ], into: &$0)
        }
    }

    @Test("Nodes stand below a root, which comes first and once")
    func roots() {
        refuses {
            $0.writeInt64(0)
            SnapshotCodec.writeTerminator(into: &$0)
        }
        refuses {
            $0.writeInt64(0)
            SnapshotCodec.writeNode(path: Array("/a".utf8).span, data: nil, aclKey: -1, stat: .zero, into: &$0)
        }
        refuses {
            $0.writeInt64(0)
            root(&$0)
            root(&$0)
        }
        refuses {
            $0.writeInt64(0)
            root(&$0)
            SnapshotCodec.writeNode(path: Array("a/b".utf8).span, data: nil, aclKey: -1, stat: .zero, into: &$0)
        }
    }

    @Test("The signature is asked for")
    func signature() {
        for text in ["BenWasHerf", "benWasHere", "BenWasHere!"] {
            refuses {
                $0.writeInt64(0)
                root(&$0)
                SnapshotCodec.writeTerminator(into: &$0)
                $0.writeString(text)
                $0.writeString("padding")
            }
        }
    }

    @Test("A large record that comes in small pieces is looked at once")
    func largeRecord() throws {
        let entries = (0..<20_000).map { ACL(.read, for: Identity(scheme: "ip", id: "10.0.0.\($0)")) }
        let stream = written {
            $0.writeInt32(0)
            SnapshotCodec.writeACLTable([SnapshotACL(key: 1, acl: entries)], into: &$0)
            root(&$0)
            SnapshotCodec.writeTerminator(into: &$0)
            $0.writeBuffer(SnapshotStreamDecoder.signature)
        }
        let pieces = stride(from: 0, to: stream.count, by: 64).map { stream[$0..<min($0 + 64, stream.count)] }
        let reading = try read(pieces)
        #expect(reading.isComplete)
        #expect(reading.again == stream)
    }
}

extension StoredStat {
    fileprivate static let zero = StoredStat(
        czxid: .zero, mzxid: .zero, ctime: 0, mtime: 0, version: 0, childCreates: 0, aversion: 0, owner: 0, pzxid: .zero
    )
}
