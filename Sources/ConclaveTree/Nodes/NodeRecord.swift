import ConclaveCore

/// Names a node for as long as it exists; the number is used again after the node has been deleted.
package struct NodeIndex: Hashable, Sendable {
    package let rawValue: UInt32

    @inlinable
    package init(rawValue: UInt32) { self.rawValue = rawValue }
}

/// What every node takes: 56 bytes. Name and data lie in the ``BlockStore``.
///
/// A node that was never changed after its create and never had children needs nothing else: its mzxid and pzxid are
/// its czxid, its mtime its ctime, its versions 0. Everything that differs is in a ``SideRecord``.
struct NodeRecord: Sendable {
    static let none = UInt32.max
    /// In ``parent`` of a slot without a node; ``next`` names the next such slot.
    static let freeSlot = UInt32.max - 1

    var czxid: Int64
    var ctime: Int64
    // What finding a path reads stands together.
    var parent: UInt32
    var block: UInt32
    var nameBytes: UInt32
    /// -1 for null data.
    var dataBytes: Int32
    /// A slot of the ``ACLTable``.
    var acl: UInt32
    var side = NodeRecord.none
    /// A slot of the ``OwnerTable``.
    var owner: UInt32
    /// CRC-32 of path and data, from which the node's digest is finished with its stat; 0 while digests are off.
    var contentChecksum: UInt32 = 0
    var next = NodeRecord.none
    var previous = NodeRecord.none
}

/// What changed nodes, parents and nodes with an owner take besides: 48 bytes.
struct SideRecord: Sendable {
    var mzxid: Int64
    var mtime: Int64
    var pzxid: Int64
    var version: Int32 = 0
    var aversion: Int32 = 0
    var childCreates: Int32 = 0
    var childCount: UInt32 = 0
    /// The child created last; in a free slot the next free slot.
    var firstChild = NodeRecord.none
    /// The node's place among the members of its owner.
    var memberPlace = NodeRecord.none
}
