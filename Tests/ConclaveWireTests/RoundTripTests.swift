import ConclaveCore
import ConclaveWire
import Testing

/// Random values go out and come back the same.
struct RoundTripTests {
    private static let seeds: [UInt64] = Array(1...6)
    private static let operations: [OperationCode] = (-20...120).map(OperationCode.init(rawValue:)).filter(
        \.isClientRequest)

    @Test("Requests of every kind", arguments: seeds)
    func requests(seed: UInt64) throws {
        var generator = Generator(seed: seed)
        for round in 0..<5 {
            for kind in 0..<Generator.requestKinds {
                let request = generator.request(kind: kind)
                let frame = written { $0.writeRequestFrame(xid: Int32(round), request) }
                var decoder = FrameDecoder()
                decoder.append(frame.span)
                var reader = ByteReader(decoder.buffer, in: try #require(try decoder.nextFrame()))
                let header = try RequestHeader(from: &reader)
                #expect(header == RequestHeader(xid: Int32(round), operation: request.operation))
                #expect(try ClientRequest.decode(header.operation, from: &reader) == request)
                #expect(reader.isAtEnd)
                if round == 0 { try Handling.flipped(.request("kind \(kind)", Array(frame[4...])), masks: [0xFF]) }
            }
        }
    }

    @Test("Every kind of request stands for a different operation or four")
    func operationsAreCovered() {
        var generator = Generator(seed: 1)
        var seen: Set<OperationCode> = []
        for _ in 0..<50 {
            for kind in 0..<Generator.requestKinds { seen.insert(generator.request(kind: kind).operation) }
        }
        #expect(seen == Set(Self.operations))
        #expect(Self.operations.count == 29)
    }

    @Test("Replies to every operation", arguments: seeds)
    func replies(seed: UInt64) throws {
        var generator = Generator(seed: seed)
        for round in 0..<5 {
            for operation in Self.operations {
                let body = generator.reply(to: operation)
                let header = ReplyHeader(xid: generator.int32(), zxid: generator.zxid())
                let bytes = written {
                    let start = $0.openReplyFrame(xid: header.xid, zxid: header.zxid, error: header.error)
                    body.encode(for: operation, into: &$0)
                    $0.closeLength(at: start)
                }
                let frame = Array(bytes[4...])
                #expect(bytes == written { $0.writeBuffer(frame) })
                var reader = ByteReader(frame)
                #expect(try ReplyHeader(from: &reader) == header)
                #expect(try ReplyBody.decode(for: operation, from: &reader) == body)
                #expect(reader.isAtEnd)
                if round == 0 { try Handling.flipped(.reply("\(operation)", to: operation, frame), masks: [0xFF]) }
            }
        }
    }

    @Test("Transactions of every kind", arguments: seeds)
    func transactions(seed: UInt64) throws {
        var generator = Generator(seed: seed)
        for round in 0..<8 {
            for kind in 0..<Generator.changeKinds {
                let transaction = generator.transaction(kind: kind)
                let bytes = written { TransactionCodec.encode(transaction, into: &$0) }
                var reader = ByteReader(bytes)
                #expect(try TransactionCodec.peekZxid(reader) == transaction.header.zxid)
                #expect(try TransactionCodec.decode(&reader) == transaction)
                #expect(reader.isAtEnd)
                if round == 0 { try Handling.flipped(.transaction("kind \(kind)", bytes), masks: [0xFF]) }
            }
        }
    }

    @Test("Snapshot records", arguments: seeds)
    func snapshotRecords(seed: UInt64) throws {
        var generator = Generator(seed: seed)
        for _ in 0..<50 {
            let (path, data, key) = (generator.path(), generator.data(), generator.int64())
            guard path != .root else { continue }
            let stat = generator.storedStat()
            let bytes = written {
                SnapshotCodec.writeNode(path: path.utf8.span, data: data, aclKey: key, stat: stat, into: &$0)
            }
            var reader = ByteReader(bytes)
            let node = try #require(try SnapshotCodec.readNode(from: &reader))
            #expect(NodePath(utf8: Array(bytes[node.path])) == path)
            #expect(node.data.map { Array(bytes[$0]) } == data)
            #expect(node.aclKey == key)
            #expect(node.stat == stat)
            #expect(try SnapshotCodec.nodeByteCount(ByteReader(bytes)) == bytes.count)
        }
    }

    @Test("Connect requests and responses", arguments: seeds)
    func connects(seed: UInt64) throws {
        var generator = Generator(seed: seed)
        for _ in 0..<20 {
            let session = SessionID(rawValue: generator.int64())
            let readOnly = [nil, false, true][generator.count(upTo: 2)]
            let request = ConnectRequest(
                lastZxidSeen: generator.zxid(), timeoutMilliseconds: generator.int32(), session: session,
                password: generator.blob(), readOnly: readOnly)
            var reader = ByteReader(Array(written { $0.writeConnectFrame(request) }[4...]))
            #expect(try ConnectRequest(from: &reader) == request)
            let response = ConnectResponse(
                timeoutMilliseconds: generator.int32(), session: session, password: generator.blob(), readOnly: readOnly
            )
            reader = ByteReader(Array(written { $0.writeConnectFrame(response) }[4...]))
            #expect(try ConnectResponse(from: &reader) == response)
        }
    }

    @Test("The short ways of writing replies write what the long way writes")
    func shortWays() throws {
        var generator = Generator(seed: 5)
        for _ in 0..<50 {
            let header = ReplyHeader(
                xid: generator.int32(), zxid: generator.zxid(), error: ZooKeeperError.Code(rawValue: generator.int32()))
            let stat = generator.stat()
            let plain = written {
                let start = $0.openLength()
                $0.writeInt32(header.xid)
                $0.writeInt64(header.zxid.rawValue)
                $0.writeInt32(header.error.rawValue)
                $0.closeLength(at: start)
            }
            #expect(written { $0.writeReplyFrame(xid: header.xid, zxid: header.zxid, error: header.error) } == plain)
            #expect(written { header.encode(into: &$0) } == Array(plain[4...]))
            let withStat = written {
                let start = $0.openReplyFrame(xid: header.xid, zxid: header.zxid)
                ReplyBody.stat(stat).encode(for: .exists, into: &$0)
                $0.closeLength(at: start)
            }
            #expect(written { $0.writeReplyFrame(xid: header.xid, zxid: header.zxid, stat: stat) } == withStat)
        }
    }
}
