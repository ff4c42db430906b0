import ConclaveCore

/// Who may do what: evaluation of access control lists, their validation, and the schemes without a conversation.
///
/// Source: wire-protocol, section 10.
package enum AccessControl {
    /// Whether a connection with the given identities may do something to a node with the given list.
    ///
    /// An empty list allows everything, and so does the identity `super`. (With `skipACL` nobody asks.)
    package static func isAllowed(_ permission: Permissions, by acl: [ACL], identities: [Identity]) -> Bool {
        if acl.isEmpty { return true }
        for entry in acl where !entry.permissions.isDisjoint(with: permission) {
            if entry.identity == .anyone { return true }
            for identity in identities where identity.scheme == entry.identity.scheme {
                if Scheme(rawValue: identity.scheme).matches(identity.id, entry.identity.id) { return true }
            }
        }
        return identities.contains { $0.scheme == Scheme.superUser.rawValue }
    }

    /// The list as it is stored: duplicates gone, `auth` replaced by the connection's own identities.
    ///
    /// - Parameter schemes: those that may stand in a list besides `world` and `auth`.
    /// - Returns: `nil` for a list that is empty or not valid, or that says `auth` on a connection that has not
    ///   authenticated.
    package static func normalise(
        _ acl: [ACL], identities: [Identity], schemes: [Scheme] = Scheme.standard
    ) -> [ACL]? {
        guard !acl.isEmpty else { return nil }
        // By far the most frequent one.
        if acl == .open { return acl }
        var unique: [ACL] = []
        var seen: Set<ACL> = []
        for entry in acl where seen.insert(entry).inserted { unique.append(entry) }
        var result: [ACL] = []
        for entry in unique {
            let scheme = Scheme(rawValue: entry.identity.scheme)
            if scheme == .auth {
                let own = identities.filter { Scheme(rawValue: $0.scheme).provesIdentity(among: schemes) }
                guard !own.isEmpty else { return nil }
                for identity in own { result.append(ACL(entry.permissions, for: identity)) }
            } else if scheme == .world {
                guard entry.identity == .anyone else { return nil }
                result.append(entry)
            } else {
                guard schemes.contains(scheme), scheme.isValid(entry.identity.id) else { return nil }
                result.append(entry)
            }
        }
        return result
    }

    /// The list as somebody without ADMIN may see it: `digest` ids without their hash.
    package static func masked(_ acl: [ACL]) -> [ACL] {
        acl.map { entry in
            guard entry.identity.scheme == Scheme.digest.rawValue,
                let colon = entry.identity.id.utf8.firstIndex(of: UInt8(ascii: ":"))
            else { return entry }
            var masked = entry
            masked.identity.id = String(entry.identity.id[..<colon]) + ":x"
            return masked
        }
    }

    /// The name of an identity that its owner may see: for `digest` the user alone.
    package static func publicName(of identity: Identity) -> String {
        guard identity.scheme == Scheme.digest.rawValue,
            let colon = identity.id.utf8.firstIndex(of: UInt8(ascii: ":"))
        else { return identity.id }
        return String(identity.id[..<colon])
    }

    /// What an auth packet proves.
    ///
    /// - Parameters:
    ///   - superDigest: the id of the super user of the digest scheme, or `nil` if there is none.
    ///   - peerAddress: the client's address as text, which is its identity under `ip` whatever it says.
    /// - Returns: `nil` if the scheme is not known here or proves nothing by a packet.
    package static func authenticate(
        scheme: String, credential: [UInt8], superDigest: String?, peerAddress: String
    ) -> [Identity]? {
        switch Scheme(rawValue: scheme) {
        case .digest:
            let id = DigestIdentity.make(credential: credential)
            let own = Identity(scheme: scheme, id: id)
            guard let superDigest, id == superDigest else { return [own] }
            return [Identity(scheme: Scheme.superUser.rawValue, id: ""), own]
        case .ip: return [Identity(scheme: scheme, id: peerAddress)]
        default: return nil
        }
    }
}

/// A scheme of authentication, with the rules for its ids. An open set.
package struct Scheme: RawRepresentable, Hashable, Sendable {
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }

    package static let world = Scheme(rawValue: "world")
    package static let auth = Scheme(rawValue: "auth")
    package static let digest = Scheme(rawValue: "digest")
    package static let ip = Scheme(rawValue: "ip")
    package static let x509 = Scheme(rawValue: "x509")
    package static let sasl = Scheme(rawValue: "sasl")
    /// Written `super`; may do everything, cannot stand in a list.
    package static let superUser = Scheme(rawValue: "super")

    /// Those that every server has.
    package static let standard: [Scheme] = [.digest, .ip]

    /// Whether an identity of this scheme is something that its bearer has proven, so that `auth` may stand for it.
    func provesIdentity(among schemes: [Scheme]) -> Bool {
        (self == .digest || self == .sasl || self == .x509) && schemes.contains(self)
    }

    /// Whether an id may stand in a list.
    func isValid(_ id: String) -> Bool {
        switch self {
        case .world: id == Identity.anyone.id
        case .digest: Self.hasTwoParts(id)
        case .ip: AddressMask(id) != nil
        case .x509, .sasl: !id.isEmpty
        default: false
        }
    }

    /// Whether a connection's id is one that an entry of the same scheme speaks of.
    func matches(_ id: String, _ entry: String) -> Bool {
        self == .ip ? AddressMask(entry)?.matches(id) ?? false : id == entry
    }

    /// Two parts around a colon, as Java's `split` counts them: empty parts at the end are none.
    private static func hasTwoParts(_ id: String) -> Bool {
        var parts = id.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        while let last = parts.last, last.isEmpty { parts.removeLast() }
        return parts.count == 2
    }
}
