import ConclaveCore

/// The steps that changes are made of: linking and unlinking nodes, side records, digests.
///
/// They keep every table consistent but know nothing of rules; callers have found the nodes and called
/// ``willChange(_:)`` before.
extension DataTree {
    /// Links a new node; the caller has made sure that the path is free and belongs under `parent`.
    ///
    /// - Parameters:
    ///   - acl: a slot that has been retained for the node.
    ///   - stat: what the node starts with; its owner is retained here.
    @discardableResult
    mutating func insert(
        _ path: Span<UInt8>, under parent: UInt32, data: [UInt8]?, acl: UInt32, stat: StoredStat
    ) -> UInt32 {
        let pathHash = UInt32(truncatingIfNeeded: hash(path))
        guard let data else {
            return insert(
                path, pathHash, under: parent, data: Span(), dataBytes: -1, acl: acl, stat: stat)
        }
        return insert(
            path, pathHash, under: parent, data: data.span, dataBytes: Int32(clamping: data.count), acl: acl, stat: stat
        )
    }

    @discardableResult
    mutating func insert(
        _ path: Span<UInt8>, _ pathHash: UInt32, under parent: UInt32, data: Span<UInt8>, dataBytes: Int32, acl: UInt32,
        stat: StoredStat
    ) -> UInt32 {
        let slot = insertUnlisted(path, under: parent, data: data, dataBytes: dataBytes, acl: acl, stat: stat)
        table.insert(pathHash, slot)
        return slot
    }

    /// Links a new node, but for the path table.
    mutating func insertUnlisted(
        _ path: Span<UInt8>, under parent: UInt32, data: Span<UInt8>, dataBytes: Int32, acl: UInt32, stat: StoredStat
    ) -> UInt32 {
        let nameStart = Self.nameStart(of: path)
        let name = path.extracting(nameStart..<path.count)
        var record = NodeRecord(
            czxid: stat.czxid.rawValue, ctime: stat.ctime, parent: parent,
            block: blocks.store(name: name, data: data), nameBytes: UInt32(truncatingIfNeeded: name.count),
            dataBytes: dataBytes, acl: acl, owner: owners.retain(stat.owner, extendedTypes: options.extendedTypes))
        if options.digestEnabled { record.contentChecksum = Self.contentChecksum(path: path, data: data) }
        let slot = takeSlot(record)
        nodeCount += 1
        approximateDataSize += path.count + data.count
        addChild(slot, to: parent)
        if Self.needsSide(stat) { setSide(of: slot, stat) }
        if record.owner != OwnerTable.persistent { addMember(slot) }
        snapshot.markDone(slot)
        addDigest(slot, isCounted: Self.isCounted(path))
        return slot
    }

    /// Unlinks a node without children and gives back everything it took.
    mutating func remove(_ slot: UInt32, path: Span<UInt8>) {
        removeDigest(slot, isCounted: Self.isCounted(path))
        let record = nodes[slot]
        if record.owner != OwnerTable.persistent {
            removeMember(slot)
            var isOpen = false
            if case .ephemeral(let session) = owners.kind(record.owner) { isOpen = sessions[session] != nil }
            owners.release(record.owner, keepsSlot: isOpen)
        }
        table.remove(UInt32(truncatingIfNeeded: hash(path)), slot)
        removeChild(slot, from: record.parent)
        acls.release(record.acl)
        blocks.free(record.block)
        if record.side != NodeRecord.none {
            sides[record.side].firstChild = freeSide
            freeSide = record.side
        }
        nodes[slot].parent = NodeRecord.freeSlot
        nodes[slot].block = BlockStore.none
        nodes[slot].side = NodeRecord.none
        nodes[slot].next = freeNode
        freeNode = slot
        nodeCount -= 1
        approximateDataSize -= path.count + Int(max(0, record.dataBytes))
    }

    /// Replaces the data and with it the content's checksum; the caller sees to the digest.
    mutating func replaceData(of slot: UInt32, path: Span<UInt8>, with data: [UInt8]?) {
        let old = Int(max(0, nodes[slot].dataBytes))
        let new = data?.count ?? 0
        let nameBytes = Int(nodes[slot].nameBytes)
        let bytes = data ?? []
        nodes[slot].block = blocks.replaceData(
            in: nodes[slot].block, nameCount: nameBytes, oldCount: old, with: bytes.span)
        nodes[slot].dataBytes = data == nil ? -1 : Int32(clamping: new)
        approximateDataSize += new - old
        refreshContent(slot, path: path)
    }

    private mutating func takeSlot(_ record: NodeRecord) -> UInt32 {
        guard freeNode != NodeRecord.none else {
            nodes.append(record)
            return UInt32(truncatingIfNeeded: nodes.count - 1)
        }
        let slot = freeNode
        freeNode = nodes[slot].next
        nodes[slot] = record
        return slot
    }

    /// Where the name begins in a path that has a slash.
    @inline(__always)
    static func nameStart(of path: Span<UInt8>) -> Int {
        var index = path.count
        while index > 0, path[index - 1] != slash { index -= 1 }
        return index
    }

    // MARK: Children

    private mutating func addChild(_ slot: UInt32, to parent: UInt32) {
        let side = ensureSide(of: parent)
        let head = sides[side].firstChild
        nodes[slot].next = head
        if head != NodeRecord.none { nodes[head].previous = slot }
        sides[side].firstChild = slot
        sides[side].childCount += 1
        if sides[side].childCount == 1, isExpiring(parent) { removeMember(parent) }
    }

    private mutating func removeChild(_ slot: UInt32, from parent: UInt32) {
        let side = ensureSide(of: parent)
        let (previous, next) = (nodes[slot].previous, nodes[slot].next)
        if next != NodeRecord.none { nodes[next].previous = previous }
        if previous != NodeRecord.none { nodes[previous].next = next } else { sides[side].firstChild = next }
        sides[side].childCount -= 1
        if sides[side].childCount == 0, isExpiring(parent) { addMember(parent) }
    }

    /// Whether the node is a container or has a time to live: one whose owner keeps it among its members only while it
    /// has no children.
    private func isExpiring(_ slot: UInt32) -> Bool {
        switch owners.kind(nodes[slot].owner) {
        case .container, .timeToLive: true
        case .persistent, .ephemeral: false
        }
    }

    private mutating func addMember(_ slot: UInt32) {
        let side = ensureSide(of: slot)
        sides[side].memberPlace = owners.addMember(slot, to: nodes[slot].owner)
    }

    private mutating func removeMember(_ slot: UInt32) {
        let side = nodes[slot].side
        guard side != NodeRecord.none, sides[side].memberPlace != NodeRecord.none else { return }
        let place = sides[side].memberPlace
        sides[side].memberPlace = NodeRecord.none
        if let moved = owners.removeMember(at: place, from: nodes[slot].owner) {
            sides[nodes[moved].side].memberPlace = place
        }
    }

    // MARK: Side records

    private static func needsSide(_ stat: StoredStat) -> Bool {
        stat.mzxid != stat.czxid || stat.pzxid != stat.czxid || stat.mtime != stat.ctime || stat.version != 0
            || stat.aversion != 0 || stat.childCreates != 0
    }

    /// The slot of the node's side record, made if it has none.
    mutating func ensureSide(of slot: UInt32) -> UInt32 {
        let existing = nodes[slot].side
        guard existing == NodeRecord.none else { return existing }
        let record = SideRecord(mzxid: nodes[slot].czxid, mtime: nodes[slot].ctime, pzxid: nodes[slot].czxid)
        let side: UInt32
        if freeSide != NodeRecord.none {
            side = freeSide
            freeSide = sides[side].firstChild
            sides[side] = record
        } else {
            side = UInt32(truncatingIfNeeded: sides.count)
            sides.append(record)
        }
        nodes[slot].side = side
        return side
    }

    mutating func setSide(of slot: UInt32, _ stat: StoredStat) {
        let side = ensureSide(of: slot)
        sides[side].mzxid = stat.mzxid.rawValue
        sides[side].mtime = stat.mtime
        sides[side].pzxid = stat.pzxid.rawValue
        sides[side].version = stat.version
        sides[side].aversion = stat.aversion
        sides[side].childCreates = stat.childCreates
    }

    // MARK: Digest

    /// The digest of a node by the rule of version 2. Cost: the stat only, while digests are on.
    package func digest(of node: NodeIndex) -> UInt32 {
        if options.digestEnabled {
            return Self.finish(nodes[node.rawValue].contentChecksum, storedStat(of: node))
        }
        return Self.nodeDigest(path: path(of: node), data: data(of: node), stat: storedStat(of: node))
    }

    /// The digest that a node would have.
    /// Source: transactions-and-storage, section 6.
    package static func nodeDigest(path: NodePath, data: [UInt8]?, stat: StoredStat) -> UInt32 {
        let bytes = path.utf8.count == 1 && path.utf8[0] == slash ? [] : path.utf8
        let data = data ?? []
        return finish(contentChecksum(path: bytes.span, data: data.span), stat)
    }

    static func contentChecksum(path: Span<UInt8>, data: Span<UInt8>) -> UInt32 {
        var crc = CRC32()
        crc.update(path)
        crc.update(data)
        return crc.value
    }

    private static func finish(_ contentChecksum: UInt32, _ stat: StoredStat) -> UInt32 {
        var crc = CRC32(resuming: contentChecksum)
        crc.update(stat.czxid.rawValue)
        crc.update(stat.mzxid.rawValue)
        crc.update(stat.pzxid.rawValue)
        crc.update(stat.ctime)
        crc.update(stat.mtime)
        crc.update(pair(stat.version, stat.childCreates))
        crc.update(pair(stat.aversion, Int32(truncatingIfNeeded: stat.owner >> 32)))
        crc.update(Int32(truncatingIfNeeded: stat.owner))
        return crc.value
    }

    /// Two fields as one, so that the checksum takes them in one step.
    @inline(__always)
    private static func pair(_ high: Int32, _ low: Int32) -> Int64 {
        Int64(high) << 32 | Int64(UInt32(bitPattern: low))
    }

    func digestValue(_ slot: UInt32) -> UInt64 { UInt64(digest(of: NodeIndex(rawValue: slot))) }

    mutating func addDigest(_ slot: UInt32, isCounted: Bool) {
        guard options.digestEnabled, isCounted else { return }
        digestSum &+= digestValue(slot)
    }

    mutating func removeDigest(_ slot: UInt32, isCounted: Bool) {
        guard options.digestEnabled, isCounted else { return }
        digestSum &-= digestValue(slot)
    }

    mutating func refreshContent(_ slot: UInt32, path: Span<UInt8>) {
        guard options.digestEnabled else { return }
        let data = dataSlice(of: slot) ?? []
        nodes[slot].contentChecksum = Self.contentChecksum(path: path, data: data.span)
    }
}
