import ConclaveCore

extension TransactionCodec {
    /// Reads a transaction that ends where the reader ends.
    ///
    /// Missing at the end without being an error: the digest, the record of a closeSession, the parent's counter of a
    /// create (type 1). Bytes behind the digest are left alone.
    ///
    /// - Throws: `.invalid` for a type that transactions do not have.
    package static func decode(_ reader: inout ByteReader) throws(DecodingError) -> Transaction {
        let header = TransactionHeader(
            session: SessionID(rawValue: try reader.readInt64()), cxid: try reader.readInt32(),
            zxid: Zxid(rawValue: try reader.readInt64()), timeMilliseconds: try reader.readInt64())
        let type = OperationCode(rawValue: try reader.readInt32())
        let change = try decodeChange(type, from: &reader)
        let digest = reader.isAtEnd ? nil : try decodeDigest(from: &reader)
        return Transaction(header: header, change: change, digest: digest)
    }

    /// The zxid of a transaction that starts where the reader stands, without reading the rest.
    package static func peekZxid(_ reader: ByteReader) throws(DecodingError) -> Zxid {
        var reader = reader
        try reader.skip(12)
        return Zxid(rawValue: try reader.readInt64())
    }

    /// Reads the record of a change that is not part of a multi.
    package static func decodeChange(
        _ type: OperationCode, from reader: inout ByteReader
    ) throws(DecodingError) -> Change {
        switch type {
        case .create: .create(try decodeCreate(.create, mayBeOld: true, from: &reader))
        case .closeSession: .closeSession(paths: try decodeClosedPaths(from: &reader))
        case .createSession: .createSession(timeoutMilliseconds: try reader.readInt32())
        case .reconfig:
            .reconfigure(path: try reader.readPath(), data: try reader.readBuffer(), version: try reader.readInt32())
        case .multi: .multi(try decodeParts(from: &reader))
        default: try decodePart(type, from: &reader)
        }
    }

    /// 12 bytes.
    static func decodeDigest(from reader: inout ByteReader) throws(DecodingError) -> TreeDigest {
        TreeDigest(version: try reader.readInt32(), value: try reader.readInt64())
    }

    /// Reads the record of a change that may also be part of a multi.
    private static func decodePart(
        _ type: OperationCode, from reader: inout ByteReader
    ) throws(DecodingError) -> Change {
        switch type {
        case .create: .create(try decodeCreate(.create, mayBeOld: false, from: &reader))
        case .create2: .create(try decodeCreate(.create2, mayBeOld: false, from: &reader))
        case .createContainer: .create(try decodeCreate(.container, mayBeOld: false, from: &reader))
        case .createTTL: .create(try decodeCreate(.timeToLive, mayBeOld: false, from: &reader))
        case .delete: .delete(path: try reader.readPath())
        case .deleteContainer: .deleteContainer(path: try reader.readPath())
        case .setData:
            .setData(path: try reader.readPath(), data: try reader.readBuffer(), version: try reader.readInt32())
        case .setACL:
            .setACL(path: try reader.readPath(), acl: try reader.readACL(.repaired), version: try reader.readInt32())
        case .error: .error(code: try reader.readInt32())
        case .check: .check(path: try reader.readPath(), version: try reader.readInt32())
        default: throw .invalid("transaction type \(type.rawValue)")
        }
    }

    private static func decodeParts(from reader: inout ByteReader) throws(DecodingError) -> [Change] {
        let count = try reader.readCount(minimumElementBytes: 8)
        var parts: [Change] = []
        parts.reserveCapacity(count)
        for _ in 0..<count {
            let type = OperationCode(rawValue: try reader.readInt32())
            guard let range = try reader.readRange() else { throw .null("record of a multi") }
            var record = ByteReader(reader.bytes, in: range)
            parts.append(try decodePart(type, from: &record))
        }
        return parts
    }

    private static func decodeCreate(
        _ form: CreateChange.Form, mayBeOld: Bool, from reader: inout ByteReader
    ) throws(DecodingError) -> CreateChange {
        let path = try reader.readPath()
        let data = try reader.readBuffer()
        let acl = try reader.readACL(.repaired)
        let isEphemeral =
            switch form {
            case .create, .create2: try reader.readBool()
            case .container, .timeToLive: false
            }
        // Logs from before the counter was recorded end here.
        let parentChildCreates = mayBeOld && reader.isAtEnd ? -1 : try reader.readInt32()
        let timeToLive = form == .timeToLive ? try reader.readInt64() : 0
        return CreateChange(
            form: form, path: path, data: data, acl: acl, isEphemeral: isEphemeral,
            parentChildCreates: parentChildCreates, timeToLiveMilliseconds: timeToLive)
    }

    /// The paths of a closeSession; `nil` if the record is absent.
    ///
    /// Servers that were told not to write the record still write the digest. Its 12 bytes begin with the version, 2,
    /// and a vector of two paths in 12 bytes would hold two empty ones, which nobody writes.
    private static func decodeClosedPaths(from reader: inout ByteReader) throws(DecodingError) -> [NodePath]? {
        guard !reader.isAtEnd else { return nil }
        if reader.remaining == digestBytes {
            var ahead = reader
            if try ahead.readInt32() == TreeDigest.currentVersion { return nil }
        }
        return try reader.readPaths()
    }
}
