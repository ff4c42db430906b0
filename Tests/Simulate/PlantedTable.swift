import ConclaveSimulator

/// Every planted bug, and how many runs it took to find it: shows that the simulator would find something.
///
/// For each bug the profiles take turns, one seed each, from the first seed on, as in a sweep over all profiles. So the
/// number says how small a sweep would have sufficed. The same code gives the same table.
struct PlantedTable {
    private struct Row: Sendable {
        let index: Int
        let bug: String
        var found: (run: UInt64, profile: String, seed: UInt64, rule: String)?
        var time = Duration.zero
    }

    let arguments: Arguments
    private let bugs: [String]

    init(_ arguments: Arguments) {
        self.arguments = arguments
        bugs = arguments.bugs
    }

    /// - Returns: whether each bug was found.
    func run() async -> Bool {
        var progress = Progress()
        var rows: [Row] = []
        await withTaskGroup(of: Row.self) { group in
            var next = 0
            func begin() {
                guard next < bugs.count else { return }
                let (index, arguments) = (next, arguments)
                let bug = bugs[next]
                next += 1
                group.addTask { Self.find(bug, index, arguments) }
            }
            for _ in 0..<arguments.jobs { begin() }
            while let row = await group.next() {
                rows.append(row)
                let time = progress.elapsed.inSeconds
                if progress.isDue { progress.show("\(rows.count) of \(bugs.count) bugs, \(time)") }
                begin()
            }
        }
        show(rows.sorted { $0.index < $1.index }, progress)
        return rows.allSatisfy { $0.found != nil }
    }

    private static func find(_ bug: String, _ index: Int, _ arguments: Arguments) -> Row {
        var arguments = arguments
        arguments.planted = bug
        let runs = arguments.profiles.map { arguments.runner($0) }
        var row = Row(index: index, bug: bug)
        let start = ContinuousClock.now
        for run in 0..<arguments.seeds * UInt64(runs.count) {
            let (turn, profile) = run.quotientAndRemainder(dividingBy: UInt64(runs.count))
            let seed = arguments.first + turn
            guard let violation = runs[Int(profile)](seed).violation else { continue }
            row.found = (run + 1, arguments.profiles[Int(profile)].name, seed, violation.rule)
            break
        }
        row.time = start.duration(to: .now)
        return row
    }

    private func show(_ rows: [Row], _ progress: Progress) {
        progress.print("| Planted bug | Found by run | Profile, seed | Promise that was broken |")
        progress.print("|---|---|---|---|")
        for row in rows {
            guard let found = row.found else {
                progress.print("| \(row.bug) | **not found** in \(row.time.inSeconds) | | |")
                continue
            }
            progress.print("| `\(row.bug)` | \(found.run) | \(found.profile), \(found.seed) | \(found.rule) |")
        }
        let found = rows.count { $0.found != nil }
        progress.print("total: \(found) of \(rows.count) planted bugs found, \(progress.elapsed.inSeconds)")
    }
}
