import ConclaveCore

/// What stands before the body of every request but the first: 8 bytes.
@usableFromInline
package struct RequestHeader: Equatable, Sendable {
    /// The client's number of the request; see ``ReservedXid``.
    @usableFromInline package var xid: Int32
    @usableFromInline package var operation: OperationCode

    @inlinable
    package init(xid: Int32, operation: OperationCode) {
        self.xid = xid
        self.operation = operation
    }

    @inlinable
    package init(from reader: inout ByteReader) throws(DecodingError) {
        xid = try reader.readInt32()
        operation = OperationCode(rawValue: try reader.readInt32())
    }

    @inlinable
    package func encode(into writer: inout ByteWriter) {
        writer.writeWords((xid.word, operation.rawValue.word))
    }
}

/// What stands before the body of every reply but the first: 16 bytes.
///
/// No body follows when `error` is not `.ok`, with two exceptions: a failed multi has `.ok` here and its errors in the
/// body, and a failed SASL step carries a null token.
@usableFromInline
package struct ReplyHeader: Equatable, Sendable {
    /// The number of the request that is answered; see ``ReservedXid`` for what is no answer.
    @usableFromInline package var xid: Int32
    /// The newest transaction that the server had applied when it made the reply; 0 for auth and SASL.
    @usableFromInline package var zxid: Zxid
    @usableFromInline package var error: ZooKeeperError.Code

    @inlinable
    package init(xid: Int32, zxid: Zxid, error: ZooKeeperError.Code = .ok) {
        self.xid = xid
        self.zxid = zxid
        self.error = error
    }

    @inlinable
    package init(from reader: inout ByteReader) throws(DecodingError) {
        xid = try reader.readInt32()
        zxid = Zxid(rawValue: try reader.readInt64())
        error = ZooKeeperError.Code(rawValue: try reader.readInt32())
    }

    @inlinable
    package func encode(into writer: inout ByteWriter) {
        writer.writeReplyHeader(xid: xid, zxid: zxid, error: error)
    }
}
