import ConclaveCore

/// The first frame of a client: asks for a session, or for its own again. Has no header.
///
/// ```
/// int protocol version (0, ignored) | long last zxid seen | int timeout | long session | buffer password
/// | bool read-only (may be absent)
/// ```
package struct ConnectRequest: Equatable, Sendable {
    /// The highest zxid that the client has seen; a server that is behind it closes the connection.
    package var lastZxidSeen: Zxid
    /// What the client asks for; the server sets the final value.
    package var timeoutMilliseconds: Int32
    /// `.none` for a new session.
    package var session: SessionID
    /// 16 bytes, zeros for a new session; a null or empty one is accepted.
    package var password: [UInt8]
    /// Whether a server without a quorum will do. `nil`: the byte is absent, as old clients have it, and then it is
    /// absent from the response as well.
    package var readOnly: Bool?

    package init(
        lastZxidSeen: Zxid, timeoutMilliseconds: Int32, session: SessionID, password: [UInt8], readOnly: Bool?
    ) {
        self.lastZxidSeen = lastZxidSeen
        self.timeoutMilliseconds = timeoutMilliseconds
        self.session = session
        self.password = password
        self.readOnly = readOnly
    }

    package init(from reader: inout ByteReader) throws(DecodingError) {
        _ = try reader.readInt32()
        lastZxidSeen = Zxid(rawValue: try reader.readInt64())
        timeoutMilliseconds = try reader.readInt32()
        session = SessionID(rawValue: try reader.readInt64())
        password = try reader.readBuffer() ?? []
        readOnly = reader.isAtEnd ? nil : try reader.readBool()
    }

    package func encode(into writer: inout ByteWriter) {
        writer.writeInt32(ConnectResponse.protocolVersion)
        writer.writeInt64(lastZxidSeen.rawValue)
        writer.writeInt32(timeoutMilliseconds)
        writer.writeInt64(session.rawValue)
        writer.writeBuffer(password)
        if let readOnly { writer.writeBool(readOnly) }
    }
}

/// The first frame of a server. Has no header.
///
/// ```
/// int protocol version (0) | int timeout | long session | buffer password | bool read-only (may be absent)
/// ```
package struct ConnectResponse: Equatable, Sendable {
    /// What both sides send; nobody looks at it.
    package static let protocolVersion: Int32 = 0
    package static let passwordBytes = 16

    /// What the server decided; 0 means that the session is gone.
    package var timeoutMilliseconds: Int32
    package var session: SessionID
    /// 16 bytes, zeros when the session is gone.
    package var password: [UInt8]
    /// Whether the server has no quorum; `nil`: the byte is absent, which counts as false.
    package var readOnly: Bool?

    package init(timeoutMilliseconds: Int32, session: SessionID, password: [UInt8], readOnly: Bool?) {
        self.timeoutMilliseconds = timeoutMilliseconds
        self.session = session
        self.password = password
        self.readOnly = readOnly
    }

    /// The answer to a client whose session is gone or whose password is wrong.
    package static func sessionGone(readOnly: Bool?) -> ConnectResponse {
        let password = [UInt8](repeating: 0, count: passwordBytes)
        return ConnectResponse(timeoutMilliseconds: 0, session: .none, password: password, readOnly: readOnly)
    }

    package init(from reader: inout ByteReader) throws(DecodingError) {
        _ = try reader.readInt32()
        timeoutMilliseconds = try reader.readInt32()
        session = SessionID(rawValue: try reader.readInt64())
        password = try reader.readBuffer() ?? []
        readOnly = reader.isAtEnd ? nil : try reader.readBool()
    }

    package func encode(into writer: inout ByteWriter) {
        writer.writeInt32(Self.protocolVersion)
        writer.writeInt32(timeoutMilliseconds)
        writer.writeInt64(session.rawValue)
        writer.writeBuffer(password)
        if let readOnly { writer.writeBool(readOnly) }
    }
}

extension ByteWriter {
    /// Length and request.
    package mutating func writeConnectFrame(_ request: ConnectRequest) {
        let start = openLength()
        request.encode(into: &self)
        closeLength(at: start)
    }

    /// Length and response.
    package mutating func writeConnectFrame(_ response: ConnectResponse) {
        let start = openLength()
        response.encode(into: &self)
        closeLength(at: start)
    }
}
