import ConclaveCore

/// What requests read. Indexes must come from ``find(_:)-(NodePath)`` and lose their meaning with the next apply.
extension DataTree {
    /// The stat as clients see it.
    package func stat(of node: NodeIndex) -> Stat {
        let stored = storedStat(of: node)
        let children = Int32(truncatingIfNeeded: childCount(of: node))
        let owner: SessionID =
            switch owners.kind(nodes[node.rawValue].owner) {
            case .ephemeral(let session): session
            case .persistent, .container, .timeToLive: .none
            }
        return Stat(
            czxid: stored.czxid, mzxid: stored.mzxid, ctime: stored.ctime, mtime: stored.mtime, version: stored.version,
            cversion: stored.childCreates &* 2 &- children, aversion: stored.aversion, ephemeralOwner: owner,
            dataLength: max(0, nodes[node.rawValue].dataBytes), numChildren: children, pzxid: stored.pzxid)
    }

    /// The stat as snapshots and digests see it.
    package func storedStat(of node: NodeIndex) -> StoredStat {
        let slot = node.rawValue
        let (czxid, ctime) = (nodes[slot].czxid, nodes[slot].ctime)
        let owner = owners.stored(nodes[slot].owner)
        let side = nodes[slot].side
        guard side != NodeRecord.none else {
            return StoredStat(
                czxid: Zxid(rawValue: czxid), mzxid: Zxid(rawValue: czxid), ctime: ctime, mtime: ctime, version: 0,
                childCreates: 0, aversion: 0, owner: owner, pzxid: Zxid(rawValue: czxid))
        }
        return StoredStat(
            czxid: Zxid(rawValue: czxid), mzxid: Zxid(rawValue: sides[side].mzxid), ctime: ctime,
            mtime: sides[side].mtime, version: sides[side].version, childCreates: sides[side].childCreates,
            aversion: sides[side].aversion, owner: owner, pzxid: Zxid(rawValue: sides[side].pzxid))
    }

    /// A copy of the data; `nil` for null data.
    package func data(of node: NodeIndex) -> [UInt8]? {
        dataSlice(of: node.rawValue).map { Array($0) }
    }

    /// 0 for null data.
    package func dataLength(of node: NodeIndex) -> Int { Int(max(0, nodes[node.rawValue].dataBytes)) }

    /// Writes length and data; -1 for null data.
    package func writeData(of node: NodeIndex, into writer: inout ByteWriter) {
        guard let data = dataSlice(of: node.rawValue) else { return writer.writeInt32(-1) }
        writer.writeBuffer(data)
    }

    func dataSlice(of slot: UInt32) -> ArraySlice<UInt8>? {
        let count = Int(nodes[slot].dataBytes)
        guard count >= 0 else { return nil }
        let start = Int(nodes[slot].nameBytes)
        return blocks.bytes(of: nodes[slot].block, start..<(start + count))
    }

    func nameSlice(of slot: UInt32) -> ArraySlice<UInt8> {
        blocks.bytes(of: nodes[slot].block, 0..<Int(nodes[slot].nameBytes))
    }

    /// Writes the number of children and their names, the latest child first. Cost: its output.
    package func writeChildNames(of node: NodeIndex, into writer: inout ByteWriter) {
        writer.writeInt32(Int32(truncatingIfNeeded: childCount(of: node)))
        var child = firstChild(of: node.rawValue)
        while child != NodeRecord.none {
            writer.writeBuffer(nameSlice(of: child))
            child = nodes[child].next
        }
    }

    /// The names of the children, the latest child first.
    package func childNames(of node: NodeIndex) -> [[UInt8]] {
        var names: [[UInt8]] = []
        names.reserveCapacity(childCount(of: node))
        var child = firstChild(of: node.rawValue)
        while child != NodeRecord.none {
            names.append(Array(nameSlice(of: child)))
            child = nodes[child].next
        }
        return names
    }

    /// `nil` for the root.
    package func parent(of node: NodeIndex) -> NodeIndex? {
        node.rawValue == Self.root ? nil : NodeIndex(rawValue: nodes[node.rawValue].parent)
    }

    package func childCount(of node: NodeIndex) -> Int {
        let side = nodes[node.rawValue].side
        return side == NodeRecord.none ? 0 : Int(sides[side].childCount)
    }

    func firstChild(of slot: UInt32) -> UInt32 {
        let side = nodes[slot].side
        return side == NodeRecord.none ? NodeRecord.none : sides[side].firstChild
    }

    /// How many nodes are below a node. Cost: as many steps, but none for the root.
    package func descendantCount(of node: NodeIndex) -> Int {
        guard node.rawValue != Self.root else { return nodeCount - 1 }
        var count = -1
        forEachNode(from: node.rawValue) { _ in count += 1 }
        return count
    }

    /// Visits a node and everything below it, parents first.
    func forEachNode(from top: UInt32, _ visit: (UInt32) -> Void) {
        var slot = top
        while true {
            visit(slot)
            let child = firstChild(of: slot)
            if child != NodeRecord.none {
                slot = child
                continue
            }
            while slot != top, nodes[slot].next == NodeRecord.none { slot = nodes[slot].parent }
            guard slot != top else { return }
            slot = nodes[slot].next
        }
    }

    /// The key of the node's list in the snapshot's table; -1 if it is open to the world.
    package func aclKey(of node: NodeIndex) -> Int64 { acls.key(nodes[node.rawValue].acl) }

    /// The node's access control list. An empty one allows everything.
    package func acl(of node: NodeIndex) -> [ACL] { acls.acl(nodes[node.rawValue].acl) }

    /// The list, or `nil` if it is open to the world.
    func closedACL(of slot: UInt32) -> [ACL]? {
        nodes[slot].acl == ACLTable.open ? nil : acls.acl(nodes[slot].acl)
    }

    /// The paths of the nodes that a session owns, sorted. Cost: their number.
    package func ephemerals(of session: SessionID) -> [NodePath] {
        owners.members(ofSession: session).map { path(of: NodeIndex(rawValue: $0)) }.sorted()
    }

    /// The sessions that own nodes, sorted.
    package var sessionsWithEphemerals: [SessionID] { owners.sessions }

    /// The sessions that own nodes but are not open, sorted: what is left of sessions that ended while a fuzzy snapshot
    /// was written. A leader closes them (ZOOKEEPER-1367).
    package func ownersWithoutSession() -> [SessionID] { owners.sessions.filter { sessions[$0] == nil } }

    /// Containers and TTL nodes that may be removed now, sorted by path.
    ///
    /// Source: wire-protocol, section 11.3. Cost: the number of such nodes without children.
    ///
    /// - Parameters:
    ///   - neverUsedMilliseconds: the age at which a container that never had a child goes too; 0 for never.
    ///   - limit: how many paths to return at the most.
    package func expiredNodes(now: WallTime, neverUsedMilliseconds: Int64, limit: Int) -> [NodePath] {
        var found: [NodePath] = []
        for ownerSlot in owners.expiring {
            let kind = owners.kind(ownerSlot)
            for slot in owners.members(ownerSlot) {
                guard found.count < limit else { return found.sorted() }
                let node = NodeIndex(rawValue: slot)
                if isExpired(storedStat(of: node), kind, now, neverUsedMilliseconds) { found.append(path(of: node)) }
            }
        }
        return found.sorted()
    }

    private func isExpired(_ stat: StoredStat, _ kind: NodeOwner, _ now: WallTime, _ neverUsed: Int64) -> Bool {
        switch kind {
        case .container:
            stat.childCreates > 0 || (neverUsed > 0 && isOlder(stat.mtime, than: neverUsed, now))
        case .timeToLive(let milliseconds): isOlder(stat.mtime, than: milliseconds, now)
        case .persistent, .ephemeral: false
        }
    }

    private func isOlder(_ time: Int64, than milliseconds: Int64, _ now: WallTime) -> Bool {
        let (age, overflow) = now.milliseconds.subtractingReportingOverflow(time)
        return overflow ? now.milliseconds > time : age > milliseconds
    }
}
