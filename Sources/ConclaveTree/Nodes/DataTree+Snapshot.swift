import ConclaveCore

/// A node as a snapshot holds it.
package struct SnapshotNode: Equatable, Sendable {
    /// Empty for the root.
    package let path: [UInt8]
    /// `nil` for null data. Lies in the tree's own memory: copy what must outlive the call.
    package let data: ArraySlice<UInt8>?
    package let aclKey: Int64
    package let stat: StoredStat

    package init(path: [UInt8], data: ArraySlice<UInt8>?, aclKey: Int64, stat: StoredStat) {
        self.path = path
        self.data = data
        self.aclKey = aclKey
        self.stat = stat
    }
}

/// What stands in front of the nodes of a snapshot and behind them.
package struct SnapshotPlan: Sendable {
    package let zxid: Zxid
    /// Sorted by key, the open list left out.
    package let acls: [(key: Int64, acl: [ACL])]
    /// The digest of the tree at ``digestZxid``; `nil` while digests are off.
    package let digest: TreeDigest?
    /// ``zxid``, unless the tree was loaded from a fuzzy snapshot and has not reached the end of the fuzzy stretch:
    /// then this snapshot is fuzzy too, up to here.
    package let digestZxid: Zxid
    package let nodeCount: Int
    private let sessionTable: [SessionID: Int32]

    init(
        zxid: Zxid, sessionTable: [SessionID: Int32], acls: [(key: Int64, acl: [ACL])], digest: TreeDigest?,
        digestZxid: Zxid, nodeCount: Int
    ) {
        self.zxid = zxid
        self.sessionTable = sessionTable
        self.acls = acls
        self.digest = digest
        self.digestZxid = digestZxid
        self.nodeCount = nodeCount
    }

    /// The open sessions, sorted. Sorted when asked for, so that the tree's owner need not.
    package var sessions: [(id: SessionID, timeoutMilliseconds: Int32)] {
        sessionTable.map { ($0.key, $0.value) }.sorted { $0.0 < $1.0 }
    }
}

/// How far the snapshot under way has come.
struct SnapshotProgress: Sendable {
    /// One bit per slot: written, or not part of this snapshot.
    private var written: [UInt64]
    /// Slots that came later are not part of it.
    let slotCount: UInt32
    var cursor: UInt32 = 0
    /// Nodes that had to be saved before they changed, with everything above them that had not been written.
    var early: [SnapshotNode] = []
    var earlySent = 0

    init(slotCount: Int) {
        self.slotCount = UInt32(truncatingIfNeeded: slotCount)
        written = [UInt64](repeating: 0, count: (slotCount + 63) / 64)
    }

    @inline(__always)
    func isDone(_ slot: UInt32) -> Bool {
        slot >= slotCount || written[Int(slot >> 6)] & (1 << UInt64(slot & 63)) != 0
    }

    @inline(__always)
    mutating func markDone(_ slot: UInt32) {
        if slot < slotCount { written[Int(slot >> 6)] |= 1 << UInt64(slot & 63) }
    }

    /// Moves the cursor over slots that are done, 64 at a time.
    mutating func skipDone() {
        while cursor < slotCount {
            let rest = ~written[Int(cursor >> 6)] >> UInt64(cursor & 63)
            if rest != 0 {
                cursor = min(slotCount, cursor + UInt32(rest.trailingZeroBitCount))
                return
            }
            cursor = min(slotCount, (cursor | 63) + 1)
        }
    }
}

/// Snapshots that are exact at one zxid although the tree goes on changing (DESIGN D7).
///
/// Slots are written in their order, a slice at a time; a node that is about to change before its turn is saved first,
/// with whatever above it has not been written, so that parents always come before children.
extension DataTree {
    package var isSnapshotting: Bool { snapshot.slotCount > 0 }

    /// Fixes the state of this moment for ``nextSnapshotNodes(limitBytes:emit:)``; one that is under way is dropped.
    ///
    /// Cost: one bit per node, and a copy of the ACL table.
    package mutating func beginSnapshot() -> SnapshotPlan {
        snapshot = SnapshotProgress(slotCount: nodes.count)
        var digest = options.digestEnabled ? TreeDigest(value: digest) : nil
        var digestZxid = lastProcessed
        if let fuzzyUntil {
            // Not known: then the file claims none.
            digest = fuzzyUntil.digest
            digestZxid = fuzzyUntil.zxid
        }
        return SnapshotPlan(
            zxid: lastProcessed, sessionTable: sessions, acls: acls.entries, digest: digest, digestZxid: digestZxid,
            nodeCount: nodeCount)
    }

    /// Gives up the snapshot under way.
    package mutating func cancelSnapshot() { snapshot = SnapshotProgress(slotCount: 0) }

    /// Hands out further nodes, parents before children, the root first.
    ///
    /// - Parameter limitBytes: about how many bytes to hand out; the slice ends with the node that reaches it.
    /// - Returns: `false` when all nodes are out.
    package mutating func nextSnapshotNodes(limitBytes: Int, emit: (SnapshotNode) -> Void) -> Bool {
        var bytes = 0
        while snapshot.earlySent < snapshot.early.count {
            guard bytes < limitBytes else { return true }
            bytes += Self.size(of: snapshot.early[snapshot.earlySent])
            emit(snapshot.early[snapshot.earlySent])
            snapshot.earlySent += 1
        }
        snapshot.early.removeAll(keepingCapacity: true)
        snapshot.earlySent = 0
        var buffer: [UInt8] = []
        var chain: [UInt32] = []
        while let slot = nextSlot() {
            guard bytes < limitBytes else { return true }
            unwrittenChain(to: slot, &chain)
            while let next = chain.popLast() {
                snapshot.markDone(next)
                writePath(of: next, into: &buffer)
                let node = snapshotNode(next, path: buffer)
                bytes += Self.size(of: node)
                emit(node)
            }
        }
        cancelSnapshot()
        return false
    }

    /// The next slot with a node that has not been written, or `nil` behind the last one.
    private mutating func nextSlot() -> UInt32? {
        while true {
            snapshot.skipDone()
            guard snapshot.cursor < snapshot.slotCount else { return nil }
            guard nodes[snapshot.cursor].parent == NodeRecord.freeSlot else { return snapshot.cursor }
            snapshot.markDone(snapshot.cursor)
        }
    }

    /// A node and the unwritten ones above it, the topmost last. The root is the topmost of the first chain.
    private func unwrittenChain(to slot: UInt32, _ chain: inout [UInt32]) {
        var walk = slot
        while walk != NodeRecord.none, !snapshot.isDone(walk) {
            chain.append(walk)
            walk = nodes[walk].parent
        }
    }

    /// To be called before a node changes or goes: saves it for the snapshot under way.
    @inline(__always)
    mutating func willChange(_ slot: UInt32) {
        if !snapshot.isDone(slot) { saveForSnapshot(slot) }
    }

    @inline(never)
    private mutating func saveForSnapshot(_ slot: UInt32) {
        var chain: [UInt32] = []
        unwrittenChain(to: slot, &chain)
        while let next = chain.popLast() {
            snapshot.markDone(next)
            var path: [UInt8] = []
            writePath(of: next, into: &path)
            // Copied: a slice of the tree's pages would make the coming change copy the page.
            let node = snapshotNode(next, path: path)
            snapshot.early.append(
                SnapshotNode(path: path, data: node.data.map { Array($0)[...] }, aclKey: node.aclKey, stat: node.stat))
        }
    }

    private func snapshotNode(_ slot: UInt32, path: [UInt8]) -> SnapshotNode {
        let index = NodeIndex(rawValue: slot)
        return SnapshotNode(
            path: path, data: dataSlice(of: slot), aclKey: aclKey(of: index), stat: storedStat(of: index))
    }

    /// What the node takes in a snapshot file.
    private static func size(of node: SnapshotNode) -> Int { 76 + node.path.count + (node.data?.count ?? 0) }
}
