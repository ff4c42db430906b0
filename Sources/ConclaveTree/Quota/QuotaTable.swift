import ConclaveCore

/// The paths that bear a quota, found by the paths below them.
struct QuotaTable: Sendable {
    private let hash: PathHash
    /// Looked up by hash only, never iterated. Paths with one hash share an entry.
    private var paths: [UInt64: [[UInt8]]] = [:]

    init(hash: PathHash) { self.hash = hash }

    var isEmpty: Bool { paths.isEmpty }

    mutating func insert(_ path: [UInt8]) {
        let key = hash(path.span)
        if paths[key]?.contains(path) != true { paths[key, default: []].append(path) }
    }

    mutating func remove(_ path: [UInt8]) {
        let key = hash(path.span)
        paths[key]?.removeAll { $0 == path }
        if paths[key]?.isEmpty == true { paths[key] = nil }
    }

    /// The longest registered path that is the given one or above it. Cost: one look-up per component.
    func deepest(above path: Span<UInt8>) -> [UInt8]? {
        var end = path.count
        while end > 1 {
            let prefix = path.extracting(0..<end)
            if let candidates = paths[hash(prefix)] {
                for candidate in candidates where candidate.count == end {
                    if ByteRuns.areEqual(candidate.span, at: 0, prefix, at: 0, count: end) { return candidate }
                }
            }
            repeat { end -= 1 } while end > 0 && path[end] != DataTree.slash
        }
        return nil
    }
}
