import ConclaveCore

/// The data of a learner's REVALIDATE: a client came back to it with its session, or has sent a ping.
///
/// ```
/// long session | int timeout | byte 1, only for a ping
/// ```
///
/// The byte is Conclave's. An Apache leader does not read so far and takes a ping for a client that comes back.
package struct RevalidationRequest: Equatable, Sendable {
    package var session: SessionID
    package var timeoutMilliseconds: Int32
    /// Asked because of a ping: the session is served here already, or has gone elsewhere since.
    package var isPing: Bool

    package init(session: SessionID, timeoutMilliseconds: Int32, isPing: Bool = false) {
        self.session = session
        self.timeoutMilliseconds = timeoutMilliseconds
        self.isPing = isPing
    }

    package init(_ data: [UInt8]?) throws(DecodingError) {
        var reader = ByteReader(data ?? [])
        session = SessionID(rawValue: try reader.readInt64())
        timeoutMilliseconds = try reader.readInt32()
        isPing = reader.remaining > 0 ? try reader.readBool() : false
    }

    /// 12 bytes, 13 for a ping.
    package var data: [UInt8] {
        var writer = ByteWriter(capacity: 13)
        writer.writeInt64(session.rawValue)
        writer.writeInt32(timeoutMilliseconds)
        if isPing { writer.writeBool(true) }
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
