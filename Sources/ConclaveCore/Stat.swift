/// What the server knows about a znode besides its data.
///
/// On the wire 68 bytes, the fields in the order in which they stand here.
public struct Stat: Hashable, Sendable {
    /// The transaction that created the node.
    public var czxid: Zxid
    /// The transaction that last changed the data (the create counts).
    public var mzxid: Zxid
    /// When the node was created: milliseconds since 1970, by the leader's clock.
    public var ctime: Int64
    /// When the data last changed: milliseconds since 1970, by the leader's clock.
    public var mtime: Int64
    /// How often the data has changed.
    public var version: Int32
    /// How often children came or went: `2 × creates − children`.
    public var cversion: Int32
    /// How often the access control list has changed.
    public var aversion: Int32
    /// The session that owns an ephemeral node; `.none` for every other kind, containers and TTL nodes included.
    public var ephemeralOwner: SessionID
    /// The length of the data in bytes; 0 for null data.
    public var dataLength: Int32
    /// How many children the node has.
    public var numChildren: Int32
    /// The transaction that last created or deleted a child; at first the node's own `czxid`.
    public var pzxid: Zxid

    /// Takes every field.
    @inlinable
    public init(
        czxid: Zxid, mzxid: Zxid, ctime: Int64, mtime: Int64, version: Int32, cversion: Int32, aversion: Int32,
        ephemeralOwner: SessionID, dataLength: Int32, numChildren: Int32, pzxid: Zxid
    ) {
        self.czxid = czxid
        self.mzxid = mzxid
        self.ctime = ctime
        self.mtime = mtime
        self.version = version
        self.cversion = cversion
        self.aversion = aversion
        self.ephemeralOwner = ephemeralOwner
        self.dataLength = dataLength
        self.numChildren = numChildren
        self.pzxid = pzxid
    }
}

/// The part of a node that snapshots keep and the digest covers: 60 bytes.
///
/// Differs from ``Stat`` in two fields: `childCreates` counts child creations only, and `owner` holds the encodings of
/// containers and TTL nodes.
@usableFromInline
package struct StoredStat: Hashable, Sendable {
    @usableFromInline package var czxid: Zxid
    @usableFromInline package var mzxid: Zxid
    @usableFromInline package var ctime: Int64
    @usableFromInline package var mtime: Int64
    @usableFromInline package var version: Int32
    /// Stored as "cversion": the number of children ever created, which is also the next sequence number.
    @usableFromInline package var childCreates: Int32
    @usableFromInline package var aversion: Int32
    /// Stored as "ephemeralOwner"; see ``NodeOwner``.
    @usableFromInline package var owner: Int64
    @usableFromInline package var pzxid: Zxid

    @inlinable
    package init(
        czxid: Zxid, mzxid: Zxid, ctime: Int64, mtime: Int64, version: Int32, childCreates: Int32, aversion: Int32,
        owner: Int64, pzxid: Zxid
    ) {
        self.czxid = czxid
        self.mzxid = mzxid
        self.ctime = ctime
        self.mtime = mtime
        self.version = version
        self.childCreates = childCreates
        self.aversion = aversion
        self.owner = owner
        self.pzxid = pzxid
    }
}

/// What the stored owner field of a node says.
///
/// ```
/// 0                       persistent
/// 0x8000000000000000      container
/// 0xFF00 <40 bits of ms>  TTL, only while extended types are on
/// anything else           the session that owns an ephemeral node
/// ```
package enum NodeOwner: Hashable, Sendable {
    case persistent
    case container
    case timeToLive(milliseconds: Int64)
    case ephemeral(SessionID)

    package static let containerValue = Int64.min
    package static let timeToLivePrefix = Int64(bitPattern: 0xFF00_0000_0000_0000)
    /// The largest time to live: 2^40 - 1 ms, about 34 years.
    package static let maximumTimeToLiveMilliseconds: Int64 = 0xFF_FFFF_FFFF

    package init(stored: Int64, extendedTypes: Bool) {
        if stored == 0 {
            self = .persistent
        } else if stored == Self.containerValue {
            self = .container
        } else if extendedTypes, UInt64(bitPattern: stored) >> 40 == 0xFF0000 {
            self = .timeToLive(milliseconds: stored & Self.maximumTimeToLiveMilliseconds)
        } else {
            self = .ephemeral(SessionID(rawValue: stored))
        }
    }

    package var stored: Int64 {
        switch self {
        case .persistent: 0
        case .container: Self.containerValue
        case .timeToLive(let milliseconds): Self.timeToLivePrefix | milliseconds
        case .ephemeral(let session): session.rawValue
        }
    }
}
