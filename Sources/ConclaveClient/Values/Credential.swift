public import ConclaveCore

/// Something to prove an identity with: a scheme and a secret.
///
/// Its description never shows the secret.
public struct Credential: Hashable, Sendable {
    /// `digest`, or a scheme that the servers were given.
    public let scheme: String
    /// What the scheme wants; for `digest` the bytes of `user:password`.
    public let secret: [UInt8]

    /// Joins a scheme and a secret.
    public init(scheme: String, secret: [UInt8]) {
        self.scheme = scheme
        self.secret = secret
    }

    /// A user name and a password.
    public static func digest(user: String, password: String) -> Credential {
        Credential(scheme: "digest", secret: Array((user + ":" + password).utf8))
    }
}

extension Credential: CustomStringConvertible, CustomDebugStringConvertible {
    /// The scheme; the secret stays one.
    public var description: String { scheme + ":…" }
    /// The scheme; the secret stays one.
    public var debugDescription: String { description }
}

/// What another client needs to go on with a session: give it to nobody else.
public struct SessionTicket: Hashable, Sendable {
    /// The session.
    public let session: SessionID
    /// 16 bytes that prove it is one's own.
    public let password: [UInt8]

    /// Joins a session and its password.
    public init(session: SessionID, password: [UInt8]) {
        self.session = session
        self.password = password
    }
}
