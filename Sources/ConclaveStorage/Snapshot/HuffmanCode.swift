/// Bits from bytes, the lowest first.
struct BitInput {
    var bytes: [UInt8] = []
    private var next = 0
    private var bits: UInt64 = 0
    private var count = 0

    /// Nothing but the padding of the last byte is left.
    var isAtEnd: Bool { next == bytes.count && count < 8 }

    /// Up to 32 bits; `nil` if there are fewer.
    mutating func take(_ wanted: Int) -> UInt32? {
        guard fill(wanted) else { return nil }
        let value = UInt32(truncatingIfNeeded: bits & (1 << UInt64(wanted) - 1))
        drop(wanted)
        return value
    }

    /// Makes `wanted` bits visible, if there are so many.
    mutating func fill(_ wanted: Int) -> Bool {
        while count < wanted {
            guard next < bytes.count else { return false }
            bits |= UInt64(bytes[next]) << UInt64(count)
            count += 8
            next += 1
        }
        return true
    }

    /// The next bits without taking them; those that are not there are zero.
    var visible: UInt64 { bits }
    var visibleCount: Int { count }

    mutating func drop(_ dropped: Int) {
        bits >>= UInt64(dropped)
        count -= dropped
    }

    mutating func alignToByte() { drop(count & 7) }

    /// The bytes not yet looked at; the bits already looked at stay.
    mutating func takeRest() -> [UInt8] {
        defer {
            bytes = []
            next = 0
        }
        return Array(bytes[next...])
    }
}

/// A canonical prefix code of at most 15 bits: short codes by table, long ones by counting.
struct HuffmanCode {
    private static let fastBits = 9

    /// By the next 9 bits: symbol << 4 | length, or 0 for longer codes.
    private var fast: [UInt16]
    /// How many codes there are of each length.
    private var counts: [Int]
    /// Symbols in the order of their codes.
    private var symbols: [UInt16]

    static let fixedLiterals = fixed(
        [UInt8](repeating: 8, count: 144) + [UInt8](repeating: 9, count: 112) + [UInt8](repeating: 7, count: 24)
            + [UInt8](repeating: 8, count: 8))
    static let fixedDistances = fixed([UInt8](repeating: 5, count: 30))

    private static func fixed(_ lengths: [UInt8]) -> HuffmanCode {
        do { return try HuffmanCode(lengths) } catch { preconditionFailure("the fixed codes are complete") }
    }

    /// - Parameter lengths: of each symbol's code; 0 for symbols that do not occur.
    init(_ lengths: [UInt8]) throws(UnpackError) {
        counts = [Int](repeating: 0, count: 16)
        for length in lengths { counts[Int(length)] += 1 }
        counts[0] = 0
        var offsets = [Int](repeating: 0, count: 16)
        var codes = [Int](repeating: 0, count: 16)
        var left = 1
        for length in 1..<16 {
            left = left * 2 - counts[length]
            guard left >= 0 else { throw UnpackError("a code with more words than fit") }
            if length < 15 {
                offsets[length + 1] = offsets[length] + counts[length]
                codes[length + 1] = (codes[length] + counts[length]) << 1
            }
        }
        symbols = [UInt16](repeating: 0, count: lengths.count)
        fast = [UInt16](repeating: 0, count: 1 << Self.fastBits)
        for (symbol, length) in lengths.enumerated() where length > 0 {
            let length = Int(length)
            symbols[offsets[length]] = UInt16(symbol)
            offsets[length] += 1
            defer { codes[length] += 1 }
            guard length <= Self.fastBits else { continue }
            // Codes are sent from the highest bit down.
            var reversed = 0
            for bit in 0..<length where codes[length] & (1 << bit) != 0 { reversed |= 1 << (length - 1 - bit) }
            for index in stride(from: reversed, to: fast.count, by: 1 << length) {
                fast[index] = UInt16(symbol) << 4 | UInt16(length)
            }
        }
    }

    /// The next symbol; `nil` if there are too few bits.
    func next(_ input: inout BitInput) throws(UnpackError) -> Int? {
        let isFull = input.fill(15)
        let entry = fast[Int(input.visible & UInt64(fast.count - 1))]
        if entry != 0, Int(entry & 15) <= input.visibleCount {
            input.drop(Int(entry & 15))
            return Int(entry >> 4)
        }
        var (code, first, index) = (0, 0, 0)
        for length in 1..<16 {
            guard length <= input.visibleCount else { return nil }
            code |= Int(input.visible >> UInt64(length - 1) & 1)
            let count = counts[length]
            if code - first < count {
                input.drop(length)
                return Int(symbols[index + code - first])
            }
            index += count
            first = (first + count) << 1
            code <<= 1
        }
        guard !isFull else { throw UnpackError("a code word that does not exist") }
        return nil
    }
}
