/// The checksum of log entries and snapshots.
///
/// Source: RFC 1950, section 8.2.
package struct Adler32: Equatable, Sendable {
    private var low: UInt32 = 1
    private var high: UInt32 = 0

    package init() {}

    package var value: UInt32 { high << 16 | low }

    package mutating func update(_ bytes: Span<UInt8>) {
        // 5552 is the most bytes that can be summed before the sums must be reduced to fit 32 bits.
        var (low, high) = (self.low, self.high)
        var index = 0
        while index < bytes.count {
            let stop = min(index + 5552, bytes.count)
            while index < stop {
                low &+= UInt32(bytes[index])
                high &+= low
                index += 1
            }
            low %= 65521
            high %= 65521
        }
        (self.low, self.high) = (low, high)
    }

    package static func checksum(_ bytes: Span<UInt8>) -> UInt32 {
        var sum = Adler32()
        sum.update(bytes)
        return sum.value
    }
}
