import ConclaveCore
import ConclaveWire
import Testing

/// What decoders must not accept, and what they must put up with.
struct RefusalTests {
    private func request(
        _ operation: OperationCode, _ write: (inout ByteWriter) -> Void
    ) throws(DecodingError) -> ClientRequest {
        var reader = ByteReader(written(write))
        return try ClientRequest.decode(operation, from: &reader)
    }

    private func transaction(type: Int32, _ write: (inout ByteWriter) -> Void) throws(DecodingError) -> Transaction {
        var reader = ByteReader(
            written {
                let header = TransactionHeader(session: .none, cxid: 1, zxid: .zero, timeMilliseconds: 2)
                TransactionCodec.encode(header, type: OperationCode(rawValue: type), into: &$0)
                write(&$0)
            })
        return try TransactionCodec.decode(&reader)
    }

    // MARK: Requests

    @Test("A null path is refused wherever a path is needed")
    func nullPaths() {
        let withPath = (-20...120).map(OperationCode.init(rawValue:)).filter { operation in
            switch operation {
            case .ping, .whoAmI, .closeSession, .multi, .multiRead, .reconfig, .auth, .sasl, .setWatches, .setWatches2,
                .getEphemerals:
                false
            default: operation.isClientRequest
            }
        }
        #expect(withPath.count == 18)
        for operation in withPath {
            #expect(throws: DecodingError.null("path"), "\(operation)") {
                try request(operation) {
                    $0.writeInt32(-1)
                    $0.writeInt64(0)
                    $0.writeInt64(0)
                }
            }
        }
        var reader = ByteReader([0xFF, 0xFF, 0xFF, 0xFF, 0x01])
        #expect(throws: DecodingError.null("path")) { try PathAndFlag(from: &reader) }
        #expect(throws: DecodingError.null("path")) {
            try request(.setWatches) {
                $0.writeInt64(0)
                $0.writeInt32(1)
                $0.writeInt32(-1)
                $0.writeInt64(0)
            }
        }
    }

    @Test("A null prefix of getEphemerals, null lists of setWatches and null tokens are put up with")
    func toleratedNulls() throws {
        #expect(try request(.getEphemerals) { $0.writeInt32(-1) } == .getEphemerals(prefix: nil))
        let watches = try request(.setWatches) {
            $0.writeInt64(9)
            for _ in 0..<3 { $0.writeInt32(-1) }
        }
        #expect(watches == .setWatches(SetWatches(relativeZxid: Zxid(rawValue: 9))))
        #expect(try request(.sasl) { $0.writeInt32(-1) } == .sasl(token: []))
        let auth = try request(.auth) {
            $0.writeInt32(0)
            $0.writeString("ip")
            $0.writeInt32(-1)
        }
        #expect(auth == .auth(scheme: "ip", credential: []))
    }

    @Test("A null scheme of an auth packet is refused; null texts of access control lists are left to their validation")
    func nullTexts() throws {
        #expect(throws: DecodingError.null("scheme")) {
            try request(.auth) {
                $0.writeInt32(0)
                $0.writeInt32(-1)
                $0.writeInt32(-1)
            }
        }
        for isSchemeNull in [true, false] {
            let decoded = try request(.setACL) {
                $0.writePath("/a")
                $0.writeInt32(1)
                $0.writeInt32(31)
                $0.writeOptionalString(isSchemeNull ? nil : "world")
                $0.writeOptionalString(nil)
                $0.writeInt32(0)
            }
            let identity = Identity(scheme: isSchemeNull ? "" : "world", id: "")
            #expect(decoded == .setACL(path: "/a", acl: [ACL(.all, for: identity)], version: 0))
        }
    }

    @Test("Lengths below -1 and beyond what is there are refused", arguments: [-2, Int32.min, 3, 1_000_000, Int32.max])
    func badLengths(length: Int32) {
        for operation: OperationCode in [.create, .getData, .delete, .setACL, .sync, .getEphemerals, .sasl, .reconfig] {
            #expect(throws: DecodingError.badLength(length), "\(operation)") {
                try request(operation) {
                    $0.writeInt32(length)
                    $0.writeRaw([0, 0])
                }
            }
        }
    }

    @Test(
        "Vectors with counts that cannot fit are refused before room is made", arguments: [-2, Int32.min, 2, Int32.max])
    func badCounts(count: Int32) {
        #expect(throws: DecodingError.badLength(count)) {
            try request(.setACL) {
                $0.writePath("/a")
                $0.writeInt32(count)
                $0.writeInt64(0)
                $0.writeInt64(0)
            }
        }
        #expect(throws: DecodingError.badLength(count)) {
            try request(.setWatches) {
                $0.writeInt64(0)
                $0.writeInt32(count)
                $0.writeInt32(0)
            }
        }
        #expect(throws: DecodingError.badLength(count)) {
            try transaction(type: OperationCode.multi.rawValue) {
                $0.writeInt32(count)
                $0.writeInt64(0)
            }
        }
        var reader = ByteReader(
            written {
                $0.writeInt32(count)
                $0.writeInt64(0)
            })
        #expect(throws: DecodingError.badLength(count)) { try SnapshotCodec.readSessions(from: &reader) }
    }

    @Test("Texts that are not UTF-8 are refused in requests and repaired in stored lists")
    func notUTF8() throws {
        let bad = written {
            $0.writePath("/a")
            $0.writeInt32(1)
            $0.writeInt32(31)
            $0.writeString("digest")
            $0.writeBuffer([0x78, 0xED, 0xA0, 0xBD, 0xED, 0xB8, 0x80])
            $0.writeInt32(1)
        }
        #expect(throws: DecodingError.notUTF8) { try request(.setACL) { $0.writeRaw(bad) } }
        let stored = try transaction(type: OperationCode.setACL.rawValue) { $0.writeRaw(bad) }
        guard case .setACL(_, let acl, 1) = stored.change else {
            Issue.record("\(stored)")
            return
        }
        #expect(acl[0].identity.id.hasPrefix("x\u{FFFD}"))
    }

    @Test("Paths of any bytes pass: judging them is not the decoder's business")
    func anyPath() throws {
        let path = NodePath(utf8: [0xFF, 0x00, 0x2F])
        #expect(try request(.sync) { $0.writePath(path) } == .sync(path: path))
    }

    @Test("Operations that clients do not send are refused")
    func unknownOperations() {
        for code: Int32 in [0, 10, 20, 23, 99, 108, -1, -10, -12, .min, .max] {
            let operation = OperationCode(rawValue: code)
            #expect(!operation.isClientRequest)
            #expect(throws: DecodingError.invalid("operation \(code)")) {
                try request(operation) { $0.writePath("/a") }
            }
            #expect(throws: DecodingError.self) {
                var reader = ByteReader([])
                return try ReplyBody.decode(for: operation, from: &reader)
            }
        }
    }

    // MARK: Multi

    private func parts(_ count: Int) -> [ClientRequest] {
        [ClientRequest](repeating: .check(path: "/", version: 1), count: count)
    }

    @Test("A multi may hold ten thousand operations and not one more")
    func multiLimit() throws {
        let limit = FrameLimit.maximumMultiOperations
        let full = ClientRequest.multi(parts(limit))
        #expect(try request(.multi) { full.encodeBody(into: &$0) } == full)
        #expect(throws: DecodingError.self) {
            try request(.multi) { ClientRequest.multi(parts(limit + 1)).encodeBody(into: &$0) }
        }
        var results = [MultiResult](repeating: .checked, count: limit)
        var reader = ByteReader(written { $0.writeMultiResults(results) })
        #expect(try reader.readMultiResults().count == limit)
        results.append(.deleted)
        reader = ByteReader(written { $0.writeMultiResults(results) })
        #expect(throws: DecodingError.self) { try reader.readMultiResults() }
    }

    @Test("A multi holds no multi, no reads and no sessions; a multiRead holds only reads")
    func multiParts() {
        let inMulti: Set<Int32> = [1, 2, 5, 13, 15, 19, 21]
        for code: Int32 in -12...110 {
            let operation = OperationCode(rawValue: code)
            #expect(operation.isPartOfMulti == inMulti.contains(code))
            #expect(operation.isPartOfMultiRead == [4, 8].contains(code))
            for container: OperationCode in [.multi, .multiRead]
            where !(container == .multi ? operation.isPartOfMulti : operation.isPartOfMultiRead) {
                #expect(throws: DecodingError.invalid("operation \(code) within a multi")) {
                    try request(container) {
                        MultiHeader(type: operation, isDone: false, error: MultiHeader.noError).encode(into: &$0)
                        MultiHeader.end.encode(into: &$0)
                    }
                }
            }
        }
    }

    @Test("Deeply nested multis cost nothing")
    func nesting() {
        #expect(throws: DecodingError.invalid("operation 14 within a multi")) {
            try request(.multi) {
                for _ in 0..<100_000 {
                    MultiHeader(type: .multi, isDone: false, error: MultiHeader.noError).encode(into: &$0)
                }
            }
        }
    }

    @Test("The flag alone ends a multi")
    func multiEnd() throws {
        let empty = try request(.multi) { MultiHeader(type: .create, isDone: true, error: .ok).encode(into: &$0) }
        #expect(empty == .multi([]))
        #expect(throws: DecodingError.cut) { try request(.multi) { _ in } }
    }

    @Test("The results of a failed multi tell which part failed")
    func failures() {
        #expect(MultiResult.failures(count: 0, failedAt: 0, .noNode).isEmpty)
        let results = MultiResult.failures(count: 4, failedAt: 2, .noNode)
        #expect(results == [.failed(.ok), .failed(.ok), .failed(.noNode), .failed(.runtimeInconsistency)])
        #expect(MultiResult.firstFailure(in: results)?.index == 2)
        #expect(MultiResult.firstFailure(in: [.deleted, .failed(.ok)]) == nil)
    }
}
