import ConclaveCore

/// A session as a snapshot lists it: 12 bytes.
package struct SnapshotSession: Equatable, Sendable {
    package var id: SessionID
    package var timeoutMilliseconds: Int32

    package init(id: SessionID, timeoutMilliseconds: Int32) {
        self.id = id
        self.timeoutMilliseconds = timeoutMilliseconds
    }
}

/// An access control list as a snapshot lists it, with the key that nodes refer to it by.
package struct SnapshotACL: Equatable, Sendable {
    /// From 1 upward; ``SnapshotCodec/openACLKey`` is never listed.
    package var key: Int64
    package var acl: [ACL]

    package init(key: Int64, acl: [ACL]) {
        self.key = key
        self.acl = acl
    }
}

extension SnapshotCodec {
    package static func writeSessions(_ sessions: [SnapshotSession], into writer: inout ByteWriter) {
        writer.writeInt32(Int32(sessions.count))
        for session in sessions { writeSession(session, into: &writer) }
    }

    package static func writeSession(_ session: SnapshotSession, into writer: inout ByteWriter) {
        writer.writeInt64(session.id.rawValue)
        writer.writeInt32(session.timeoutMilliseconds)
    }

    package static func readSessions(from reader: inout ByteReader) throws(DecodingError) -> [SnapshotSession] {
        let count = try reader.readCount(minimumElementBytes: 12)
        var sessions: [SnapshotSession] = []
        sessions.reserveCapacity(count)
        for _ in 0..<count { sessions.append(try readSession(from: &reader)) }
        return sessions
    }

    package static func readSession(from reader: inout ByteReader) throws(DecodingError) -> SnapshotSession {
        SnapshotSession(id: SessionID(rawValue: try reader.readInt64()), timeoutMilliseconds: try reader.readInt32())
    }

    package static func writeACLTable(_ table: [SnapshotACL], into writer: inout ByteWriter) {
        writer.writeInt32(Int32(table.count))
        for entry in table { writeACLEntry(entry, into: &writer) }
    }

    package static func writeACLEntry(_ entry: SnapshotACL, into writer: inout ByteWriter) {
        writer.writeInt64(entry.key)
        writer.writeACL(entry.acl)
    }

    package static func readACLTable(from reader: inout ByteReader) throws(DecodingError) -> [SnapshotACL] {
        let count = try reader.readCount(minimumElementBytes: 12)
        var table: [SnapshotACL] = []
        table.reserveCapacity(count)
        for _ in 0..<count { table.append(try readACLEntry(from: &reader)) }
        return table
    }

    package static func readACLEntry(from reader: inout ByteReader) throws(DecodingError) -> SnapshotACL {
        SnapshotACL(key: try reader.readInt64(), acl: try reader.readACL(.repaired))
    }
}
