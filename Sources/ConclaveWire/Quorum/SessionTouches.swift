import ConclaveCore

/// A session that was heard of, with its timeout.
package struct SessionTouch: Equatable, Sendable {
    package var session: SessionID
    package var timeoutMilliseconds: Int32

    package init(_ session: SessionID, timeoutMilliseconds: Int32) {
        self.session = session
        self.timeoutMilliseconds = timeoutMilliseconds
    }
}

/// The data of a learner's PING: which of its clients were heard of since the last one.
///
/// ```
/// { long session | int timeout } to the end
/// ```
package enum SessionTouches {
    /// What one takes.
    package static let elementBytes = 12

    package static func encode(_ touches: [SessionTouch]) -> [UInt8] {
        var writer = ByteWriter(capacity: touches.count * elementBytes)
        for touch in touches {
            writer.writeWords(
                (touch.session.rawValue.upperWord, touch.session.rawValue.lowerWord, touch.timeoutMilliseconds.word))
        }
        return writer.bytes
    }

    /// Null counts as none.
    ///
    /// - Throws: `.cut` if there is a part of one at the end.
    package static func decode(_ data: [UInt8]?) throws(DecodingError) -> [SessionTouch] {
        var reader = ByteReader(data ?? [])
        var touches: [SessionTouch] = []
        touches.reserveCapacity(reader.remaining / elementBytes)
        while !reader.isAtEnd {
            let session = SessionID(rawValue: try reader.readInt64())
            touches.append(SessionTouch(session, timeoutMilliseconds: try reader.readInt32()))
        }
        return touches
    }
}
