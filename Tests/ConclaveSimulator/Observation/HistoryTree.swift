import ConclaveCore

/// Every transaction that any server ever took into its history, each behind the one it followed there.
///
/// As long as all is well a zxid is proposed once, by one leader, behind one history: then all histories together are a
/// tree, a server's history is a place in it, and comparing two histories is comparing two places.
///
/// ```
/// root ─ 1.1 ─ 1.2 ─ 1.3           a tail that was never committed
///               └─── 2.1 ─ 2.2     what the next leader made of it
/// ```
package struct HistoryTree: Sendable {
    package typealias Place = Int32

    struct Node: Sendable {
        var entry: LogEntry
        var parent: Place
        /// How many transactions lead here.
        var depth: Int32
        var digest: UInt64?
    }

    static let root: Place = 0

    private(set) var nodes: [Node] = [
        Node(entry: LogEntry(zxid: .zero, kind: .other, fingerprint: 0), parent: 0, depth: 0, digest: nil)
    ]
    private var places: [Int64: Place] = [0: 0]
    /// Where each epoch began: its first zxid, with counter 0, names no transaction.
    private var bases: [Int64: Place] = [:]

    subscript(place: Place) -> LogEntry { nodes[Int(place)].entry }

    func parent(of place: Place) -> Place { nodes[Int(place)].parent }
    func depth(of place: Place) -> Int32 { nodes[Int(place)].depth }

    /// Where a zxid stands; the beginning of an epoch stands for what came before it.
    func place(of zxid: Zxid) -> Place? {
        if let place = places[zxid.rawValue] { return place }
        return zxid.counter == 0 ? bases[Int64(zxid.epoch)] : nil
    }

    /// The last transaction up to a zxid on the way to `tip`.
    func place(of zxid: Zxid, below tip: Place) -> Place {
        var place = tip
        while place != Self.root, nodes[Int(place)].entry.zxid > zxid { place = nodes[Int(place)].parent }
        return place
    }

    /// Whether everything up to `place` is also in the history `tip`.
    func contains(_ place: Place, in tip: Place) -> Bool {
        let depth = nodes[Int(place)].depth
        var at = tip
        while nodes[Int(at)].depth > depth { at = nodes[Int(at)].parent }
        return at == place
    }

    /// The place of a transaction; a new one behind `tip` if its zxid was never seen.
    mutating func add(_ entry: LogEntry, behind tip: Place) -> Place {
        let next = Place(nodes.count)
        if let known = places.updateValue(next, forKey: entry.zxid.rawValue) {
            places[entry.zxid.rawValue] = known
            return known
        }
        nodes.append(Node(entry: entry, parent: tip, depth: nodes[Int(tip)].depth + 1, digest: nil))
        return next
    }

    mutating func begin(epoch: Int64, at place: Place) {
        if bases[epoch] == nil { bases[epoch] = place }
    }

    /// Notes the digest of the state after a transaction.
    /// - Returns: what another server had there, if that is something else.
    mutating func compare(_ digest: UInt64, at place: Place) -> UInt64? {
        guard let known = nodes[Int(place)].digest else {
            nodes[Int(place)].digest = digest
            return nil
        }
        return known == digest ? nil : known
    }
}
