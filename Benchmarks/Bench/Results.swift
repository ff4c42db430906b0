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
        /// Median time of a bare TCP ping-pong of 100 bytes on loopback, in microseconds.
        var pingPongMicroseconds: Double
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

    static func read(_ path: String) throws -> Results {
        try JSONDecoder().decode(Results.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
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
        var counts: [Int]
    }

    var median: Double? { Self.median(values) }

    /// Largest minus smallest, as a share of the median.
    var spread: Double {
        guard let median, median > 0, let low = values.min(), let high = values.max() else { return 0 }
        return (high - low) / median
    }

    func detail(_ name: String) -> Double? { details[name].flatMap(Self.median) }

    static func median(_ values: [Double]) -> Double? {
        guard !values.isEmpty else { return nil }
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}
