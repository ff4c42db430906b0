import ConclaveCore

/// Access control lists as people write them: `world:anyone:cdrwa,digest:user:hash:r`.
package enum ACLText {
    /// The letters of the permissions in the reference's order.
    package static func letters(_ permissions: Permissions) -> String {
        order.filter { permissions.contains($0.permission) }.map { String($0.letter) }.joined()
    }

    /// Reads a list; the id of an entry is everything between its first and its last colon.
    package static func parse(_ text: String) throws(ShellError) -> [ACL] {
        var list: [ACL] = []
        for entry in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let first = entry.firstIndex(of: ":"), let last = entry.lastIndex(of: ":"), first != last else {
                throw ShellError("\(entry) does not have the form scheme:id:perm")
            }
            var permissions: Permissions = []
            for letter in entry[entry.index(after: last)...] {
                guard let known = order.first(where: { $0.letter == letter }) else {
                    throw ShellError("Unknown perm type: \(letter)")
                }
                permissions.insert(known.permission)
            }
            let id = entry[entry.index(after: first)..<last]
            list.append(ACL(permissions, for: Identity(scheme: String(entry[..<first]), id: String(id))))
        }
        return list
    }

    /// As `getAcl` prints them: two lines for each entry.
    package static func lines(_ list: [ACL]) -> [String] {
        list.flatMap { ["'\($0.identity.scheme),'\($0.identity.id)", ": \(letters($0.permissions))"] }
    }

    private static let order: [(letter: Character, permission: Permissions)] = [
        ("c", .create), ("d", .delete), ("r", .read), ("w", .write), ("a", .admin),
    ]
}
