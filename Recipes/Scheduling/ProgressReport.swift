/// How far a worker is: what its node on a ``ProgressBoard`` holds, as JSON.
public struct ProgressReport: Codable, Hashable, Sendable, ConfigurationValue {
    /// Where a worker stands as a whole.
    public enum State: String, Codable, Hashable, Sendable {
        /// It is at work.
        case running
        /// It has done what it had to.
        case finished
        /// It has given up.
        case failed
    }

    /// How many units are done.
    public var done: Int64
    /// How many there are; `nil` if nobody knows.
    public var total: Int64?
    /// What it says of itself, for people.
    public var text: String
    /// Where it stands as a whole.
    public var state: State

    /// A report.
    public init(done: Int64 = 0, total: Int64? = nil, text: String = "", state: State = .running) {
        self.done = done
        self.total = total
        self.text = text
        self.state = state
    }
}

/// One worker as a ``ProgressBoard`` shows it.
public struct WorkerProgress: Hashable, Sendable {
    /// Where the worker stands.
    public enum State: Hashable, Sendable {
        /// It is at work.
        case running
        /// It has done what it had to.
        case finished
        /// It has given up.
        case failed
        /// Its session ended while it was at work: it has not said that it finished.
        case lost
    }

    /// The name of its node.
    public let name: String
    /// Where it stands.
    public let state: State
    /// What it reported last.
    public let report: ProgressReport
    /// Units a second over its last reports, by the times at which the leader wrote them; `nil` before the second.
    public let rate: Double?
    /// When its node was made: milliseconds since 1970, by the leader's clock.
    public let startedMilliseconds: Int64
    /// When it last reported: milliseconds since 1970, by the leader's clock.
    public let reportedMilliseconds: Int64
}

/// All workers of a ``ProgressBoard`` together.
public struct ProgressSummary: Hashable, Sendable {
    /// The workers, sorted by name.
    public let workers: [WorkerProgress]
    /// How many nodes below the path hold no report.
    public let invalid: Int

    /// Units that are done, lost workers' included.
    public var done: Int64 { workers.reduce(0) { $0.addingClamped($1.report.done) } }

    /// Units that there are; `nil` while a worker does not know its own.
    public var total: Int64? {
        workers.reduce(Int64?.some(0)) { sum, worker in
            guard let sum, let total = worker.report.total else { return nil }
            return sum.addingClamped(total)
        }
    }

    /// Units a second of all that are at work.
    public var rate: Double { workers.reduce(0) { $1.state == .running ? $0 + ($1.rate ?? 0) : $0 } }

    /// How long it will take at this rate; `nil` if the total is not known or nothing moves.
    public var remaining: Duration? {
        let left = workers.reduce(Int64?.some(0)) { sum, worker in
            guard worker.state == .running else { return sum }
            guard let sum, let total = worker.report.total else { return nil }
            return sum.addingClamped(max(0, total.addingClamped(-max(0, worker.report.done))))
        }
        guard let left else { return nil }
        if left == 0 { return .zero }
        let seconds = rate > 0 ? Double(left) / rate : .infinity
        return seconds < 1e9 ? .seconds(seconds) : nil
    }

    /// How many stand so.
    public func count(_ state: WorkerProgress.State) -> Int { workers.count { $0.state == state } }
}

extension Int64 {
    /// The sum, at the end of the range instead of beyond it: reports come from outside.
    fileprivate func addingClamped(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other > 0 ? .max : .min) : sum
    }
}
