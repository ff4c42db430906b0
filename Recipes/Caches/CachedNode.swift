public import ConclaveCore

/// A node as a cache has last read it.
public struct CachedNode: Hashable, Sendable {
    /// The whole path.
    public let path: String
    /// The data; empty for none.
    public let bytes: [UInt8]
    /// The node's facts when its data was last read. Those about children are not kept up to date.
    public let stat: Stat

    /// Joins path, data and facts.
    public init(path: String, bytes: [UInt8], stat: Stat) {
        self.path = path
        self.bytes = bytes
        self.stat = stat
    }

    /// What stands after the last slash.
    public var name: Substring { path[(path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex)...] }

    /// The data as a typed value.
    ///
    /// - Throws: what is wrong with it.
    public func value<Value: ConfigurationValue>(as type: Value.Type = Value.self) throws -> Value {
        try Value(configurationBytes: bytes)
    }
}

/// How far a cache can be believed.
public enum CacheStatus: Equatable, Sendable {
    /// Not everything has been read yet.
    case filling
    /// Everything has been read, and the server tells of every change.
    case current
    /// The connection was lost at this moment: what changes is not seen until everything has been read again.
    case stale(since: ContinuousClock.Instant)
    /// Nothing is kept up to date any more: `nil` if the cache was closed, else why.
    case ended(ZooKeeperError?)
}

/// A step from one content of a cache to the next.
public enum CacheChange: Equatable, Sendable {
    /// A node that was not there.
    case added(CachedNode)
    /// New data, or a node that was deleted and made again: then its `czxid` is another.
    case changed(CachedNode)
    /// A node is gone; as it was last.
    case removed(CachedNode)
    /// The cache can be believed more, or less, than before.
    case status(CacheStatus)
}

/// How much a cache keeps.
public struct CacheLimits: Hashable, Sendable {
    /// The most nodes; 100,000 unless set.
    public var nodes: Int
    /// The most bytes of paths and data together; 256 MiB unless set.
    public var bytes: Int

    /// Sets both; a cache that would have to keep more ends with `quotaExceeded`.
    public init(nodes: Int = 100_000, bytes: Int = 256 << 20) {
        self.nodes = max(1, nodes)
        self.bytes = max(1, bytes)
    }
}
