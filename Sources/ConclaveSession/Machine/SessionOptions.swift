import ConclaveCore
import ConclaveWire

/// What a session is asked to be.
package struct SessionOptions: Sendable {
    /// What is asked for; the server sets the final value.
    package var timeoutMilliseconds: Int32 = 10_000
    /// How long the first session may take.
    package var connectTimeoutMilliseconds: Int64 = 15_000
    /// After so long without an answer a request fails and the connection is given up. `nil`: the session's own rules
    /// suffice.
    package var requestTimeoutMilliseconds: Int64?
    /// Whether a server without a quorum will do.
    package var allowsReadOnly = false
    /// See ``HoldWindow``. `nil`: its default.
    package var holdMarginMilliseconds: Int64?
    package var maximumFrameBytes = FrameLimit.defaultMaximumBytes
    /// Requests on their way and waiting together.
    package var maximumPendingRequests = 100_000
    /// Bytes waiting to be sent.
    package var maximumPendingBytes = 64 << 20
    package var credentials: [SessionCredential] = []
    /// A session to go on with.
    package var resumed: SessionIdentity?

    package init() {}
}

/// Something that a connection proves itself with.
package struct SessionCredential: Hashable, Sendable {
    package let scheme: String
    package let secret: [UInt8]

    package init(scheme: String, secret: [UInt8]) {
        self.scheme = scheme
        self.secret = secret
    }

    /// The most credentials that one session may have.
    package static let limit = 64
}

/// What proves that a session is one's own.
package struct SessionIdentity: Hashable, Sendable {
    package var session: SessionID
    /// 16 bytes.
    package var password: [UInt8]

    package init(session: SessionID, password: [UInt8]) {
        self.session = session
        self.password = password
    }

    package static let none = SessionIdentity(
        session: .none, password: [UInt8](repeating: 0, count: ConnectResponse.passwordBytes))
}
