import ConclaveCore

/// The machine's name for one watcher. Grows.
package struct WatcherID: Hashable, Comparable, Sendable {
    package let rawValue: UInt64

    package init(rawValue: UInt64) { self.rawValue = rawValue }

    package static func < (left: WatcherID, right: WatcherID) -> Bool { left.rawValue < right.rawValue }
}

/// What a watcher wants to hear.
package enum WatcherKind: Hashable, Sendable {
    /// Once: the node's data changed or the node went. Armed by getData.
    case data
    /// Once: the node came, changed or went. Armed by exists, whether there is a node or not.
    case existence
    /// Once: a child came or went, or the node itself went. Armed by getChildren.
    case children
    /// Until removed: everything about one path.
    case persistent
    /// Until removed: nodes coming, changing and going at a path and everywhere below.
    case recursive
}

/// A watcher that a request is going to arm.
package struct WatchInterest: Equatable, Sendable {
    package let kind: WatcherKind
    /// With the chroot.
    package let path: NodePath
    package let watcher: WatcherID

    package init(_ kind: WatcherKind, at path: NodePath, watcher: WatcherID) {
        self.kind = kind
        self.path = path
        self.watcher = watcher
    }
}

/// Which watches of a path go. The raw value is what removeWatches carries.
package enum WatchRemoval: Int32, Hashable, Sendable {
    case children = 1
    /// Those of getData and of exists.
    case data = 2
    /// All, persistent ones included.
    case any = 3
}
