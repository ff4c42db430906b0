/// A change that a watch has seen.
public struct WatchEvent: Hashable, Sendable {
    /// What happened.
    public enum Kind: Int32, Hashable, Sendable {
        /// The node came into being.
        case created = 1
        /// The node was deleted.
        case deleted = 2
        /// The node's data was set.
        case dataChanged = 3
        /// A child came or went.
        case childrenChanged = 4
    }

    /// What happened.
    public let kind: Kind
    /// The node that it happened to.
    public let path: String

    /// Joins kind and path.
    public init(_ kind: Kind, path: String) {
        self.kind = kind
        self.path = path
    }
}
