/// What happened, line by line, for a person who replays a seed. Runs that are only counted have none.
package struct Trace: Sendable {
    package private(set) var lines: [String] = []
    /// Lines that were dropped from the front.
    package private(set) var dropped = 0
    private let limit: Int

    /// - Parameter limit: how many lines are kept, the newest.
    package init(limit: Int = 20_000) { self.limit = limit }

    mutating func add(_ text: String, process: Int, time: Int64, servers: Int) {
        if lines.count >= limit * 2 {
            lines.removeFirst(limit)
            dropped += limit
        }
        let name = process < servers ? "S\(process + 1)" : "C\(process - servers + 1)"
        let microseconds = "\(time / 1_000)"
        let padding = String(repeating: " ", count: max(0, 9 - microseconds.count))
        lines.append("\(padding)\(microseconds) \(name) \(text)")
    }
}

/// A number that two runs only share if the same happened in both.
package struct TraceDigest: Sendable, Equatable {
    package private(set) var value: UInt64 = 0x9E37_79B9_7F4A_7C15

    @inline(__always)
    mutating func mix(_ number: UInt64) {
        value = (value ^ number) &* 0xFF51_AFD7_ED55_8CCD
        value ^= value >> 32
    }

    mutating func mix(_ bytes: [UInt8]) {
        // Eight bytes at a time; what is left over one by one.
        var offset = 0
        while offset + 8 <= bytes.count {
            // Safe: the loop's condition keeps the eight bytes inside the array.
            mix(unsafe bytes.span.bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
            offset += 8
        }
        var rest = UInt64(bytes.count)
        while offset < bytes.count {
            rest = rest << 8 | UInt64(bytes[offset])
            offset += 1
        }
        mix(rest)
    }
}

extension TraceDigest: CustomStringConvertible {
    package var description: String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
