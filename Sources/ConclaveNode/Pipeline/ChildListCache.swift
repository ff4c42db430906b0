import ConclaveCore
import ConclaveTree

/// Encoded lists of children that were asked for more than once, so that a popular list is copied instead of gathered.
///
/// Nothing has to be told when children come and go: every such change gives the parent a new pzxid, and a list is
/// only used under the czxid and pzxid it was made under. Lists of fewer than 32 children are as quick to gather.
struct ChildListCache: Sendable {
    /// What makes a list the right one.
    private struct Key: Equatable, Sendable {
        var node: NodeIndex
        var czxid: Zxid
        var pzxid: Zxid
    }

    private struct Entry: Sendable {
        var key: Key
        /// Empty until the list is asked for a second time.
        var bytes: [UInt8] = []
    }

    private static let placeCount = 256
    private static let fewestChildren = 32
    private let limitBytes: Int
    private var places: [Entry?]
    private(set) var heldBytes = 0

    /// - Parameter limitBytes: what all lists may take together; 0 for no cache.
    init(limitBytes: Int) {
        self.limitBytes = limitBytes
        places = Array(repeating: nil, count: limitBytes > 0 ? Self.placeCount : 0)
    }

    /// Writes the number of children and their names.
    mutating func write(childrenOf node: NodeIndex, in tree: DataTree, into output: inout ByteWriter) {
        guard !places.isEmpty, tree.childCount(of: node) >= Self.fewestChildren else {
            return tree.writeChildNames(of: node, into: &output)
        }
        let stat = tree.storedStat(of: node)
        let key = Key(node: node, czxid: stat.czxid, pzxid: stat.pzxid)
        let place = Int(node.rawValue) % Self.placeCount
        guard let entry = places[place], entry.key == key else {
            forget(place)
            places[place] = Entry(key: key)
            return tree.writeChildNames(of: node, into: &output)
        }
        guard entry.bytes.isEmpty else { return output.writeRaw(entry.bytes) }
        let start = output.count
        tree.writeChildNames(of: node, into: &output)
        keep(output.bytes[start...], at: place)
    }

    private mutating func keep(_ list: ArraySlice<UInt8>, at place: Int) {
        guard list.count <= limitBytes / 4 else { return }
        if heldBytes + list.count > limitBytes {
            for other in places.indices where other != place { forget(other) }
        }
        places[place]?.bytes = Array(list)
        heldBytes += list.count
    }

    private mutating func forget(_ place: Int) {
        heldBytes -= places[place]?.bytes.count ?? 0
        places[place] = nil
    }
}
