import ConclaveCore

/// The data of a learner's REVALIDATE: a client came back to it with its session.
///
/// ```
/// long session | int timeout
/// ```
package struct RevalidationRequest: Equatable, Sendable {
    package var session: SessionID
    package var timeoutMilliseconds: Int32

    package init(session: SessionID, timeoutMilliseconds: Int32) {
        self.session = session
        self.timeoutMilliseconds = timeoutMilliseconds
    }

    package init(_ data: [UInt8]?) throws(DecodingError) {
        var reader = ByteReader(data ?? [])
        session = SessionID(rawValue: try reader.readInt64())
        timeoutMilliseconds = try reader.readInt32()
    }

    /// 12 bytes.
    package var data: [UInt8] {
        var writer = ByteWriter(capacity: 12)
        writer.writeInt64(session.rawValue)
        writer.writeInt32(timeoutMilliseconds)
        return writer.bytes
    }
}

/// The data of a leader's REVALIDATE: whether the session is alive and now belongs to the learner.
///
/// ```
/// long session | boolean valid
/// ```
package struct RevalidationAnswer: Equatable, Sendable {
    package var session: SessionID
    package var isValid: Bool

    package init(session: SessionID, isValid: Bool) {
        self.session = session
        self.isValid = isValid
    }

    package init(_ data: [UInt8]?) throws(DecodingError) {
        var reader = ByteReader(data ?? [])
        session = SessionID(rawValue: try reader.readInt64())
        isValid = try reader.readBool()
    }

    /// 9 bytes.
    package var data: [UInt8] {
        var writer = ByteWriter(capacity: 9)
        writer.writeInt64(session.rawValue)
        writer.writeBool(isValid)
        return writer.bytes
    }
}
