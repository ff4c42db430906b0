import ConclaveCore

/// What a decoder does with the texts of an identity that are not UTF-8.
///
/// Java writes a character outside the basic plane as two surrogates of three bytes each, which is not UTF-8, so files
/// and replies of the reference may hold such texts: there they are repaired. In requests they are refused, because two
/// different identities would look the same after the repair.
package enum IdentityText: Sendable {
    case strict
    case repaired
}

extension ByteReader {
    /// A vector of `{int permissions, ustring scheme, ustring id}`; a null vector counts as empty, null texts throw.
    package mutating func readACL(_ text: IdentityText = .strict) throws(DecodingError) -> [ACL] {
        let count = try readCount(minimumElementBytes: 12)
        var list: [ACL] = []
        list.reserveCapacity(count)
        for _ in 0..<count {
            let permissions = Permissions(rawValue: try readInt32())
            list.append(ACL(permissions, for: try readIdentity(text)))
        }
        return list
    }

    /// `{ustring scheme, ustring id}`.
    package mutating func readIdentity(_ text: IdentityText) throws(DecodingError) -> Identity {
        switch text {
        case .strict:
            // Some clients send null for an empty text (kazoo: the id of the scheme auth); validation judges it then.
            let scheme = try readString() ?? ""
            return Identity(scheme: scheme, id: try readString() ?? "")
        case .repaired:
            let scheme = try readRepairedText("scheme")
            return Identity(scheme: scheme, id: try readRepairedText("id"))
        }
    }
}

extension ByteWriter {
    package mutating func writeACL(_ list: [ACL]) {
        writeInt32(Int32(list.count))
        for entry in list {
            writeInt32(entry.permissions.rawValue)
            writeIdentity(entry.identity)
        }
    }

    package mutating func writeIdentity(_ identity: Identity) {
        writeString(identity.scheme)
        writeString(identity.id)
    }
}
