/// What an entry of an access control list allows.
///
/// On the wire an int; written `cdrwa` in shells.
public struct Permissions: OptionSet, Hashable, Sendable {
    /// The bits as they travel on the wire.
    public let rawValue: Int32

    /// Takes the bits as they travel on the wire.
    public init(rawValue: Int32) { self.rawValue = rawValue }

    /// Read the data and list the children.
    public static let read = Permissions(rawValue: 1)
    /// Set the data.
    public static let write = Permissions(rawValue: 2)
    /// Create children.
    public static let create = Permissions(rawValue: 4)
    /// Delete children.
    public static let delete = Permissions(rawValue: 8)
    /// Change the access control list.
    public static let admin = Permissions(rawValue: 16)
    /// Everything.
    public static let all: Permissions = [.read, .write, .create, .delete, .admin]
}

/// Who somebody is under one scheme of authentication.
public struct Identity: Hashable, Sendable {
    /// The scheme: `world`, `auth`, `digest`, `ip`, `x509`, `sasl` or one that the server was given.
    public var scheme: String
    /// The name within the scheme; `anyone` for `world`, `user:base64(SHA-1)` for `digest`, an address for `ip`.
    public var id: String

    /// Joins a scheme and a name.
    public init(scheme: String, id: String) {
        self.scheme = scheme
        self.id = id
    }

    /// Everybody.
    public static let anyone = Identity(scheme: "world", id: "anyone")
    /// Whoever creates the node: the server replaces it by the identities of the connection.
    public static let creator = Identity(scheme: "auth", id: "")
}

/// One entry of an access control list: what one identity may do.
public struct ACL: Hashable, Sendable {
    /// What is allowed.
    public var permissions: Permissions
    /// To whom.
    public var identity: Identity

    /// Joins permissions and an identity.
    public init(_ permissions: Permissions, for identity: Identity) {
        self.permissions = permissions
        self.identity = identity
    }
}

extension [ACL] {
    /// Everybody may do everything: the default of most clients.
    public static let open = [ACL(.all, for: .anyone)]
    /// Everybody may read, nobody may change anything.
    public static let readOnly = [ACL(.read, for: .anyone)]
    /// Whoever creates the node may do everything, nobody else anything; needs an authenticated connection.
    public static let creatorOnly = [ACL(.all, for: .creator)]
}
