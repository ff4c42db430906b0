import ConclaveCore

/// The one way in which a tree changes.
///
/// Total: whatever a transaction says, applying it neither throws nor traps. Transactions have been validated when they
/// were made; what does not fit is the past of a fuzzy snapshot, where the rules below lead to the same tree in the
/// end, or damage, where the same nothing happens on every replica.
/// Source: transactions-and-storage, section 1.1; ZOOKEEPER-1046, -3125, -3127, -4846.
extension DataTree {
    /// Applies a transaction and appends what others must hear to `effects`.
    package mutating func apply(_ transaction: Transaction, effects: inout TreeEffects) {
        switch transaction.change {
        case .multi(let parts):
            // All or nothing: one part that failed at the leader stands for all.
            if !parts.contains(where: \.isFailure) {
                for part in parts {
                    applyPart(part, transaction.header, &effects)
                    if effects.recordsPartStats { effects.partStats.append(statAfter(part)) }
                }
            }
        case .createSession(let timeout):
            sessions[transaction.header.session] = timeout
            effects.record(.sessionCreated(transaction.header.session, timeoutMilliseconds: timeout))
        case .closeSession(let paths):
            closeSession(transaction.header, paths ?? [], &effects)
        case .create, .delete, .deleteContainer, .setData, .reconfigure, .setACL, .error, .check:
            applyPart(transaction.change, transaction.header, &effects)
        }
        // Only now: a multi is one step (ZOOKEEPER-3127).
        if transaction.header.zxid > lastProcessed { lastProcessed = transaction.header.zxid }
        compareDigest(transaction, &effects)
    }

    private func statAfter(_ part: Change) -> Stat? {
        let path: NodePath
        switch part {
        case .create(let create): path = create.path
        case .setData(let changed, _, _), .setACL(let changed, _, _), .reconfigure(let changed, _, _): path = changed
        case .delete, .deleteContainer, .check, .error, .multi, .createSession, .closeSession: return nil
        }
        return find(path).map { stat(of: $0) }
    }

    /// Whatever may stand in a multi.
    private mutating func applyPart(_ change: Change, _ header: TransactionHeader, _ effects: inout TreeEffects) {
        switch change {
        case .create(let create): applyCreate(create, header, &effects)
        case .delete(let path), .deleteContainer(let path): applyDelete(path, header.zxid, &effects)
        case .setData(let path, let data, let version), .reconfigure(let path, let data, let version):
            applySetData(path, data, version, header, &effects)
        case .setACL(let path, let acl, let version): applySetACL(path, acl, version)
        case .error, .check: break
        // The protocol has no such parts; nothing is the same nothing everywhere.
        case .createSession, .closeSession, .multi: break
        }
    }

    /// A leader has begun an epoch: its number counts as seen, although no transaction bears it.
    package mutating func beginEpoch(at zxid: Zxid) { lastProcessed = max(lastProcessed, zxid) }

    /// Puts the ensemble's configuration into its node, as every server does for itself when it begins to serve; no
    /// transaction, and no part of the digest.
    package mutating func installConfiguration(_ text: [UInt8], version: Zxid, timeMilliseconds: Int64) {
        let path: NodePath = "/zookeeper/config"
        guard let node = find(path), data(of: node) != text else { return }
        var unheard = TreeEffects(isRecording: false)
        let header = TransactionHeader(session: .none, cxid: 0, zxid: version, timeMilliseconds: timeMilliseconds)
        applySetData(path, text, -1, header, &unheard)
    }

    /// The tree may hold parts of later transactions, up to this one: digests tell nothing before. The greatest zxid
    /// stands for "until more is known".
    package mutating func ignoreDigests(through zxid: Zxid) {
        fuzzyUntil = zxid > lastProcessed ? (zxid, nil) : nil
    }

    // MARK: Create

    private mutating func applyCreate(
        _ create: CreateChange, _ header: TransactionHeader, _ effects: inout TreeEffects
    ) {
        let path = create.path.utf8.span
        guard let parent = parentSlot(of: path) else { return }
        let isParentCounted = Self.isCounted(path.extracting(0..<(Self.nameStart(of: path) - 1)))
        let pathHash = UInt32(truncatingIfNeeded: hash(path))
        if let existing = lookUp(path, pathHash) {
            // The future of a fuzzy snapshot: the parent's counter must not fall behind, lest sequential names repeat.
            raise(parent, create.parentChildCreates, header.zxid, isCounted: isParentCounted)
            replaceACL(of: existing, with: create.acl)
            return
        }
        raise(parent, create.parentChildCreates, header.zxid, isCounted: isParentCounted)
        let stat = insertedStat(header.zxid, header.timeMilliseconds, owner: owner(of: create, header.session))
        let acl = acls.retain(create.acl)
        let slot: UInt32
        if let data = create.data {
            slot = insert(
                path, pathHash, under: parent, data: data.span, dataBytes: Int32(clamping: data.count), acl: acl,
                stat: stat)
        } else {
            slot = insert(path, pathHash, under: parent, data: Span(), dataBytes: -1, acl: acl, stat: stat)
        }
        quotaNodeCreated(path)
        updateQuota(of: path, bytes: create.data?.count ?? 0, nodes: 1)
        effects.record(.created(create.path, acl: closedACL(of: slot), parentACL: closedACL(of: parent)))
    }

    /// The node that a new node at a path goes under. Nothing but `/a/b` has one: with an empty name or an empty
    /// component two paths could mean one node.
    private mutating func parentSlot(of path: Span<UInt8>) -> UInt32? {
        let nameStart = Self.nameStart(of: path)
        guard nameStart > 0, nameStart < path.count else { return nil }
        guard nameStart > 1 else { return Self.root }
        let parent = path.extracting(0..<(nameStart - 1))
        guard let slot = lookUp(parent, UInt32(truncatingIfNeeded: hash(parent))) else { return nil }
        return slot
    }

    private func owner(of create: CreateChange, _ session: SessionID) -> Int64 {
        switch create.form {
        case .container: NodeOwner.containerValue
        case .timeToLive:
            NodeOwner.timeToLivePrefix | create.timeToLiveMilliseconds & NodeOwner.maximumTimeToLiveMilliseconds
        case .create, .create2: create.isEphemeral ? session.rawValue : 0
        }
    }

    /// Sets the parent's child counter and pzxid as a create says, but never back.
    private mutating func raise(_ parent: UInt32, _ childCreates: Int32, _ zxid: Zxid, isCounted: Bool) {
        let current = storedStat(of: NodeIndex(rawValue: parent)).childCreates
        let target = childCreates == -1 ? current &+ 1 : childCreates
        // The caller changes the parent's children even if its counters stay.
        willChange(parent)
        guard target > current else { return }
        removeDigest(parent, isCounted: isCounted)
        let side = ensureSide(of: parent)
        sides[side].childCreates = target
        sides[side].pzxid = zxid.rawValue
        addDigest(parent, isCounted: isCounted)
    }

    // MARK: Delete

    private mutating func applyDelete(_ path: NodePath, _ zxid: Zxid, _ effects: inout TreeEffects) {
        let bytes = path.utf8.span
        guard let parent = parentSlot(of: bytes) else { return }
        // Even if the node is gone already: whoever sets watches again must see that a child went (ZOOKEEPER-3125).
        advanceChildZxid(
            of: parent, zxid, isCounted: Self.isCounted(bytes.extracting(0..<(Self.nameStart(of: bytes) - 1))))
        guard let slot = lookUp(bytes, UInt32(truncatingIfNeeded: hash(bytes))) else { return }
        if childCount(of: NodeIndex(rawValue: slot)) > 0 { deleteDescendants(of: slot, zxid, &effects) }
        deleteLeaf(slot, path, &effects)
    }

    /// A node that is deleted has no children unless the snapshot was fuzzy; then they come back when their create is
    /// replayed.
    private mutating func deleteDescendants(of top: UInt32, _ zxid: Zxid, _ effects: inout TreeEffects) {
        var slot = top
        while true {
            let child = firstChild(of: slot)
            if child != NodeRecord.none {
                slot = child
                continue
            }
            guard slot != top else { return }
            let parent = nodes[slot].parent
            let path = path(of: NodeIndex(rawValue: slot))
            let span = path.utf8.span
            let isCounted = Self.isCounted(span.extracting(0..<(Self.nameStart(of: span) - 1)))
            advanceChildZxid(of: parent, zxid, isCounted: isCounted)
            deleteLeaf(slot, path, &effects)
            slot = parent
        }
    }

    private mutating func deleteLeaf(_ slot: UInt32, _ path: NodePath, _ effects: inout TreeEffects) {
        willChange(slot)
        effects.record(.deleted(path, acl: closedACL(of: slot), parentACL: closedACL(of: nodes[slot].parent)))
        let bytes = dataLength(of: NodeIndex(rawValue: slot))
        remove(slot, path: path.utf8.span)
        quotaNodeDeleted(path.utf8.span)
        updateQuota(of: path.utf8.span, bytes: -bytes, nodes: -1)
    }

    private mutating func advanceChildZxid(of parent: UInt32, _ zxid: Zxid, isCounted: Bool) {
        willChange(parent)
        guard zxid > storedStat(of: NodeIndex(rawValue: parent)).pzxid else { return }
        removeDigest(parent, isCounted: isCounted)
        sides[ensureSide(of: parent)].pzxid = zxid.rawValue
        addDigest(parent, isCounted: isCounted)
    }

    // MARK: Set

    private mutating func applySetData(
        _ path: NodePath, _ data: [UInt8]?, _ version: Int32, _ header: TransactionHeader,
        _ effects: inout TreeEffects
    ) {
        guard let slot = find(path)?.rawValue else { return }
        willChange(slot)
        // The root's path counts as empty.
        let bytes = path.utf8.span.extracting(last: slot == Self.root ? 0 : path.utf8.count)
        let isCounted = Self.isCounted(bytes)
        removeDigest(slot, isCounted: isCounted)
        let difference = (data?.count ?? 0) - dataLength(of: NodeIndex(rawValue: slot))
        replaceData(of: slot, path: bytes, with: data)
        let side = ensureSide(of: slot)
        sides[side].version = version
        sides[side].mzxid = header.zxid.rawValue
        sides[side].mtime = header.timeMilliseconds
        addDigest(slot, isCounted: isCounted)
        updateQuota(of: bytes, bytes: difference, nodes: 0)
        effects.record(.dataChanged(path, acl: closedACL(of: slot)))
    }

    private mutating func applySetACL(_ path: NodePath, _ acl: [ACL], _ version: Int32) {
        guard let slot = find(path)?.rawValue else { return }
        willChange(slot)
        let isCounted = Self.isCounted(path.utf8.span)
        removeDigest(slot, isCounted: isCounted)
        replaceACL(of: slot, with: acl)
        sides[ensureSide(of: slot)].aversion = version
        addDigest(slot, isCounted: isCounted)
    }

    private mutating func replaceACL(of slot: UInt32, with acl: [ACL]) {
        willChange(slot)
        let new = acls.retain(acl)
        acls.release(nodes[slot].acl)
        nodes[slot].acl = new
    }

    // MARK: Sessions

    /// Deletes what the leader listed, then whatever else the session still owns here.
    private mutating func closeSession(
        _ header: TransactionHeader, _ paths: [NodePath], _ effects: inout TreeEffects
    ) {
        for path in paths { applyDelete(path, header.zxid, &effects) }
        for path in ephemerals(of: header.session) { applyDelete(path, header.zxid, &effects) }
        sessions[header.session] = nil
        owners.forget(header.session)
        effects.record(.sessionClosed(header.session))
    }

    // MARK: Digest

    private mutating func compareDigest(_ transaction: Transaction, _ effects: inout TreeEffects) {
        guard options.digestEnabled else { return }
        if let fuzzy = fuzzyUntil {
            // Until the end of the fuzzy stretch the tree is newer than its zxid; there the snapshot's digest must fit.
            guard transaction.header.zxid >= fuzzy.zxid else { return }
            fuzzyUntil = nil
            guard transaction.header.zxid == fuzzy.zxid, let digest = fuzzy.digest else { return }
            return compare(digest, transaction.header.zxid, &effects)
        }
        guard let digest = transaction.digest else { return }
        compare(digest, transaction.header.zxid, &effects)
    }

    private func compare(_ expected: TreeDigest, _ zxid: Zxid, _ effects: inout TreeEffects) {
        guard expected.version == TreeDigest.currentVersion, expected.value != digest else { return }
        effects.digestMismatch = TreeEffects.DigestMismatch(zxid: zxid, expected: expected.value, found: digest)
    }
}

extension Change {
    fileprivate var isFailure: Bool {
        if case .error = self { true } else { false }
    }
}
