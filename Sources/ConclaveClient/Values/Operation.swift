public import ConclaveCore

/// One part of a transaction; see ``ZooKeeperClient/transaction(_:)``.
public enum Operation: Hashable, Sendable {
    /// Makes a node.
    case create(String, [UInt8]?, mode: CreateMode = .persistent, acl: [ACL] = .open)
    /// Deletes a node without children; `nil` takes any version.
    case delete(String, version: Int32? = nil)
    /// Replaces a node's data; `nil` takes any version.
    case setData(String, [UInt8]?, version: Int32? = nil)
    /// Changes nothing; fails unless the node exists and has that version. `nil` takes any.
    case check(String, version: Int32? = nil)

    /// The path that it concerns.
    public var path: String {
        switch self {
        case .create(let path, _, _, _), .delete(let path, _), .setData(let path, _, _), .check(let path, _): path
        }
    }
}

/// What one part of a transaction has done, in the place of the part.
public enum OperationResult: Hashable, Sendable {
    /// The path, with its number if it is sequential. Servers tell no facts for plain creates.
    case created(path: String, stat: Stat?)
    /// The node is gone.
    case deleted
    /// The facts after the change.
    case dataSet(Stat)
    /// The check held.
    case checked
}

/// One part of a bundle of reads; see ``ZooKeeperClient/read(_:)``.
public enum ReadOperation: Hashable, Sendable {
    /// The data of a node.
    case data(String)
    /// The names of its children.
    case children(String)

    /// The path that it concerns.
    public var path: String {
        switch self {
        case .data(let path), .children(let path): path
        }
    }
}

/// What one part of a bundle of reads has found.
public enum ReadResult: Equatable, Sendable {
    /// The data of a node.
    case data(NodeData)
    /// The names of its children, sorted.
    case children([String])
    /// This part failed; the others are not affected.
    case failed(ZooKeeperError)
}

/// Which watches ``ZooKeeperClient/removeWatches(at:kind:)`` removes.
public enum WatchKind: Hashable, Sendable {
    /// Those on data and existence.
    case data
    /// Those on children.
    case children
    /// All, persistent ones included.
    case any
}
