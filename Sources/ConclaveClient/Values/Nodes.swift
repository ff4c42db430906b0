public import ConclaveCore

/// What a create has made.
public struct CreatedNode: Hashable, Sendable {
    /// The path, with the number that the server appended to a sequential one.
    public let path: String
    /// The node's facts; `czxid` is the transaction that made it.
    public let stat: Stat

    /// Joins path and facts.
    public init(path: String, stat: Stat) {
        self.path = path
        self.stat = stat
    }

    /// What stands after the last slash.
    public var name: Substring { path[(path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex)...] }
}

/// A node's data and facts, read at one moment.
public struct NodeData: Hashable, Sendable {
    /// The data; null, which a node may have instead of data, is `nil`.
    public let data: [UInt8]?
    /// The node's facts.
    public let stat: Stat

    /// Joins data and facts.
    public init(data: [UInt8]?, stat: Stat) {
        self.data = data
        self.stat = stat
    }

    /// The data; empty for null.
    public var bytes: [UInt8] { data ?? [] }
}

/// A node's children and facts, read at one moment.
public struct Children: Hashable, Sendable {
    /// The names, not paths, in the order of their UTF-8 bytes.
    public let names: [String]
    /// The facts of the parent.
    public let stat: Stat

    /// Joins names and facts.
    public init(names: [String], stat: Stat) {
        self.names = names
        self.stat = stat
    }
}
