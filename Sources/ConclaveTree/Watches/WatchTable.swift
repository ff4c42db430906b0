import ConclaveCore

/// Which connections watch which paths, and in which ways.
///
/// A watcher is a connection, known by a number that is never used again; watches die with it. Nothing is stored per
/// event: telling a thousand watchers of one path costs a thousand steps, and a change that nobody watches costs two
/// look-ups, or none if the table is empty.
package struct WatchTable: Sendable {
    static let none = UInt32.max

    /// One connection at one path.
    struct Watch: Sendable {
        var watcher: UInt64
        /// The slot of the watcher.
        var slot: UInt32
        var modes: WatchModes
    }

    struct Path: Sendable {
        var path: NodePath
        /// In no particular order, but in one that follows from the table's history.
        var watches: [Watch] = []
        /// The next path with the same hash, or the next free slot.
        var next = WatchTable.none
    }

    struct Watcher: Sendable {
        /// Slots of paths, each with the place of the watch there. Never iterated where the order could be seen.
        var places: [UInt32: Int] = [:]
    }

    /// How many paths one connection may watch.
    package let limitPerWatcher: Int

    var paths: [Path] = []
    private var freePath = WatchTable.none
    private var pathOfHash: [UInt64: UInt32] = [:]
    var watchers: [Watcher] = []
    private var freeWatchers: [UInt32] = []
    var slotOfWatcher: [UInt64: UInt32] = [:]
    let hash: PathHash
    /// How many watches there are: pairs of connection and path.
    package private(set) var count = 0
    var recursiveCount = 0

    package init(limitPerWatcher: Int = 10_000, hashSeed: UInt64 = 0x6A09_E667_F3BC_C908) {
        self.limitPerWatcher = limitPerWatcher
        hash = PathHash(seed: hashSeed)
    }

    package var isEmpty: Bool { count == 0 }

    // MARK: Adding and removing

    /// Adds ways of watching a path to those that a connection has already. Costs O(1).
    ///
    /// - Returns: `false`, and nothing is added, if the connection watches ``limitPerWatcher`` other paths.
    package mutating func add(_ path: Span<UInt8>, _ modes: WatchModes, for watcher: UInt64) -> Bool {
        guard let pathSlot = find(path) else {
            var copy = [UInt8](repeating: DataTree.slash, count: max(1, path.count))
            ByteRuns.copy(path, into: &copy, at: 0)
            return add(NodePath(utf8: copy), modes, for: watcher)
        }
        return add(at: pathSlot, modes, for: watcher)
    }

    /// Adds ways of watching a path to those that a connection has already. Costs O(1).
    ///
    /// - Returns: `false`, and nothing is added, if the connection watches ``limitPerWatcher`` other paths.
    package mutating func add(_ path: NodePath, _ modes: WatchModes, for watcher: UInt64) -> Bool {
        let path = path.utf8.isEmpty ? .root : path
        if let pathSlot = find(path.utf8.span) { return add(at: pathSlot, modes, for: watcher) }
        let slot = watcherSlot(watcher)
        guard hasRoom(slot) else { return false }
        return add(at: makePath(path), modes, for: watcher)
    }

    private mutating func add(at pathSlot: UInt32, _ modes: WatchModes, for watcher: UInt64) -> Bool {
        let slot = watcherSlot(watcher)
        if let place = watchers[Int(slot)].places[pathSlot] {
            setModes(at: pathSlot, place, paths[Int(pathSlot)].watches[place].modes.union(modes))
            return true
        }
        guard hasRoom(slot) else { return false }
        watchers[Int(slot)].places[pathSlot] = paths[Int(pathSlot)].watches.count
        paths[Int(pathSlot)].watches.append(Watch(watcher: watcher, slot: slot, modes: modes))
        count += 1
        if modes.contains(.recursive) { recursiveCount += 1 }
        return true
    }

    private func hasRoom(_ slot: UInt32) -> Bool { watchers[Int(slot)].places.count < limitPerWatcher }

    /// Whether a connection watches a path in one of the given ways.
    package func contains(_ path: NodePath, _ modes: WatchModes, for watcher: UInt64) -> Bool {
        self.modes(path, for: watcher).isDisjoint(with: modes) == false
    }

    /// The ways in which a connection watches a path.
    package func modes(_ path: NodePath, for watcher: UInt64) -> WatchModes {
        let path = path.utf8.isEmpty ? .root : path
        guard let slot = slotOfWatcher[watcher], let pathSlot = find(path.utf8.span),
            let place = watchers[Int(slot)].places[pathSlot]
        else { return [] }
        return paths[Int(pathSlot)].watches[place].modes
    }

    /// Takes exactly the given ways of watching from a connection (ZOOKEEPER-4472).
    /// - Returns: `false` if it had none of them.
    package mutating func remove(_ path: NodePath, _ modes: WatchModes, for watcher: UInt64) -> Bool {
        let path = path.utf8.isEmpty ? .root : path
        guard let slot = slotOfWatcher[watcher], let pathSlot = find(path.utf8.span),
            let place = watchers[Int(slot)].places[pathSlot]
        else { return false }
        let present = paths[Int(pathSlot)].watches[place].modes
        guard !present.isDisjoint(with: modes) else { return false }
        setModes(at: pathSlot, place, present.subtracting(modes))
        return true
    }

    /// Forgets a connection; to be called once it is closed. Cost: the number of its watches.
    package mutating func removeAll(of watcher: UInt64) {
        guard let slot = slotOfWatcher[watcher] else { return }
        let places = watchers[Int(slot)].places
        // Each of them is at another path, so their order shows nowhere but in the order in which slots of paths are
        // used again, which nothing outside sees. The places of the watcher itself are dropped all at once.
        watchers[Int(slot)].places = [:]
        for (pathSlot, place) in places {
            if paths[Int(pathSlot)].watches[place].modes.contains(.recursive) { recursiveCount -= 1 }
            removeWatch(at: pathSlot, place)
        }
        slotOfWatcher[watcher] = nil
        freeWatchers.append(slot)
    }

    /// Sets the modes of a watch; without any it goes.
    private mutating func setModes(at pathSlot: UInt32, _ place: Int, _ modes: WatchModes) {
        let old = paths[Int(pathSlot)].watches[place].modes
        recursiveCount += (modes.contains(.recursive) ? 1 : 0) - (old.contains(.recursive) ? 1 : 0)
        guard modes.isEmpty else { return paths[Int(pathSlot)].watches[place].modes = modes }
        let slot = paths[Int(pathSlot)].watches[place].slot
        watchers[Int(slot)].places[pathSlot] = nil
        removeWatch(at: pathSlot, place)
    }

    /// Takes a watch from a path's list; the last one moves to its place.
    private mutating func removeWatch(at pathSlot: UInt32, _ place: Int) {
        let last = paths[Int(pathSlot)].watches.removeLast()
        if place < paths[Int(pathSlot)].watches.count {
            paths[Int(pathSlot)].watches[place] = last
            watchers[Int(last.slot)].places[pathSlot] = place
        }
        count -= 1
        if paths[Int(pathSlot)].watches.isEmpty { dropPath(pathSlot) }
    }

    // MARK: Firing

    /// Takes the ways of watching that an event uses up from all watches of a path, and appends who hears of it to
    /// `output`.
    ///
    /// - Parameters:
    ///   - heard: whoever watches in one of these ways hears of it.
    ///   - used: these end with the event.
    mutating func fire(at path: Span<UInt8>, heard: WatchModes, used: WatchModes, into output: inout [UInt64]) {
        guard let pathSlot = find(path) else { return }
        var kept = 0
        let total = paths[Int(pathSlot)].watches.count
        for place in 0..<total {
            var watch = paths[Int(pathSlot)].watches[place]
            if !watch.modes.isDisjoint(with: heard) { output.append(watch.watcher) }
            watch.modes.subtract(used)
            if watch.modes.isEmpty {
                watchers[Int(watch.slot)].places[pathSlot] = nil
            } else {
                if kept != place { watchers[Int(watch.slot)].places[pathSlot] = kept }
                paths[Int(pathSlot)].watches[kept] = watch
                kept += 1
            }
        }
        paths[Int(pathSlot)].watches.removeLast(total - kept)
        count -= total - kept
        if kept == 0 { dropPath(pathSlot) }
    }

    /// Appends who watches a path recursively.
    func listRecursive(at path: Span<UInt8>, into output: inout [UInt64]) {
        guard let pathSlot = find(path) else { return }
        for watch in paths[Int(pathSlot)].watches where watch.modes.contains(.recursive) {
            output.append(watch.watcher)
        }
    }

    // MARK: Slots

    private func find(_ path: Span<UInt8>) -> UInt32? {
        guard var slot = pathOfHash[hash(path)] else { return nil }
        while slot != Self.none {
            let bytes = paths[Int(slot)].path.utf8
            if bytes.count == path.count, ByteRuns.areEqual(bytes.span, at: 0, path, at: 0, count: path.count) {
                return slot
            }
            slot = paths[Int(slot)].next
        }
        return nil
    }

    private mutating func makePath(_ path: NodePath) -> UInt32 {
        let key = hash(path.utf8.span)
        let entry = Path(path: path, next: pathOfHash[key] ?? Self.none)
        let slot: UInt32
        if freePath != Self.none {
            slot = freePath
            freePath = paths[Int(slot)].next
            paths[Int(slot)] = entry
        } else {
            slot = UInt32(truncatingIfNeeded: paths.count)
            paths.append(entry)
        }
        pathOfHash[key] = slot
        return slot
    }

    private mutating func dropPath(_ slot: UInt32) {
        let bytes = paths[Int(slot)].path.utf8
        let key = hash(bytes.span)
        let next = paths[Int(slot)].next
        if pathOfHash[key] == slot {
            pathOfHash[key] = next == Self.none ? nil : next
        } else {
            var walk = pathOfHash[key] ?? Self.none
            while walk != Self.none {
                if paths[Int(walk)].next == slot { paths[Int(walk)].next = next }
                walk = paths[Int(walk)].next
            }
        }
        paths[Int(slot)] = Path(path: .root, next: freePath)
        freePath = slot
    }

    private mutating func watcherSlot(_ watcher: UInt64) -> UInt32 {
        if let slot = slotOfWatcher[watcher] { return slot }
        let slot: UInt32
        if let free = freeWatchers.popLast() {
            slot = free
        } else {
            slot = UInt32(truncatingIfNeeded: watchers.count)
            watchers.append(Watcher())
        }
        slotOfWatcher[watcher] = slot
        return slot
    }
}
