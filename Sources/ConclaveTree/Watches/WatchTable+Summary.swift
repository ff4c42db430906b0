import ConclaveCore

/// What operators ask: `wchs`, `wchc`, `wchp` and the watch count of `mntr`.
///
/// Like the reference, the first three look at the data table only, where child watches are not.
extension WatchTable {
    package struct Summary: Equatable, Sendable {
        package var watchers: Int
        package var paths: Int
        package var watches: Int

        package init(watchers: Int = 0, paths: Int = 0, watches: Int = 0) {
            self.watchers = watchers
            self.paths = paths
            self.watches = watches
        }
    }

    private static let dataTable: WatchModes = [.data, .persistent, .recursive]

    /// Numbers for `wchs`. Cost: all watches.
    package var summary: Summary {
        var summary = Summary()
        var seen: Set<UInt32> = []
        for path in paths {
            let watches = path.watches.filter { !$0.modes.isDisjoint(with: Self.dataTable) }
            if !watches.isEmpty { summary.paths += 1 }
            summary.watches += watches.count
            for watch in watches { seen.insert(watch.slot) }
        }
        summary.watchers = seen.count
        return summary
    }

    /// The entries of both tables: a persistent watch stands in each of them.
    package var entryCount: Int {
        paths.reduce(0) { sum, path in
            path.watches.reduce(sum) { sum, watch in
                sum + (watch.modes.isDisjoint(with: Self.dataTable) ? 0 : 1)
                    + (watch.modes.isDisjoint(with: [.child, .persistent, .recursive]) ? 0 : 1)
            }
        }
    }

    /// Connections in ascending order with the paths that they watch, sorted.
    package var pathsByWatcher: [(watcher: UInt64, paths: [NodePath])] {
        var result: [UInt64: [NodePath]] = [:]
        for (path, watchers) in watchersByPath {
            for watcher in watchers { result[watcher, default: []].append(path) }
        }
        return result.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// Paths, sorted, with the connections that watch them in ascending order.
    package var watchersByPath: [(path: NodePath, watchers: [UInt64])] {
        var result: [(path: NodePath, watchers: [UInt64])] = []
        for path in paths {
            let numbers = path.watches.filter { !$0.modes.isDisjoint(with: Self.dataTable) }.map(\.watcher)
            if !numbers.isEmpty { result.append((path.path, numbers.sorted())) }
        }
        return result.sorted { $0.path < $1.path }
    }
}
