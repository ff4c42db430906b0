public import ConclaveCore

/// A value of a ``Configuration`` with its place in the node's history.
public struct ConfigurationRevision<Value: ConfigurationValue>: Sendable {
    /// The value.
    public let value: Value
    /// How often the node has been written; what ``Configuration/publish(_:expecting:)`` compares.
    public let version: Int32
    /// The transaction that wrote it: grows from revision to revision, even when the node is made anew.
    public let zxid: Zxid
    /// When it was written: milliseconds since 1970, by the leader's clock.
    public let writtenMilliseconds: Int64
    /// How many revisions between the one delivered before and this one were never looked at, because they came faster
    /// than they were taken; 0 in the first.
    ///
    /// If the node was ``recreated``, only those of the new node are counted.
    public let skipped: Int
    /// How many revisions since the one delivered before were looked at but are not values of this type.
    public let invalid: Int
    /// Whether the node was deleted and made again since the revision delivered before.
    public let recreated: Bool
    /// Whether it comes from the backup file and not from a server: the current one may be another.
    public let isFromBackup: Bool

    init(
        value: Value, version: Int32, zxid: Zxid, writtenMilliseconds: Int64, skipped: Int = 0, invalid: Int = 0,
        recreated: Bool = false, isFromBackup: Bool = false
    ) {
        self.value = value
        self.version = version
        self.zxid = zxid
        self.writtenMilliseconds = writtenMilliseconds
        self.skipped = skipped
        self.invalid = invalid
        self.recreated = recreated
        self.isFromBackup = isFromBackup
    }
}

extension ConfigurationRevision: Equatable where Value: Equatable {}
extension ConfigurationRevision: Hashable where Value: Hashable {}
