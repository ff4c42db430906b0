import ConclaveCore

/// What one client knows of the head of a queue: names that were listed, items that were read.
///
/// It decides how far ahead is read and how far from the head a client begins. As long as nobody else takes, that is at
/// the head: first in, first out. Every race lost doubles the stretch in which the next read begins, so that many
/// clients spread out instead of all trying for the same item; wins narrow it again.
package struct QueueWindow: Sendable {
    package static let spreadLimit = 512
    /// Names kept from a listing: an item that is given back is seen after at most so many others.
    package static let nameLimit = 512
    package static let chunkLimit = 64
    /// How much is read ahead at most, if items are as large as the last ones.
    package static let readAheadBytes = 256 * 1024

    private let ordering: QueueOrdering
    private var names: [QueueItemName] = []
    private var candidates: ArraySlice<QueueCandidate> = []
    /// Drawn and not settled.
    private var inFlight: Set<String> = []
    private var chunk = 4
    private var wins = 0
    private var itemBytes = 1
    package private(set) var spread = 1

    package init(ordering: QueueOrdering) { self.ordering = ordering }

    /// Items to try now; they are in flight until they are settled.
    package mutating func draw(upTo count: Int) -> [QueueCandidate] {
        let drawn = Array(candidates.prefix(max(0, count)))
        candidates = candidates.dropFirst(drawn.count)
        for candidate in drawn { inFlight.insert(candidate.name.text) }
        return drawn
    }

    /// What the next read is to look for. The names known are handed over to it.
    package mutating func plan(using random: inout some RandomNumberGenerator) -> QueueFetchPlan {
        defer { names = [] }
        // With priorities only a fresh listing tells who is first.
        let isFresh = ordering == .priority
        return QueueFetchPlan(
            names: isFresh ? [] : names.filter { !inFlight.contains($0.text) },
            size: isFresh ? 1 : max(1, min(chunk, Self.readAheadBytes / itemBytes)),
            offset: spread == 1 ? 0 : Int.random(in: 0..<spread, using: &random), excluded: inFlight)
    }

    /// Takes what a read has brought.
    package mutating func learn(_ fetched: QueueFetched) {
        names = ordering == .priority ? [] : Array(fetched.rest.prefix(Self.nameLimit))
        candidates = fetched.candidates.filter { !inFlight.contains($0.name.text) }[...]
        if let largest = fetched.candidates.map(\.data.count).max() { itemBytes = max(1, largest) }
    }

    /// The item was got, or is of no use to anybody.
    package mutating func settleWon(_ candidate: QueueCandidate) {
        inFlight.remove(candidate.name.text)
        wins += 1
        guard wins.isMultiple(of: 8) else { return }
        spread = max(1, spread / 2)
        chunk = min(Self.chunkLimit, chunk * 2)
    }

    /// Somebody else has the item: what was read at the same time is old too.
    package mutating func settleLost(_ candidate: QueueCandidate) {
        inFlight.remove(candidate.name.text)
        wins = 0
        spread = min(Self.spreadLimit, spread * 2)
        chunk = max(2, chunk / 2)
        candidates = []
    }

    /// It was not tried.
    package mutating func giveBack(_ untried: [QueueCandidate]) {
        for candidate in untried { inFlight.remove(candidate.name.text) }
        candidates = (untried + candidates)[...]
    }
}

/// What to read.
package struct QueueFetchPlan: Hashable, Sendable {
    /// Names known from an earlier listing, in order; without any the queue is listed.
    package var names: [QueueItemName]
    /// How many items to read.
    package let size: Int
    /// How many of the first ones to pass over, among those that are equal in rank.
    package let offset: Int
    /// Names not to be read.
    package let excluded: Set<String>

    package init(names: [QueueItemName], size: Int, offset: Int, excluded: Set<String>) {
        self.names = names
        self.size = size
        self.offset = offset
        self.excluded = excluded
    }
}

/// What a read has brought.
package struct QueueFetched: Hashable, Sendable {
    /// Free items; empty if there were none.
    package var candidates: [QueueCandidate] = []
    /// Names that were listed and not looked at.
    package var rest: [QueueItemName] = []
    /// Names that were looked at and had no data: gone, or not to be read by this client.
    package var unusable: Set<String> = []

    package init() {}
}
