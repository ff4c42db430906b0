import ConclaveCore

/// The data of REQUEST: what a client of a learner wants from the leader.
///
/// ```
/// long session | int cxid | int operation | the client's request as it came
/// ```
///
/// The body is empty for closeSession and `int timeout` for createSession.
package struct ForwardedRequest: Equatable, Sendable {
    package var session: SessionID
    package var cxid: Int32
    package var operation: OperationCode
    package var body: [UInt8]

    package init(session: SessionID, cxid: Int32, operation: OperationCode, body: [UInt8]) {
        self.session = session
        self.cxid = cxid
        self.operation = operation
        self.body = body
    }

    package init(_ data: [UInt8]?) throws(DecodingError) {
        guard let data else { throw .null("request") }
        var reader = ByteReader(data)
        session = SessionID(rawValue: try reader.readInt64())
        cxid = try reader.readInt32()
        operation = OperationCode(rawValue: try reader.readInt32())
        body = Array(data[reader.offset...])
    }

    package var data: [UInt8] {
        var writer = ByteWriter(capacity: 16 + body.count)
        writer.writeWords(
            (session.rawValue.upperWord, session.rawValue.lowerWord, cxid.word, operation.rawValue.word))
        writer.writeRaw(body)
        return writer.bytes
    }
}
