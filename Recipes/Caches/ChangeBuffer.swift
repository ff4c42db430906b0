/// Changes that a reader has not taken yet: at most one for each node, and the latest status.
///
/// So a reader that is slow costs no more than the cache itself, and sees for each node the step from what it has seen
/// to what is there now.
package struct ChangeBuffer: Sendable {
    private var entries: [CacheChange?] = []
    private var places: [String: Int] = [:]
    private var head = 0
    private var status: CacheStatus?

    package init() {}

    /// How many nodes have a change that was not taken.
    package var count: Int { places.count }

    /// Adds a change, joined with one of the same node that was not taken yet.
    package mutating func add(_ change: CacheChange) {
        switch change {
        case .status(let new): status = new
        case .added(let node): join(change, of: node)
        case .changed(let node): join(change, of: node)
        case .removed(let node): join(change, of: node)
        }
    }

    /// Takes the oldest change; the status comes when there is no other.
    package mutating func take() -> CacheChange? {
        while head < entries.count {
            defer { head += 1 }
            guard let change = entries[head] else { continue }
            entries[head] = nil
            switch change {
            case .added(let node), .changed(let node), .removed(let node): places[node.path] = nil
            case .status: break
            }
            return change
        }
        entries.removeAll(keepingCapacity: entries.count < 1_024)
        head = 0
        defer { status = nil }
        return status.map { .status($0) }
    }

    private mutating func join(_ new: CacheChange, of node: CachedNode) {
        guard let place = places[node.path], let old = entries[place] else {
            places[node.path] = entries.count
            entries.append(new)
            compact()
            return
        }
        let joined: CacheChange? =
            switch (old, new) {
            case (.added, .changed), (.added, .added): .added(node)
            case (.added, .removed): nil
            // Seen, gone and there again: another incarnation of what was seen.
            case (.removed, .added), (.removed, .changed): .changed(node)
            case (.changed, .added): .changed(node)
            case (_, _): new
            }
        entries[place] = joined
        if joined == nil { places[node.path] = nil }
    }

    /// Takes out what was taken and what was erased, so that the array stays in proportion to what is in it.
    private mutating func compact() {
        guard entries.count > 64, entries.count > 2 * places.count else { return }
        entries = entries.filter { $0 != nil }
        head = 0
        for (place, entry) in entries.enumerated() {
            switch entry {
            case .added(let node), .changed(let node), .removed(let node): places[node.path] = place
            case .status, nil: break
            }
        }
    }
}
