import ConclaveCore
import ConclaveWire

extension Transaction {
    /// A setData of 100 bytes, the most usual change.
    static func sampleSet(_ zxid: Zxid, path: NodePath = "/bench/value", version: Int32 = 1) -> Transaction {
        Transaction(
            header: TransactionHeader(
                session: SessionID(rawValue: 7), cxid: 1, zxid: zxid, timeMilliseconds: 1_700_000_000_000),
            change: .setData(path: path, data: Sample.value, version: version),
            digest: TreeDigest(version: TreeDigest.currentVersion, value: 4711))
    }
}

/// Values that several cases use.
enum Sample {
    static let value = [UInt8](repeating: UInt8(ascii: "v"), count: 100)

    static let stat = Stat(
        czxid: Zxid(rawValue: 1), mzxid: Zxid(rawValue: 2), ctime: 3, mtime: 4, version: 5, cversion: 6, aversion: 7,
        ephemeralOwner: .none, dataLength: 100, numChildren: 0, pzxid: Zxid(rawValue: 8))

    static func frame(_ request: ClientRequest, xid: Int32 = 1) -> [UInt8] {
        var writer = ByteWriter()
        writer.writeRequestFrame(xid: xid, request)
        return writer.bytes
    }

    static let create = ClientRequest.create(
        CreateRequest(
            path: "/bench/parent/child-", data: value, acl: .open, mode: .ephemeralSequential, wantsStat: false))
}

/// What the wire costs: requests, replies, frames, transactions.
let codecCases: [MicroCase] = [
    MicroCase("codec-decode-get", "a getData request decoded", operations: 1_000) {
        let payload = Array(Sample.frame(.getData(path: "/bench/value", watch: false))[4...])
        return { try decodeRequests(payload, 1_000) }
    },
    MicroCase("codec-decode-create", "a create request with 100 bytes decoded", operations: 1_000) {
        let payload = Array(Sample.frame(Sample.create)[4...])
        return { try decodeRequests(payload, 1_000) }
    },
    MicroCase("codec-frames", "a request cut out of what a socket brought", operations: 1_024) {
        let frame = Sample.frame(.getData(path: "/bench/value", watch: false))
        let received = [UInt8]((0..<64).map { _ in frame }.joined())
        var decoder = FrameDecoder()
        return {
            for _ in 0..<16 {
                decoder.append(received.span)
                while let range = try decoder.nextFrame() { keep(range.lowerBound) }
            }
        }
    },
    MicroCase("codec-encode-reply", "a reply to getData written, 100 bytes", operations: 1_000) {
        var writer = ByteWriter(capacity: 1 << 18)
        return {
            writer.truncate(to: 0)
            for xid in 0..<Int32(1_000) {
                let start = writer.openReplyFrame(xid: xid, zxid: Zxid(rawValue: 9))
                writer.writeBuffer(Sample.value)
                writer.writeStat(Sample.stat)
                writer.closeLength(at: start)
            }
            keep(writer.count)
        }
    },
    MicroCase("codec-decode-reply", "a reply to getData read by a client, 100 bytes", operations: 1_000) {
        var writer = ByteWriter()
        ReplyBody.data(Sample.value, Sample.stat).encode(for: .getData, into: &writer)
        let body = writer.bytes
        return {
            for _ in 0..<1_000 {
                var reader = ByteReader(body)
                guard case .data(let data?, _) = try ReplyBody.decode(for: .getData, from: &reader) else {
                    throw MicroError("a reply without data")
                }
                keep(data.count)
            }
        }
    },
    MicroCase("codec-decode-children", "a name in a list of a thousand children read by a client", operations: 1_000) {
        var writer = ByteWriter()
        writer.writeNames((0..<1_000).map { "_c_0f1e2d3c-lock-\(1_000_000_000 + $0)" })
        let body = writer.bytes
        return {
            var reader = ByteReader(body)
            keep(try reader.readNames().count)
        }
    },
    MicroCase("codec-encode-transaction", "a setData transaction encoded for log and followers", operations: 1_000) {
        let transaction = Transaction.sampleSet(Zxid(epoch: 1, counter: 1))
        var writer = ByteWriter(capacity: 1 << 18)
        return {
            writer.truncate(to: 0)
            for _ in 0..<1_000 { TransactionCodec.encode(transaction, into: &writer) }
            keep(writer.count)
        }
    },
    MicroCase("codec-decode-transaction", "a setData transaction read from log or leader", operations: 1_000) {
        let bytes = Proposal(.sampleSet(Zxid(epoch: 1, counter: 1))).body
        return {
            for _ in 0..<1_000 {
                var reader = ByteReader(bytes)
                keep(try TransactionCodec.decode(&reader).header.zxid.rawValue)
            }
        }
    },
]

private func decodeRequests(_ payload: [UInt8], _ count: Int) throws {
    for _ in 0..<count {
        var reader = ByteReader(payload)
        let header = try RequestHeader(from: &reader)
        let request = try ClientRequest.decode(header.operation, from: &reader)
        keep(request.operation.rawValue)
    }
}
