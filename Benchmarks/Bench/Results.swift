import BenchmarkKit
import Foundation

/// Everything that a run of the suite has found: what `results.json` holds.
struct Results: Codable, Sendable {
    struct Machine: Codable, Sendable {
        var processor: String
        var processors: Int
        var memoryMB: Int
        var system: String
        /// Median time of a 4 KiB append with fdatasync(2), in microseconds.
        var syncMicroseconds: Double
        /// The time that one append in a hundred exceeds.
        var syncP99Microseconds: Double?
        /// Median time of overwriting 4 KiB of reserved space with fdatasync(2): what a log with reserved space pays.
        var overwriteMicroseconds: Double?
        /// Median time of a bare TCP ping-pong of 100 bytes on loopback, in microseconds.
        var pingPongMicroseconds: Double

        /// Keeps the better of two measurements: what the machine can do.
        mutating func improve(by other: Machine) {
            if other.syncMicroseconds < syncMicroseconds {
                (syncMicroseconds, syncP99Microseconds) = (other.syncMicroseconds, other.syncP99Microseconds)
            }
            if let overwrite = other.overwriteMicroseconds {
                overwriteMicroseconds = min(overwrite, overwriteMicroseconds ?? overwrite)
            }
            pingPongMicroseconds = min(pingPongMicroseconds, other.pingPongMicroseconds)
        }
    }

    struct Settings: Codable, Sendable {
        var servers: Int
        var observers: Int
        var hosts: String?
        var seconds: Double
        var repetitions: Int
    }

    var date: String
    var commit: String
    var swift: String
    var machine: Machine
    var settings: Settings
    var figures: [Figure]

    func write(to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try encoder.encode(self).write(to: URL(fileURLWithPath: path))
    }

    static func read(_ path: String) throws(LoadError) -> Results {
        guard let data = FileManager.default.contents(atPath: path) else { throw LoadError("\(path) cannot be read") }
        do {
            return try JSONDecoder().decode(Results.self, from: data)
        } catch {
            throw LoadError("\(path) holds no results of conclave-bench: \(error)")
        }
    }
}

/// One case at one group of servers, all its repetitions.
struct Figure: Codable, Sendable {
    var name: String
    var section: String
    var text: String
    var subject: String
    var unit: String
    var moreIsBetter: Bool
    /// One for each repetition.
    var values: [Double] = []
    /// Latencies, processor time and memory under their names, one for each repetition.
    var details: [String: [Double]] = [:]
    /// Acknowledged writes per slice of time of the last repetition, and when the failure struck, in slices.
    var timeline: Timeline?
    /// What went wrong; operations that failed are in no figure.
    var problems: [String] = []

    struct Timeline: Codable, Sendable {
        var sliceMilliseconds: Double
        var failureAtMilliseconds: Double
        /// When the server was started again, or went on.
        var returnAtMilliseconds: Double?
        var counts: [Int]
    }

    var median: Double? { Self.median(values) }

    /// Largest minus smallest, as a share of the median.
    var spread: Double {
        guard let median, median > 0, let low = values.min(), let high = values.max() else { return 0 }
        return (high - low) / median
    }

    /// What else was found that a reader wants to know, in words; empty if nothing.
    var also: String {
        let found: [(String, (Double) -> String)] = [
            ("fairness", { "fairness \(String(format: "%.2f", $0)) of 1" }),
            ("unanswered", { "\(ResultText.number($0)) writes refused or unanswered" }),
            ("cpu_percent", { "\(ResultText.number($0))% of a processor" }),
        ]
        var parts = found.compactMap { key, text in detail(key).map(text) }
        if section == BenchCase.Section.rates.rawValue, let rate = detail("per_second") {
            parts.append("\(ResultText.number(rate)) answered a second")
            if let late = detail("late_p99_us") { parts.append("sent up to \(ResultText.number(late)) µs late (p99)") }
        }
        if section == BenchCase.Section.storage.rawValue, let bytes = detail("storage_bytes") {
            parts.append("\(ResultText.number(bytes)) B to storage, in whole pages")
        }
        return parts.joined(separator: "; ")
    }

    func detail(_ name: String) -> Double? { details[name].flatMap(Self.median) }

    static func median(_ values: [Double]) -> Double? {
        guard !values.isEmpty else { return nil }
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}
