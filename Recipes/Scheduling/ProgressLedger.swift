import ConclaveCore

/// Keeps the books of a ``ProgressBoard``: reports in, a summary out. Pure arithmetic over what the nodes hold; times
/// are those that the leader wrote.
package struct ProgressLedger: Sendable {
    private struct Entry {
        var worker: GroupMember
        var report: ProgressReport
        var isLost = false
        /// The last reports as (milliseconds, units done), the oldest first.
        var samples: [(time: Int64, done: Int64)] = []
    }

    /// Over how many reports a rate is taken.
    package static let sampleLimit = 8
    /// How many lost workers are remembered.
    package static let lostLimit = 1_000

    private var entries: [String: Entry] = [:]
    private var invalid: Set<String> = []
    /// The lost ones, the longest lost first.
    private var lost: [String] = []

    package init() {}

    /// Takes the changes of the group of workers.
    package mutating func take(_ change: GroupChange) -> ProgressSummary {
        for member in change.left { leave(member.name) }
        for member in change.joined + change.changed { report(member) }
        while lost.count > Self.lostLimit { entries[lost.removeFirst()] = nil }
        return summary
    }

    private mutating func leave(_ name: String) {
        invalid.remove(name)
        guard var entry = entries[name] else { return }
        guard entry.report.state == .running, !entry.isLost else {
            entries[name] = nil
            return
        }
        entry.isLost = true
        entries[name] = entry
        lost.append(name)
    }

    private mutating func report(_ member: GroupMember) {
        guard let report = try? ProgressReport(configurationBytes: member.payload) else {
            // Whoever it is, it is no worker that could be shown.
            entries[member.name] = nil
            lost.removeAll { $0 == member.name }
            invalid.insert(member.name)
            return
        }
        invalid.remove(member.name)
        var entry = entries[member.name] ?? Entry(worker: member, report: report)
        if entry.isLost {
            lost.removeAll { $0 == member.name }
            // The record that a finished worker leaves is made in place of its node: the same work.
            if report.state == .running { entry.samples = [] }
        }
        (entry.worker, entry.report, entry.isLost) = (member, report, false)
        if let last = entry.samples.last, last.time > member.writtenMilliseconds || last.done > report.done {
            entry.samples = []
        }
        entry.samples.append((member.writtenMilliseconds, report.done))
        if entry.samples.count > Self.sampleLimit { entry.samples.removeFirst() }
        entries[member.name] = entry
    }

    /// Everybody as they stand.
    package var summary: ProgressSummary {
        let workers = entries.values.map { entry in
            WorkerProgress(
                name: entry.worker.name, state: state(entry), report: entry.report, rate: rate(entry),
                startedMilliseconds: entry.worker.joinedMilliseconds,
                reportedMilliseconds: entry.worker.writtenMilliseconds)
        }
        return ProgressSummary(workers: workers.sorted { $0.name < $1.name }, invalid: invalid.count)
    }

    private func state(_ entry: Entry) -> WorkerProgress.State {
        if entry.isLost { return .lost }
        return switch entry.report.state {
        case .running: .running
        case .finished: .finished
        case .failed: .failed
        }
    }

    private func rate(_ entry: Entry) -> Double? {
        guard let first = entry.samples.first, let last = entry.samples.last, last.time > first.time else { return nil }
        return (Double(last.done) - Double(first.done)) * 1000 / (Double(last.time) - Double(first.time))
    }
}
