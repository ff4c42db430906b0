/// Latencies in nanoseconds, counted in buckets that are at most 3% wide: 32 per power of two.
///
/// Recording costs a few instructions and no memory, so that measuring does not disturb what is measured.
package struct Histogram: Sendable {
    private static let stepsPerDoubling = 32
    private var buckets = [Int](repeating: 0, count: 64 * Histogram.stepsPerDoubling)
    package private(set) var count = 0
    package private(set) var maximum: Int64 = 0
    private var sum: Int64 = 0

    package init() {}

    package mutating func record(_ nanoseconds: Int64, times: Int = 1) {
        let value = max(nanoseconds, 0)
        buckets[Self.bucket(of: UInt64(value))] += times
        count += times
        sum &+= value &* Int64(times)
        maximum = max(maximum, value)
    }

    /// The value that a share of all values does not exceed (the upper end of its bucket); 0 without values.
    package func percentile(_ share: Double) -> Int64 {
        guard count > 0 else { return 0 }
        let wanted = max(1, Int((Double(count) * share).rounded(.up)))
        var seen = 0
        for (index, number) in buckets.enumerated() {
            seen += number
            if seen >= wanted { return min(Self.upperEnd(of: index), maximum) }
        }
        return maximum
    }

    package var mean: Double { count == 0 ? 0 : Double(sum) / Double(count) }

    /// Values below 32 have a bucket each; above, the power of two and the five bits behind the first.
    private static func bucket(of value: UInt64) -> Int {
        guard value >= UInt64(stepsPerDoubling) else { return Int(value) }
        let power = 63 - value.leadingZeroBitCount
        let step = Int(value >> UInt64(power - 5)) & (stepsPerDoubling - 1)
        return (power - 4) * stepsPerDoubling + step
    }

    private static func upperEnd(of bucket: Int) -> Int64 {
        guard bucket >= stepsPerDoubling else { return Int64(bucket) }
        let power = bucket / stepsPerDoubling + 4
        let step = bucket % stepsPerDoubling
        return Int64((UInt64(stepsPerDoubling + step + 1) << UInt64(power - 5)) &- 1)
    }
}
