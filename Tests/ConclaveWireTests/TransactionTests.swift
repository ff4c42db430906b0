import ConclaveCore
import ConclaveWire
import Testing

/// Old, foreign and broken transactions.
struct TransactionTests {
    private let header = TransactionHeader(
        session: SessionID(rawValue: -7), cxid: 3, zxid: Zxid(epoch: 1, counter: 2), timeMilliseconds: 4)

    private func decode(type: Int32, _ write: (inout ByteWriter) -> Void) throws(DecodingError) -> Transaction {
        var reader = ByteReader(
            written {
                TransactionCodec.encode(header, type: OperationCode(rawValue: type), into: &$0)
                write(&$0)
            })
        return try TransactionCodec.decode(&reader)
    }

    private func part(_ type: Int32, _ write: (inout ByteWriter) -> Void) -> [UInt8] {
        written {
            $0.writeInt32(type)
            $0.writeBuffer(written(write))
        }
    }

    private func writeOldCreate(into writer: inout ByteWriter) {
        writer.writePath("/old")
        writer.writeBuffer([1])
        writer.writeACL(.open)
        writer.writeBool(true)
    }

    @Test("A create of an old log has no counter and reads as -1")
    func oldCreate() throws {
        let transaction = try decode(type: 1, writeOldCreate)
        let create = CreateChange(
            form: .create, path: "/old", data: [1], acl: .open, isEphemeral: true, parentChildCreates: -1)
        #expect(transaction == Transaction(header: header, change: .create(create)))
    }

    @Test("Only a create of type 1 outside a multi may lack its counter, and only all of it")
    func cutCreates() {
        for type: Int32 in [15, 19, 21] {
            #expect(throws: DecodingError.cut) { try decode(type: type, writeOldCreate) }
        }
        for extra in 1...3 {
            #expect(throws: DecodingError.cut) {
                try decode(type: 1) {
                    writeOldCreate(into: &$0)
                    $0.writeRaw([UInt8](repeating: 0, count: extra))
                }
            }
        }
        #expect(throws: DecodingError.cut) {
            try decode(type: 14) {
                $0.writeInt32(1)
                $0.writeRaw(part(1, writeOldCreate))
            }
        }
    }

    @Test("A closeSession may lack its record, with and without a digest")
    func closeSessionWithoutRecord() throws {
        let digest = TreeDigest(value: 0x0000_0003_85C6_1234)
        for digest in [nil, digest, TreeDigest(value: 0), TreeDigest(value: -1)] {
            for paths: [NodePath]? in [nil, [], ["/a"], ["/abc"], ["/a", "/b"]] {
                let transaction = Transaction(header: header, change: .closeSession(paths: paths), digest: digest)
                var reader = ByteReader(written { TransactionCodec.encode(transaction, into: &$0) })
                #expect(try TransactionCodec.decode(&reader) == transaction)
            }
        }
    }

    @Test("A missing digest is none, a cut one is damage, and what is behind it is left alone")
    func digests() throws {
        for count in 0...20 {
            let decoded = { () throws(DecodingError) -> Transaction in
                try decode(type: 2) {
                    $0.writePath("/a")
                    $0.writeRaw([0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8].prefix(count))
                }
            }
            switch count {
            case 0: #expect(try decoded().digest == nil)
            case 1..<12: #expect(throws: DecodingError.cut) { try decoded() }
            default: #expect(try decoded().digest == TreeDigest(value: 9))
            }
        }
    }

    @Test("Types that transactions do not have are refused")
    func unknownTypes() {
        for type: Int32 in [0, 3, 4, 6, 8, 9, 10, 11, 12, 17, 18, 22, 23, 100, -2, -12, .min, .max] {
            #expect(throws: DecodingError.invalid("transaction type \(type)")) {
                try decode(type: type) { $0.writePath("/a") }
            }
        }
    }

    @Test("A check outside a multi, as 3.8.0 may have logged it, reads as the change of nothing that it is")
    func bareCheck() throws {
        let transaction = try decode(type: 13) {
            $0.writePath("/a")
            $0.writeInt32(5)
        }
        #expect(transaction.change == .check(path: "/a", version: 5))
    }

    @Test("A multi holds no multi, no session and no configuration")
    func nested() {
        for type: Int32 in [14, -10, -11, 16, 22, 3] {
            #expect(throws: DecodingError.invalid("transaction type \(type)")) {
                try decode(type: 14) {
                    $0.writeInt32(1)
                    $0.writeRaw(part(type) { $0.writeInt64(0) })
                }
            }
        }
    }

    @Test("A part of a multi without a record is refused, and one cannot read into the next")
    func partsAreFenced() {
        #expect(throws: DecodingError.null("record of a multi")) {
            try decode(type: 14) {
                $0.writeInt32(1)
                $0.writeInt32(2)
                $0.writeInt32(-1)
            }
        }
        #expect(throws: DecodingError.badLength(6)) {
            try decode(type: 14) {
                $0.writeInt32(2)
                $0.writeRaw(part(2) { $0.writeInt32(6) })
                $0.writeRaw(part(2) { $0.writePath("/abcdefgh") })
            }
        }
    }

    @Test("A failed multi keeps all its parts")
    func failedMulti() throws {
        let change = Change.multi([.error(code: 0), .error(code: -103), .error(code: -2)])
        let transaction = Transaction(header: header, change: change)
        let bytes = written { TransactionCodec.encode(transaction, into: &$0) }
        #expect(bytes.count == TransactionCodec.headerBytes + 4 + 3 * 12)
        var reader = ByteReader(bytes)
        #expect(try TransactionCodec.decode(&reader) == transaction)
    }

    @Test("An error takes 36 bytes")
    func errorSize() {
        let error = Transaction(header: header, change: .error(code: -101))
        #expect(written { TransactionCodec.encode(error, into: &$0) }.count == 36)
    }
}
