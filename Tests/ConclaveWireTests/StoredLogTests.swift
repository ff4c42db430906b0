import ConclaveCore
import ConclaveWire
import Testing

/// The captured log, entry by entry.
struct StoredLogTests {
    private struct Entry {
        let checksum: Int64
        let range: Range<Int>
        let whole: Range<Int>
    }

    private func entries(of log: [UInt8]) throws -> [Entry] {
        var reader = ByteReader(log)
        try LogFormat.readHeader(from: &reader)
        var entries: [Entry] = []
        while true {
            let start = reader.offset
            let checksum = try reader.readInt64()
            guard let range = try reader.readRange(), !range.isEmpty else { return entries }
            #expect(try reader.readByte() == LogFormat.endOfEntry)
            entries.append(Entry(checksum: checksum, range: range, whole: start..<reader.offset))
        }
    }

    @Test("Every entry comes back byte for byte with its checksum")
    func entriesComeBack() throws {
        let log = Vectors.file("log.1")
        let entries = try entries(of: log)
        #expect(entries.count == 21)
        for (index, entry) in entries.enumerated() {
            #expect(entry.checksum == adler(log[entry.range]))
            var reader = ByteReader(log, in: entry.range)
            #expect(try TransactionCodec.peekZxid(reader) == Zxid(rawValue: Int64(index + 1)))
            let transaction = try TransactionCodec.decode(&reader)
            #expect(reader.isAtEnd)
            #expect(transaction.header.zxid == Zxid(rawValue: Int64(index + 1)))
            #expect(written { LogFormat.writeEntry(transaction, into: &$0) } == Array(log[entry.whole]))
        }
        #expect(written { LogFormat.writeHeader(into: &$0) } == Array(log[..<LogFormat.headerBytes]))
    }

    @Test("Every entry bears being cut, embedded and changed")
    func handling() throws {
        let log = Vectors.file("log.1")
        for entry in try entries(of: log) {
            let bytes = Array(log[entry.range])
            var reader = ByteReader(bytes)
            let transaction = try TransactionCodec.decode(&reader)
            try Handling.all(
                .transaction("\(transaction.header.zxid)", bytes, wholeAt: wholeLengths(transaction, bytes)))
        }
    }

    /// Where a transaction may end before its end: without the digest, without the record of a closeSession, and
    /// without the counter of a create.
    private func wholeLengths(_ transaction: Transaction, _ bytes: [UInt8]) -> [Int] {
        var lengths: [Int] = []
        if transaction.digest != nil { lengths.append(bytes.count - TransactionCodec.digestBytes) }
        if transaction.change.operation == .closeSession { lengths.append(TransactionCodec.headerBytes) }
        if transaction.change.operation == .create { lengths.append(bytes.count - TransactionCodec.digestBytes - 4) }
        return lengths
    }

    @Test("The kinds of changes in the log are those that were made")
    func meaning() throws {
        let log = Vectors.file("log.1")
        var changes: [Change] = []
        for entry in try entries(of: log) {
            var reader = ByteReader(log, in: entry.range)
            changes.append(try TransactionCodec.decode(&reader).change)
        }
        #expect(changes[0] == .createSession(timeoutMilliseconds: 30_000))
        let ttl = CreateChange(
            form: .timeToLive, path: "/ttl", data: [], acl: .open, isEphemeral: false, parentChildCreates: 3,
            timeToLiveMilliseconds: 86_400_000)
        #expect(changes[6].operation == .createTTL)
        #expect(changes[6] == .create(ttl))
        #expect(changes[8] == .setData(path: "/a", data: Array("beta".utf8), version: 1))
        #expect(changes[10] == .delete(path: "/a/b"))
        let refused = CreateChange(
            form: .create, path: "/a/z", data: [], acl: .open, isEphemeral: false, parentChildCreates: 5)
        #expect(changes[12] == .multi([.create(refused), .error(code: -103)]))
        #expect(changes[13] == .error(code: -101))
        #expect(changes[19] == .closeSession(paths: ["/eph"]))
        let last = CreateChange(
            form: .create, path: "/uni-é中", data: [0x00, 0xFF], acl: .open, isEphemeral: false, parentChildCreates: 6)
        #expect(changes[20] == .create(last))
    }

    @Test("Transactions in captured proposals come back byte for byte")
    func proposals() throws {
        var types: Set<Int32> = []
        for packet in Vectors.quorumPackets where ["PROPOSAL", "INFORM", "INFORMANDACTIVATE"].contains(packet.type) {
            let all = bytes(packet.hex)
            var reader = ByteReader(all)
            try reader.skip(12)
            var range = try #require(try reader.readRange())
            // Here the leader that was designated stands before the transaction.
            if packet.type == "INFORMANDACTIVATE" { range = (range.lowerBound + 8)..<range.upperBound }
            let bytes = Array(all[range])
            var record = ByteReader(bytes)
            let transaction = try TransactionCodec.decode(&record)
            types.insert(transaction.change.operation.rawValue)
            try Handling.all(.transaction(packet.hex, bytes, wholeAt: wholeLengths(transaction, bytes)))
        }
        #expect(types == [-11, -10, -1, 1, 2, 5, 7, 14, 15, 16, 19, 21])
    }

    @Test("Requests that a learner forwarded come back byte for byte")
    func forwardedRequests() throws {
        for packet in Vectors.quorumPackets where packet.type == "REQUEST" {
            let all = bytes(packet.hex)
            var reader = ByteReader(all)
            try reader.skip(12)
            let range = try #require(try reader.readRange())
            // Session, then the header and body of the request.
            let request = Array(all[(range.lowerBound + 8)..<range.upperBound])
            var peek = ByteReader(request)
            guard try RequestHeader(from: &peek).operation.isClientRequest else { continue }
            try Handling.all(.request(packet.hex, request))
        }
    }

    @Test("Another magic number or version of a log is refused")
    func header() throws {
        let header = written { LogFormat.writeHeader(into: &$0) }
        for index in 0..<8 {
            var changed = header
            changed[index] ^= 1
            var reader = ByteReader(changed)
            #expect(throws: DecodingError.self) { try LogFormat.readHeader(from: &reader) }
        }
        for length in 0..<LogFormat.headerBytes {
            var reader = ByteReader(Array(header[..<length]))
            #expect(throws: DecodingError.cut) { try LogFormat.readHeader(from: &reader) }
        }
    }
}
