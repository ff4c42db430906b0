import ConclaveClient
import ConclaveCore

/// Tells whether a member of a barrier has gone, also one that nobody has seen.
///
/// A member that comes and dies between two listings is in neither. The parent counts it all the same: its `cversion` is
/// twice the number of children ever made, less the number of those there are, so (`cversion` − `numChildren`) / 2 have been
/// deleted. A member takes that number before it comes and looks at it with every listing; whatever has gone since then was
/// there while the barrier waited.
///
/// The number begins anew when the parent is removed, as empty containers are, and made again; the parent's `czxid` tells.
package struct DepartureCount: Hashable, Sendable {
    private let parent: Zxid
    private let deletions: UInt32
    /// Those there were who belong to an earlier round: they leave when they like.
    private let leaving: Set<String>

    /// - Parameter children: what the parent had before the own member came; `nil` if there was no parent.
    package init(_ children: Children?, leaving: Set<String> = []) {
        parent = children?.stat.czxid ?? .zero
        deletions = children.map(Self.deletions) ?? 0
        self.leaving = leaving
    }

    /// Whether a member has gone.
    package func hasLost(_ children: Children) -> Bool {
        guard children.stat.czxid == parent else { return Self.deletions(children) > 0 }
        let gone = (Self.deletions(children) &- deletions) & Self.mask
        return gone > (leaving.isEmpty ? 0 : UInt32(leaving.subtracting(children.names).count))
    }

    /// How many children were deleted; counts up to 2³¹ and then from zero, as `cversion` does.
    private static func deletions(_ children: Children) -> UInt32 {
        UInt32(bitPattern: children.stat.cversion &- children.stat.numChildren) >> 1
    }

    private static var mask: UInt32 { .max >> 1 }
}
