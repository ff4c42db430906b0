import ConclaveCore

/// Quotas: registration by nodes under /zookeeper/quota, usage kept in place, hard limits.
///
/// Usage is rewritten without zxid, version or watch, and lies below /zookeeper/, which the digest leaves out.
/// Source: wire-protocol, section 11.1.
extension DataTree {
    private static let quotaRoot = Array("/zookeeper/quota".utf8)
    private static let limitsName = Array("/zookeeper_limits".utf8)
    private static let usageName = Array("/zookeeper_stats".utf8)

    /// The registered path whose quota counts for a path: the deepest one that is the path or above it.
    package func quotaPath(above path: NodePath) -> NodePath? {
        quotas.isEmpty ? nil : quotas.deepest(above: path.utf8.span).map { NodePath(utf8: $0) }
    }

    /// Whether a hard limit would be exceeded.
    ///
    /// - Parameters:
    ///   - bytes: by how much the data grows, what is in flight included.
    ///   - nodes: how many nodes are added, those in flight included.
    ///   - path: the node that is created or set.
    package func quotaViolation(adding bytes: Int, nodes: Int, at path: NodePath) -> Bool {
        guard !quotas.isEmpty, let quota = quotas.deepest(above: path.utf8.span),
            let limitsSlot = find(NodePath(utf8: Self.quotaRoot + quota + Self.limitsName))?.rawValue,
            let usageSlot = find(NodePath(utf8: Self.quotaRoot + quota + Self.usageName))?.rawValue
        else { return false }
        let limits = QuotaLimits(parsing: dataSlice(of: limitsSlot) ?? [])
        let usage = QuotaLimits(parsing: dataSlice(of: usageSlot) ?? [])
        if nodes != 0, let limit = limits.countHardLimit, usage.count &+ Int64(nodes) > limit { return true }
        if bytes != 0, let limit = limits.bytesHardLimit, usage.bytes &+ Int64(bytes) > limit { return true }
        return false
    }

    /// Adds to the usage of the quota that a path is under.
    mutating func updateQuota(of path: Span<UInt8>, bytes: Int, nodes: Int) {
        guard !quotas.isEmpty, bytes != 0 || nodes != 0, let quota = quotas.deepest(above: path) else { return }
        let usagePath = Self.quotaRoot + quota + Self.usageName
        guard let slot = find(usagePath.span)?.rawValue else { return }
        var usage = QuotaLimits(parsing: dataSlice(of: slot) ?? [])
        usage.count &+= Int64(nodes)
        usage.bytes &+= Int64(bytes)
        rewrite(slot, path: usagePath, with: usage)
    }

    private mutating func rewrite(_ slot: UInt32, path: [UInt8], with usage: QuotaLimits) {
        willChange(slot)
        replaceData(of: slot, path: path.span, with: usage.encoded)
    }

    /// Registers the path of new limits; computes usage where the node for it appears.
    mutating func quotaNodeCreated(_ path: Span<UInt8>) {
        guard let (quota, isLimits) = Self.quotaNode(path) else { return }
        if isLimits { quotas.insert(quota) } else { recomputeUsage(of: quota) }
    }

    mutating func quotaNodeDeleted(_ path: Span<UInt8>) {
        guard let (quota, isLimits) = Self.quotaNode(path), isLimits else { return }
        quotas.remove(quota)
    }

    /// The path that a quota node is for; `nil` for any other node and for the root, whose quota never counts.
    private static func quotaNode(_ path: Span<UInt8>) -> (quota: [UInt8], isLimits: Bool)? {
        guard begins(path, with: quotaRoot) else { return nil }
        for (name, isLimits) in [(limitsName, true), (usageName, false)] {
            let end = path.count - name.count
            guard end > quotaRoot.count, path[quotaRoot.count] == slash,
                ByteRuns.areEqual(path, at: end, name.span, at: 0, count: name.count)
            else { continue }
            var quota: [UInt8] = []
            for index in quotaRoot.count..<end { quota.append(path[index]) }
            return (quota, isLimits)
        }
        return nil
    }

    private static func begins(_ path: Span<UInt8>, with prefix: [UInt8]) -> Bool {
        ByteRuns.areEqual(path, at: 0, prefix.span, at: 0, count: prefix.count)
    }

    /// Counts nodes and bytes under a path anew. Cost: the size of the subtree.
    private mutating func recomputeUsage(of quota: [UInt8]) {
        let usagePath = Self.quotaRoot + quota + Self.usageName
        guard let slot = find(usagePath.span)?.rawValue else { return }
        var usage = QuotaLimits(count: 0, bytes: 0)
        // A quota may be there before the node that it is for: nothing is used yet.
        if let top = find(quota.span)?.rawValue {
            forEachNode(from: top) { node in
                usage.count += 1
                usage.bytes += Int64(max(0, nodes[node].dataBytes))
            }
        }
        rewrite(slot, path: usagePath, with: usage)
    }

    /// Finds the registered paths and recomputes their usage, after a snapshot has been loaded.
    mutating func loadQuotas() {
        quotas = QuotaTable(hash: hash)
        guard let top = find(Self.quotaRoot.span)?.rawValue else { return }
        var found: [[UInt8]] = []
        forEachNode(from: top) { slot in
            guard firstChild(of: slot) == NodeRecord.none else { return }
            let path = path(of: NodeIndex(rawValue: slot)).utf8
            if let (quota, isLimits) = Self.quotaNode(path.span), isLimits { found.append(quota) }
        }
        for quota in found {
            quotas.insert(quota)
            recomputeUsage(of: quota)
        }
    }
}
