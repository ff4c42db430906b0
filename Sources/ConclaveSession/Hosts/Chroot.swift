import ConclaveCore

/// The part of the tree that a client sees as the whole.
///
/// Every path of a request gets the prefix, every path of an answer loses it. A path outside of it (events of
/// `/zookeeper/config` for instance) stays as it is.
package struct Chroot: Equatable, Sendable {
    /// The prefix without a slash at the end; empty if there is none.
    package let prefix: [UInt8]

    /// `/` means none.
    package init(_ path: NodePath) { prefix = path == .root ? [] : path.utf8 }

    package static let none = Chroot(.root)

    /// The path as users write it: `/` if there is none.
    package var path: NodePath { prefix.isEmpty ? .root : NodePath(utf8: prefix) }

    private static let slash = UInt8(ascii: "/")

    /// The server's path for one of the user's.
    package func full(_ path: NodePath) -> NodePath {
        guard !prefix.isEmpty else { return path }
        return path == .root ? NodePath(utf8: prefix) : NodePath(utf8: prefix + path.utf8)
    }

    /// The same for a name that the server completes with a number: `/` stays a folder.
    package func fullSequential(_ path: NodePath) -> NodePath {
        prefix.isEmpty ? path : NodePath(utf8: prefix + path.utf8)
    }

    /// Whether a path of the server lies in here.
    package func contains(_ path: NodePath) -> Bool {
        guard !prefix.isEmpty else { return true }
        guard path.utf8.starts(with: prefix) else { return false }
        return path.utf8.count == prefix.count || path.utf8[prefix.count] == Self.slash
    }

    /// The user's path for one of the server's; unchanged if it lies outside.
    package func visible(_ path: NodePath) -> NodePath {
        guard !prefix.isEmpty, contains(path) else { return path }
        return path.utf8.count == prefix.count ? .root : NodePath(utf8: Array(path.utf8[prefix.count...]))
    }

    /// The user's path for one of the server's; unchanged if it lies outside.
    package func visible(_ path: String) -> String {
        prefix.isEmpty ? path : visible(NodePath(path)).text
    }
}
