/// The table by which paths are found: hashes of paths with the nodes that bear them, in buckets of seven.
///
/// Linear hashing: the table grows by one bucket at a time, so that growing never stalls. An entry holds the hash
/// itself, so that neither growing nor a miss has to look at nodes; whoever looks up compares the paths of the nodes
/// offered.
/// ```
/// bucket: 8 words of 64 bits
///   0...6   hash in the upper half, node in the lower; all ones: empty, and so are those behind it
///   7       the number of the overflow bucket that goes on, or all ones
/// ```
/// Source: Litwin, Linear Hashing: A New Tool for File and Table Addressing (VLDB 1980).
struct PathTable: Sendable {
    private static let empty = UInt64.max
    private static let entriesPerBucket: UInt32 = 7
    private static let linkPlace: UInt32 = 7
    /// Entries per bucket above which the table grows: with five in seven places about one entry in eight overflows.
    private static let load = 5
    private static let firstBuckets = 16

    private var buckets = ChunkedArray<UInt64>()
    private var overflow = ChunkedArray<UInt64>()
    private var freeOverflow: [UInt32] = []
    private var bucketCount: UInt32 = 0
    /// One less than the power of two that all buckets of the current round are addressed by.
    private var mask = UInt32(PathTable.firstBuckets - 1)
    private var entryCount = 0
    /// The entries of the bucket being split; empty in between.
    private var divided: [UInt64] = []

    init() {
        for _ in 0..<Self.firstBuckets { appendBucket() }
    }

    var allocatedBytes: Int { (buckets.count + overflow.count) * MemoryLayout<UInt64>.stride }

    /// The first node under a hash of which the closure says that it is the one.
    @inline(__always)
    func first(_ hash: UInt32, where isMatch: (UInt32) -> Bool) -> UInt32? {
        var place = bucket(of: hash) << 3
        for offset in 0..<Self.entriesPerBucket {
            let entry = buckets[place + offset]
            guard entry != Self.empty else { return nil }
            if UInt32(truncatingIfNeeded: entry >> 32) == hash {
                let node = UInt32(truncatingIfNeeded: entry)
                if isMatch(node) { return node }
            }
        }
        var link = buckets[place + Self.linkPlace]
        while link != Self.empty {
            place = UInt32(truncatingIfNeeded: link) << 3
            for offset in 0..<Self.entriesPerBucket {
                let entry = overflow[place + offset]
                guard entry != Self.empty else { return nil }
                if UInt32(truncatingIfNeeded: entry >> 32) == hash {
                    let node = UInt32(truncatingIfNeeded: entry)
                    if isMatch(node) { return node }
                }
            }
            link = overflow[place + Self.linkPlace]
        }
        return nil
    }

    /// Reads something of the bucket that a hash belongs to, so that it is in the cache when it is needed. Several such
    /// reads wait for memory at the same time, look-ups one after the other.
    @inline(__always)
    func touch(_ hash: UInt32) -> UInt64 { buckets[bucket(of: hash) << 3] }

    /// Adds a node under a hash; the table may grow by one bucket.
    mutating func insert(_ hash: UInt32, _ node: UInt32) {
        place(UInt64(hash) << 32 | UInt64(node))
        entryCount += 1
        if entryCount > Int(bucketCount) * Self.load { split() }
    }

    /// Takes a node away; the last entry of its bucket moves to its place.
    mutating func remove(_ hash: UInt32, _ node: UInt32) {
        let wanted = UInt64(hash) << 32 | UInt64(node)
        let first = Position(place: bucket(of: hash) << 3, isOverflow: false)
        var hole: Position?
        var last = first
        var walk = first
        var lastBucket = first
        var beforeLast = first
        scan: while true {
            for offset in 0..<Self.entriesPerBucket {
                let position = Position(place: walk.place + offset, isOverflow: walk.isOverflow)
                let entry = self[position]
                guard entry != Self.empty else { break scan }
                if entry == wanted { hole = position }
                last = position
                if lastBucket != walk { (beforeLast, lastBucket) = (lastBucket, walk) }
            }
            guard let next = link(of: walk) else { break }
            walk = next
        }
        guard let hole else { return }
        self[hole] = self[last]
        self[last] = Self.empty
        entryCount -= 1
        if last == lastBucket, lastBucket.isOverflow {
            // Its only entry has moved.
            self[Position(place: beforeLast.place + Self.linkPlace, isOverflow: beforeLast.isOverflow)] = Self.empty
            freeOverflow.append(lastBucket.place >> 3)
        }
    }

    // MARK: Places

    /// A word of the table or of the overflow.
    private struct Position: Equatable {
        var place: UInt32
        var isOverflow: Bool
    }

    private subscript(position: Position) -> UInt64 {
        get { position.isOverflow ? overflow[position.place] : buckets[position.place] }
        set {
            if position.isOverflow { overflow[position.place] = newValue } else { buckets[position.place] = newValue }
        }
    }

    private func link(of bucket: Position) -> Position? {
        let link = self[Position(place: bucket.place + Self.linkPlace, isOverflow: bucket.isOverflow)]
        return link == Self.empty ? nil : Position(place: UInt32(truncatingIfNeeded: link) << 3, isOverflow: true)
    }

    @inline(__always)
    private func bucket(of hash: UInt32) -> UInt32 {
        let wide = hash & (mask << 1 | 1)
        return wide < bucketCount ? wide : hash & mask
    }

    private mutating func place(_ entry: UInt64) {
        var walk = Position(place: bucket(of: UInt32(truncatingIfNeeded: entry >> 32)) << 3, isOverflow: false)
        while true {
            for offset in 0..<Self.entriesPerBucket {
                let position = Position(place: walk.place + offset, isOverflow: walk.isOverflow)
                if self[position] == Self.empty { return self[position] = entry }
            }
            if let next = link(of: walk) {
                walk = next
            } else {
                let new = makeOverflow()
                self[Position(place: walk.place + Self.linkPlace, isOverflow: walk.isOverflow)] = UInt64(new)
                walk = Position(place: new << 3, isOverflow: true)
            }
        }
    }

    // MARK: Growing

    private mutating func appendBucket() {
        for _ in 0...Self.linkPlace { buckets.append(Self.empty) }
        bucketCount += 1
    }

    private mutating func makeOverflow() -> UInt32 {
        if let free = freeOverflow.popLast() { return free }
        let new = UInt32(truncatingIfNeeded: overflow.count >> 3)
        for _ in 0...Self.linkPlace { overflow.append(Self.empty) }
        return new
    }

    /// Adds a bucket and divides the entries of its elder.
    private mutating func split() {
        let elder = Position(place: (bucketCount & mask) << 3, isOverflow: false)
        var walk: Position? = elder
        while let bucket = walk {
            walk = link(of: bucket)
            for offset in 0..<Self.entriesPerBucket {
                let position = Position(place: bucket.place + offset, isOverflow: bucket.isOverflow)
                let entry = self[position]
                guard entry != Self.empty else { break }
                divided.append(entry)
                self[position] = Self.empty
            }
            self[Position(place: bucket.place + Self.linkPlace, isOverflow: bucket.isOverflow)] = Self.empty
            if bucket.isOverflow { freeOverflow.append(bucket.place >> 3) }
        }
        let isRoundOver = bucketCount == mask << 1 | 1
        appendBucket()
        if isRoundOver { mask = mask << 1 | 1 }
        for entry in divided { place(entry) }
        divided.removeAll(keepingCapacity: true)
    }
}
