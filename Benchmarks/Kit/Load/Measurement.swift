/// What a run found.
package struct Measurement: Sendable {
    /// Only of operations that succeeded.
    package var histogram: Histogram
    /// At a fixed rate: by how much requests left later than they were due. Where this is much, the generator was too slow.
    package var lateness: Histogram?
    package var seconds: Double
    /// Of operations that were refused, answered with something else than was asked for, or not at all in time.
    package var failures = Failures()
    package var serverProcessorSeconds: Double?
    package var generatorProcessorSeconds: Double
    package var residentBytes: Int?
    /// What the servers' processes had storage write.
    package var storageBytes: Int?

    package var perSecond: Double { Double(histogram.count) / seconds }

    /// The numbers under their names in results; latencies and processor time in microseconds.
    package var values: [String: Double] {
        let count = Double(max(histogram.count, 1))
        var values: [String: Double] = [
            "operations": Double(histogram.count), "seconds": seconds, "per_second": perSecond,
            "p50_us": Double(histogram.percentile(0.5)) / 1000, "p99_us": Double(histogram.percentile(0.99)) / 1000,
            "p999_us": Double(histogram.percentile(0.999)) / 1000, "max_us": Double(histogram.maximum) / 1000,
            "p90_us": Double(histogram.percentile(0.9)) / 1000,
            "p9999_us": Double(histogram.percentile(0.9999)) / 1000, "mean_us": histogram.mean / 1000,
            "generator_cpu_us": generatorProcessorSeconds * 1e6 / count, "failed": Double(failures.count),
        ]
        if let serverProcessorSeconds { values["server_cpu_us"] = serverProcessorSeconds * 1e6 / count }
        if let lateness { values["late_p99_us"] = Double(lateness.percentile(0.99)) / 1000 }
        if let residentBytes { values["resident_mb"] = Double(residentBytes) / 1e6 }
        if let storageBytes { values["storage_bytes"] = Double(storageBytes) / count }
        return values
    }
}

/// Operations that failed: how many, and what was said of the first.
package struct Failures: Sendable {
    package private(set) var count = 0
    package private(set) var first = ""

    package mutating func record(_ reason: @autoclosure () -> String, times: Int = 1) {
        guard times > 0 else { return }
        if count == 0 { first = reason() }
        count += times
    }

    /// For people; `nil` if nothing failed.
    package func text(of all: Int) -> String? {
        count == 0 ? nil : "\(count) of \(all) operations failed, the first with: \(first)"
    }
}
