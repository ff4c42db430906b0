import ConclaveCore
import ConclaveTree
import Testing

/// Who hears of what.
@Suite struct WatchTests {
    private let change = TreeEffects.Effect.dataChanged("/a", acl: nil)
    private let creation = TreeEffects.Effect.created("/a", acl: nil, parentACL: nil)
    private let deletion = TreeEffects.Effect.deleted("/a", acl: nil, parentACL: nil)

    /// `kind path: watchers` for every event.
    private func fire(_ table: inout WatchTable, _ effects: TreeEffects.Effect...) -> [String] {
        var output = WatchNotifications()
        for effect in effects { table.trigger(effect, into: &output) }
        return output.events.map { event in
            "\(event.kind) \(event.path): " + output.watchers[event.receivers].map(String.init).joined(separator: " ")
        }
    }

    @Test("Every mode hears what it should, for every kind of change, alone and together with the others")
    func exhaustive() {
        // What one connection with some set of modes on /a hears and keeps. Recursive watches on / and on /a differ
        // only in hearing of the siblings, so both stand for "above or at".
        for bits in 0..<32 as Range<UInt8> {
            let modes = WatchModes(rawValue: bits & 15)
            let isAboveRecursive = bits & 16 != 0
            for (effect, kind) in [(creation, "created"), (change, "dataChanged"), (deletion, "deleted")] {
                var table = WatchTable()
                if !modes.isEmpty { _ = table.add("/a", modes, for: 1) }
                if isAboveRecursive { _ = table.add("/", .recursive, for: 1) }
                var hears = modes.contains(.data) || modes.contains(.persistent) || modes.contains(.recursive)
                if kind == "deleted" { hears = hears || modes.contains(.child) }
                let expected = hears || isAboveRecursive ? ["\(kind) /a: 1"] : []
                #expect(fire(&table, effect) == expected, "\(modes) \(kind)")
                var left = modes.subtracting(.data)
                if kind == "deleted" { left.subtract(.child) }
                #expect(table.modes("/a", for: 1) == left, "\(modes) \(kind)")
                #expect(table.count == (left.isEmpty ? 0 : 1) + (isAboveRecursive ? 1 : 0))
                // Persistent and recursive ones hear of the next change too.
                let again = left.contains(.persistent) || left.contains(.recursive) || isAboveRecursive
                #expect(fire(&table, change) == (again ? ["dataChanged /a: 1"] : []), "\(modes) \(kind)")
            }
        }
    }

    @Test("The parent's watchers hear that children changed, recursive ones do not")
    func children() {
        for bits in 0..<16 as Range<UInt8> {
            let modes = WatchModes(rawValue: bits)
            for effect in [creation, deletion] {
                var table = WatchTable()
                if !modes.isEmpty { _ = table.add("/", modes, for: 1) }
                let events = fire(&table, effect).filter { $0.hasPrefix("childrenChanged") }
                let hears = modes.contains(.child) || modes.contains(.persistent)
                #expect(events == (hears ? ["childrenChanged /: 1"] : []), "\(modes)")
                #expect(table.modes("/", for: 1) == modes.subtracting(.child))
            }
            var table = WatchTable()
            if !modes.isEmpty { _ = table.add("/", modes, for: 1) }
            #expect(fire(&table, change).isEmpty == !modes.contains(.recursive))
        }
    }

    @Test("The node's event comes before the parent's, receivers ascend")
    func order() {
        var table = WatchTable()
        for watcher in [9, 2, 5, 7] as [UInt64] {
            _ = table.add("/a", .data, for: watcher)
            _ = table.add("/", .child, for: watcher)
        }
        #expect(fire(&table, creation) == ["created /a: 2 5 7 9", "childrenChanged /: 2 5 7 9"])
        #expect(table.isEmpty)
    }

    @Test("A connection that watches a node and, recursively, those above it hears once")
    func once() {
        var table = WatchTable()
        for path in ["/", "/a", "/a/b"] as [NodePath] { _ = table.add(path, .recursive, for: 1) }
        _ = table.add("/a/b", [.data, .persistent], for: 1)
        _ = table.add("/a", .recursive, for: 2)
        _ = table.add("/ab", .recursive, for: 3)
        let effect = TreeEffects.Effect.deleted("/a/b", acl: nil, parentACL: nil)
        #expect(fire(&table, effect) == ["deleted /a/b: 1 2"])
    }

    @Test("A standard watch beside a persistent one takes nothing from it")
    func modesCoexist() {
        var table = WatchTable()
        _ = table.add("/a", .persistent, for: 1)
        _ = table.add("/a", .data, for: 1)
        #expect(fire(&table, change, change) == ["dataChanged /a: 1", "dataChanged /a: 1"])
        #expect(table.modes("/a", for: 1) == .persistent)
    }

    @Test("Events say who may see them")
    func lists() {
        var table = WatchTable()
        _ = table.add("/a", .data, for: 1)
        _ = table.add("/", .child, for: 1)
        var tree = DataTree()
        let secret = [ACL(.all, for: Identity(scheme: "digest", id: "u:h"))]
        tree.apply(1, .setACL(path: "/", acl: .readOnly, version: 1))
        tree.apply(2, Make.create("/a", acl: secret))
        var output = WatchNotifications()
        for effect in tree.apply(3, .delete(path: "/a")) { table.trigger(effect, into: &output) }
        #expect(output.events.map(\.kind) == [.deleted, .childrenChanged])
        #expect(output.events.map(\.acl) == [secret, .readOnly])
    }

    @Test("Removal takes exactly the type that is named")
    func removal() {
        for type in 1...5 as ClosedRange<Int32> {
            guard let modes = WatchModes(watcherType: type) else {
                Issue.record("type \(type)")
                continue
            }
            for bits in 0..<16 as Range<UInt8> {
                let present = WatchModes(rawValue: bits)
                var table = WatchTable()
                if !present.isEmpty { _ = table.add("/a", present, for: 1) }
                _ = table.add("/a", .data, for: 2)
                let isThere = !present.isDisjoint(with: modes)
                #expect(table.contains("/a", modes, for: 1) == isThere)
                let isRemoved = table.remove("/a", modes, for: 1)
                #expect(isRemoved == isThere)
                #expect(table.modes("/a", for: 1) == present.subtracting(modes))
                #expect(table.modes("/a", for: 2) == .data)
            }
        }
        #expect(WatchModes(watcherType: 0) == nil)
        #expect(WatchModes(watcherType: 6) == nil)
        #expect(WatchModes(addWatchMode: 0) == .persistent)
        #expect(WatchModes(addWatchMode: 1) == .recursive)
        #expect(WatchModes(addWatchMode: 2) == nil)
    }

    @Test("The empty path is the root")
    func emptyPath() {
        var table = WatchTable()
        let isAdded = table.add(Span(), .data, for: 1)
        #expect(isAdded)
        #expect(table.modes("/", for: 1) == .data)
        #expect(fire(&table, .dataChanged("", acl: nil)) == ["dataChanged /: 1"])
        _ = table.add("/", .recursive, for: 1)
        #expect(fire(&table, .dataChanged("/", acl: nil)) == ["dataChanged /: 1"])
    }

    @Test("The limit holds for paths, not for modes, and what is above it leaves nothing behind")
    func limit() {
        var table = WatchTable(limitPerWatcher: 3)
        let paths: [NodePath] = ["/1", "/2", "/3", "/4"]
        #expect(paths.map { table.add($0, .data, for: 1) } == [true, true, true, false])
        #expect(paths.map { table.add($0, .child, for: 1) } == [true, true, true, false])
        let isOtherAdded = table.add("/4", .data, for: 2)
        #expect(isOtherAdded)
        let isAdded = table.add("/4", .data, for: 1)
        #expect(!isAdded)
        #expect(table.count == 4)
        _ = table.remove("/1", .all, for: 1)
        let isRoomAgain = table.add("/4", .data, for: 1)
        #expect(isRoomAgain)
        var none = WatchTable(limitPerWatcher: 0)
        let isRefused = !none.add("/1", .data, for: 1)
        #expect(isRefused)
        #expect(none.isEmpty)
    }

    @Test("Summaries are sorted and look at the data table")
    func summaries() {
        var table = WatchTable()
        _ = table.add("/b", .data, for: 2)
        _ = table.add("/b", .data, for: 1)
        _ = table.add("/a", .persistent, for: 2)
        _ = table.add("/c", .child, for: 3)
        #expect(table.summary == WatchTable.Summary(watchers: 2, paths: 2, watches: 3))
        #expect(table.watchersByPath.map(\.path) == ["/a", "/b"])
        #expect(table.watchersByPath.map(\.watchers) == [[2], [1, 2]])
        #expect(table.pathsByWatcher.map(\.watcher) == [1, 2])
        #expect(table.pathsByWatcher.map(\.paths) == [["/b"], ["/a", "/b"]])
        #expect(table.entryCount == 5)
    }

    @Test("After a reconnection each list is evaluated as it should be")
    func restoration() {
        var tree = DataTree()
        tree.apply(1, Make.create("/old"))
        tree.apply(10, Make.create("/new"))
        tree.apply(11, Make.create("/parent"))
        tree.apply(12, .setACL(path: "/parent", acl: .readOnly, version: 1))
        var table = WatchTable()
        let paths: [NodePath] = ["/old", "/new", "/missing", "/parent"]
        var request = WatchRestoration(relativeZxid: Zxid(rawValue: 5))
        func restore() -> [String] {
            table.restore(request, for: 1, tree: tree).events.map { "\($0.kind) \($0.path)" }
        }
        request.data = paths
        #expect(restore() == ["dataChanged /new", "deleted /missing", "dataChanged /parent"])
        #expect(paths.map { table.modes($0, for: 1) } == [.data, [], [], []])
        (request.data, request.exist) = ([], paths)
        #expect(restore() == ["created /old", "created /new", "created /parent"])
        #expect(table.modes("/missing", for: 1) == .data)
        (request.exist, request.child) = ([], paths)
        #expect(restore() == ["childrenChanged /new", "deleted /missing", "childrenChanged /parent"])
        #expect(table.modes("/old", for: 1) == [.data, .child])
        (request.child, request.persistent, request.recursive) = ([], paths, paths)
        #expect(restore().isEmpty)
        #expect(paths.allSatisfy { table.contains($0, .persistent, for: 1) && table.contains($0, .recursive, for: 1) })
        request = WatchRestoration(relativeZxid: Zxid(rawValue: 5), data: ["/parent"])
        #expect(table.restore(request, for: 1, tree: tree).events.first?.acl == .readOnly)
    }

    @Test("A zxid exactly that of the change is no missed event")
    func restorationBoundary() {
        var tree = DataTree()
        tree.apply(5, Make.create("/a"))
        for (zxid, events) in [(4, 2), (5, 0), (6, 0)] as [(Int64, Int)] {
            var table = WatchTable()
            let request = WatchRestoration(relativeZxid: Zxid(rawValue: zxid), data: ["/a"], child: ["/a"])
            #expect(table.restore(request, for: 1, tree: tree).events.count == events)
        }
    }

    @Test("A restoration beyond the limit says so")
    func restorationLimit() {
        let tree = DataTree()
        var table = WatchTable(limitPerWatcher: 1)
        let request = WatchRestoration(relativeZxid: .zero, exist: ["/1", "/2"])
        let (events, isComplete) = table.restore(request, for: 1, tree: tree)
        #expect(events.isEmpty)
        #expect(!isComplete)
        #expect(table.count == 1)
    }

    @Test("Random use agrees with a plain model", arguments: 0..<6 as Range<UInt64>)
    func model(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var table = WatchTable(limitPerWatcher: 12)
        var model: [UInt64: [NodePath: WatchModes]] = [:]
        let paths: [NodePath] = [
            "/", "/a", "/a/b", "/a/c", "/b", "/a/b/d", "/ab", "/c", "/d", "/e", "/f", "/g", "/h", "/i",
        ]
        func pick() -> NodePath { paths[Int.random(in: 0..<paths.count, using: &random)] }
        for _ in 0..<1500 {
            let watcher = UInt64.random(in: 0..<6, using: &random)
            let path = pick()
            let modes = WatchModes(rawValue: UInt8.random(in: 1..<16, using: &random))
            switch Int.random(in: 0..<12, using: &random) {
            case 0..<6:
                let hasRoom = model[watcher]?[path] != nil || (model[watcher]?.count ?? 0) < 12
                let isAdded = table.add(path, modes, for: watcher)
                #expect(isAdded == hasRoom)
                if hasRoom { model[watcher, default: [:]][path, default: []].formUnion(modes) }
            case 6, 7:
                let present = model[watcher]?[path] ?? []
                let isRemoved = table.remove(path, modes, for: watcher)
                #expect(isRemoved == !present.isDisjoint(with: modes))
                let left = present.subtracting(modes)
                model[watcher]?[path] = left.isEmpty ? nil : left
            case 8:
                table.removeAll(of: watcher)
                model[watcher] = nil
            default:
                guard path != .root else { continue }
                let effect = [
                    TreeEffects.Effect.created(path, acl: nil, parentACL: nil), .dataChanged(path, acl: nil),
                    .deleted(path, acl: nil, parentACL: nil),
                ][Int.random(in: 0..<3, using: &random)]
                #expect(fire(&table, effect) == expected(&model, effect, path))
            }
            #expect(table.count == model.values.reduce(0) { $0 + $1.count })
        }
        for watcher in 0..<6 as Range<UInt64> { table.removeAll(of: watcher) }
        #expect(table.isEmpty)
        #expect(table.summary == WatchTable.Summary())
    }

    private func expected(
        _ model: inout [UInt64: [NodePath: WatchModes]], _ effect: TreeEffects.Effect, _ path: NodePath
    ) -> [String] {
        var name = "created"
        var (heard, used): (WatchModes, WatchModes) = ([.data, .persistent], .data)
        if case .dataChanged = effect { name = "dataChanged" }
        if case .deleted = effect { (name, heard, used) = ("deleted", [.data, .child, .persistent], [.data, .child]) }
        var lines: [String] = []
        func tell(_ kind: String, _ path: NodePath, _ heard: WatchModes, _ used: WatchModes, recursive: Bool) {
            var receivers: [String] = []
            for watcher in model.keys.sorted() {
                let modes = model[watcher]?[path] ?? []
                var hears = !modes.isDisjoint(with: heard)
                var above: NodePath? = recursive ? path : nil
                while let place = above {
                    if model[watcher]?[place]?.contains(.recursive) == true { hears = true }
                    above = place.parent
                }
                if hears { receivers.append("\(watcher)") }
                let left = modes.subtracting(used)
                model[watcher]?[path] = left.isEmpty ? nil : left
            }
            if !receivers.isEmpty { lines.append("\(kind) \(path): " + receivers.joined(separator: " ")) }
        }
        tell(name, path, heard, used, recursive: true)
        if name != "dataChanged" {
            tell("childrenChanged", path.parent ?? .root, [.child, .persistent], .child, recursive: false)
        }
        return lines
    }
}
