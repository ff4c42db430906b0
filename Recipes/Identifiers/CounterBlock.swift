/// A run of numbers that belongs to one client: taken from the shared counter at once, given out one by one.
package struct CounterBlock: Hashable, Sendable {
    private var next: Int64
    private let end: Int64

    /// The block that begins where the counter stood.
    ///
    /// - Returns: `nil` if the counter cannot be advanced by `size`.
    package init?(from counter: Int64, size: Int) {
        guard counter >= 0, size > 0 else { return nil }
        let (end, overflow) = counter.addingReportingOverflow(Int64(size))
        guard !overflow else { return nil }
        next = counter
        self.end = end
    }

    /// Where the counter stands once the block is taken.
    package var counterAfter: Int64 { end }

    /// Whether every number has been drawn.
    package var isEmpty: Bool { next >= end }

    /// The next number, or `nil` when the block is used up.
    package mutating func draw() -> Int64? {
        guard next < end else { return nil }
        defer { next += 1 }
        return next
    }

    /// Reads the counter's node: 8 bytes big-endian as Curator's `DistributedAtomicLong` keeps them, empty for zero.
    package static func decode(_ bytes: [UInt8]) -> Int64? {
        if bytes.isEmpty { return 0 }
        guard bytes.count == 8 else { return nil }
        return Int64(bitPattern: bytes.reduce(0) { $0 << 8 | UInt64($1) })
    }

    /// The counter as its node keeps it.
    package static func encode(_ counter: Int64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: counter >> Int64(56 - 8 * $0)) }
    }
}
