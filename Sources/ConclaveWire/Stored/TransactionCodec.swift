import ConclaveCore

/// Transactions as they stand in logs and in the quorum's proposals.
///
/// ```
/// long session | int cxid | long zxid | long time | int type | record of the type | int digest version | long digest
/// ```
///
/// The digest is absent where none was recorded; logs of old releases lack other trailing parts, which the decoder
/// tolerates.
package enum TransactionCodec {
    /// Session, cxid, zxid, time and type.
    package static let headerBytes = 32
    /// Version and value.
    package static let digestBytes = 12

    /// Appends a transaction. A multi within a multi is a mistake of the caller and traps: nobody could read it back.
    package static func encode(_ transaction: Transaction, into writer: inout ByteWriter) {
        encode(transaction.header, type: transaction.change.operation, into: &writer)
        encode(transaction.change, into: &writer)
        if let digest = transaction.digest { encode(digest, into: &writer) }
    }

    /// 32 bytes.
    package static func encode(
        _ header: TransactionHeader, type: OperationCode, into writer: inout ByteWriter
    ) {
        writer.writeWords(
            (
                header.session.rawValue.upperWord, header.session.rawValue.lowerWord, header.cxid.word,
                header.zxid.rawValue.upperWord, header.zxid.rawValue.lowerWord,
                header.timeMilliseconds.upperWord, header.timeMilliseconds.lowerWord, type.rawValue.word
            ))
    }

    /// 12 bytes.
    package static func encode(_ digest: TreeDigest, into writer: inout ByteWriter) {
        writer.writeWords((digest.version.word, digest.value.upperWord, digest.value.lowerWord))
    }

    /// Appends the record of a change, without header and digest.
    package static func encode(_ change: Change, into writer: inout ByteWriter) {
        switch change {
        case .create(let create): encode(create, into: &writer)
        case .delete(let path), .deleteContainer(let path): writer.writePath(path)
        case .setData(let path, let data, let version), .reconfigure(let path, let data, let version):
            writer.writePath(path)
            writer.writeBuffer(data)
            writer.writeInt32(version)
        case .setACL(let path, let acl, let version):
            writer.writePath(path)
            writer.writeACL(acl)
            writer.writeInt32(version)
        case .createSession(let timeoutMilliseconds): writer.writeInt32(timeoutMilliseconds)
        case .closeSession(let paths):
            if let paths { writer.writePaths(paths) }
        case .error(let code): writer.writeInt32(code)
        case .multi(let parts): encode(parts, into: &writer)
        case .check(let path, let version):
            writer.writePath(path)
            writer.writeInt32(version)
        }
    }

    private static func encode(_ create: CreateChange, into writer: inout ByteWriter) {
        writer.writePath(create.path)
        writer.writeBuffer(create.data)
        writer.writeACL(create.acl)
        switch create.form {
        case .create, .create2:
            writer.writeBool(create.isEphemeral)
            writer.writeInt32(create.parentChildCreates)
        case .container: writer.writeInt32(create.parentChildCreates)
        case .timeToLive:
            writer.writeInt32(create.parentChildCreates)
            writer.writeInt64(create.timeToLiveMilliseconds)
        }
    }

    private static func encode(_ parts: [Change], into writer: inout ByteWriter) {
        writer.writeInt32(Int32(parts.count))
        for part in parts {
            precondition(
                part.operation.isPartOfMultiRecord, "a multi holds a change of type \(part.operation.rawValue)")
            writer.writeInt32(part.operation.rawValue)
            let start = writer.openLength()
            encode(part, into: &writer)
            writer.closeLength(at: start)
        }
    }
}

extension OperationCode {
    /// Whether the record of a multi may hold a change of this type.
    var isPartOfMultiRecord: Bool {
        switch self {
        case .create, .create2, .createContainer, .createTTL, .delete, .deleteContainer, .setData, .setACL, .check,
            .error:
            true
        default: false
        }
    }
}
