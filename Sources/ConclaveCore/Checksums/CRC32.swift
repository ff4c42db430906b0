/// The checksum that node digests are made of: CRC-32 with the polynomial of IEEE 802.3, reflected.
///
/// Eight bytes a step by tables. Source: Kounavis, Berry: A Systematic Approach to Building High Performance Software-Based
/// CRC Generators (2005), "slicing by 8".
package struct CRC32: Equatable, Sendable {
    private var state: UInt32 = 0xFFFF_FFFF

    package init() {}

    /// Goes on where another computation had the given value.
    package init(resuming value: UInt32) { state = ~value }

    package var value: UInt32 { ~state }

    package mutating func update(_ bytes: Span<UInt8>) {
        let tables = Self.tables.span
        var crc = state
        var index = 0
        while bytes.count - index >= 8 {
            // Safe: the loop's condition leaves eight bytes from index.
            let word = unsafe bytes.bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)
            crc = Self.step(crc, UInt64(littleEndian: word), tables)
            index += 8
        }
        while index < bytes.count {
            crc = crc >> 8 ^ tables[Int(UInt8(truncatingIfNeeded: crc) ^ bytes[index])]
            index += 1
        }
        state = crc
    }

    /// Adds an integer as its big-endian bytes.
    package mutating func update(_ value: Int64) {
        state = Self.step(state, UInt64(bitPattern: value).byteSwapped, Self.tables.span)
    }

    /// Adds an integer as its big-endian bytes.
    package mutating func update(_ value: Int32) {
        let tables = Self.tables.span
        let mixed = UInt32(bitPattern: value).byteSwapped ^ state
        state = 0
        for lane in 0..<4 {
            let byte = Int(UInt8(truncatingIfNeeded: mixed >> UInt32(8 * lane)))
            // Safe: there are 8 tables of 256 entries.
            state ^= unsafe tables[unchecked: (3 - lane) * 256 + byte]
        }
    }

    @inline(__always)
    private static func step(_ crc: UInt32, _ word: UInt64, _ tables: Span<UInt32>) -> UInt32 {
        let mixed = word ^ UInt64(crc)
        var result: UInt32 = 0
        for lane in 0..<8 {
            let byte = Int(UInt8(truncatingIfNeeded: mixed >> UInt64(8 * lane)))
            // Safe: there are 8 tables of 256 entries.
            result ^= unsafe tables[unchecked: (7 - lane) * 256 + byte]
        }
        return result
    }

    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            var crc = UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 0 ? crc >> 1 : crc >> 1 ^ 0xEDB8_8320 }
            tables[byte] = crc
        }
        for lane in 1..<8 {
            for byte in 0..<256 {
                let previous = tables[(lane - 1) * 256 + byte]
                tables[lane * 256 + byte] = previous >> 8 ^ tables[Int(previous & 0xFF)]
            }
        }
        return tables
    }()
}
