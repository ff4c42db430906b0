import ConclaveCore

/// Unpacks a gzip stream piece by piece, with a window of 32 KiB and nothing else kept.
///
/// Source: RFC 1951 (DEFLATE) and RFC 1952 (gzip), one member.
package struct Inflater {
    private enum State {
        case header
        case block
        case stored(remaining: Int)
        case codes
        case trailer
        case done
    }

    private var state = State.header
    private var isLastBlock = false
    private var literals = HuffmanCode.fixedLiterals
    private var distances = HuffmanCode.fixedDistances
    private var input = BitInput()
    private var window = [UInt8](repeating: 0, count: 32 << 10)
    private var windowPosition = 0
    private var written = 0
    private var sum = CRC32()

    package init() {}

    /// Unpacks until the input is used up or `limit` bytes have been added to the output.
    /// - Returns: whether the stream is complete.
    package mutating func inflate(
        _ packed: inout [UInt8], into output: inout [UInt8], limit: Int
    ) throws(UnpackError) -> Bool {
        input.bytes = packed
        packed = []
        defer { packed = input.takeRest() }
        let start = output.count
        defer { sum.update(output.span.extracting(start..<output.count)) }
        while output.count - start < limit {
            // A step that runs out of input is undone and taken again with more.
            let before = input
            guard try step(&output, start) else {
                input = before
                return false
            }
            if case .done = state {
                guard input.isAtEnd else { throw UnpackError("bytes follow the end of the compressed data") }
                return true
            }
        }
        return false
    }

    /// - Returns: false if there is too little input.
    private mutating func step(_ output: inout [UInt8], _ start: Int) throws(UnpackError) -> Bool {
        switch state {
        case .header:
            guard try readHeader() else { return false }
            state = .block
        case .block: return try readBlockHeader()
        case .stored(let remaining):
            guard remaining > 0 else {
                state = isLastBlock ? .trailer : .block
                return true
            }
            guard let byte = input.take(8) else { return false }
            write(UInt8(byte), &output)
            state = .stored(remaining: remaining - 1)
        case .codes: return try readSymbols(&output)
        case .trailer:
            input.alignToByte()
            guard let stored = input.take(32), let length = input.take(32) else { return false }
            var total = sum
            total.update(output.span.extracting(start..<output.count))
            guard stored == total.value, length == UInt32(truncatingIfNeeded: written) else {
                throw UnpackError("the checksum of the compressed data is wrong")
            }
            state = .done
        case .done: break
        }
        return true
    }

    private mutating func readHeader() throws(UnpackError) -> Bool {
        guard let magic = input.take(16), let method = input.take(8), let flags = input.take(8),
            input.take(32) != nil, input.take(16) != nil
        else { return false }
        guard magic == 0x8B1F, method == 8, flags & 0xE0 == 0 else {
            throw UnpackError("expected the header of gzip data")
        }
        if flags & 4 != 0 {
            guard let count = input.take(16) else { return false }
            for _ in 0..<count { guard input.take(8) != nil else { return false } }
        }
        // Name and comment end with a zero.
        for flag in [UInt32(8), 16] where flags & flag != 0 {
            repeat { guard let byte = input.take(8) else { return false }; if byte == 0 { break } } while true
        }
        return flags & 2 == 0 || input.take(16) != nil
    }

    private mutating func readBlockHeader() throws(UnpackError) -> Bool {
        guard let last = input.take(1), let kind = input.take(2) else { return false }
        switch kind {
        case 0:
            input.alignToByte()
            guard let length = input.take(16), let complement = input.take(16) else { return false }
            guard length ^ complement == 0xFFFF else { throw UnpackError("a stored block's length is damaged") }
            state = .stored(remaining: Int(length))
        case 1:
            literals = .fixedLiterals
            distances = .fixedDistances
            state = .codes
        case 2:
            guard try readCodes() else { return false }
            state = .codes
        default: throw UnpackError("a block of unknown kind")
        }
        isLastBlock = last == 1
        return true
    }

    private static let lengthOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]

    private mutating func readCodes() throws(UnpackError) -> Bool {
        guard let literalCount = input.take(5), let distanceCount = input.take(5), let lengthCount = input.take(4)
        else {
            return false
        }
        var lengthLengths = [UInt8](repeating: 0, count: 19)
        for index in Self.lengthOrder[..<Int(lengthCount + 4)] {
            guard let length = input.take(3) else { return false }
            lengthLengths[index] = UInt8(length)
        }
        let code = try HuffmanCode(lengthLengths)
        let total = Int(literalCount + 257 + distanceCount + 1)
        var lengths: [UInt8] = []
        while lengths.count < total {
            guard let symbol = try code.next(&input) else { return false }
            switch symbol {
            case 0..<16: lengths.append(UInt8(symbol))
            case 16:
                guard let last = lengths.last else { throw UnpackError("a code begins with a repetition") }
                guard let more = input.take(2) else { return false }
                for _ in 0..<(more + 3) { lengths.append(last) }
            case 17:
                guard let more = input.take(3) else { return false }
                for _ in 0..<(more + 3) { lengths.append(0) }
            default:
                guard let more = input.take(7) else { return false }
                for _ in 0..<(more + 11) { lengths.append(0) }
            }
        }
        guard lengths.count == total else { throw UnpackError("a code is longer than announced") }
        literals = try HuffmanCode(Array(lengths[..<Int(literalCount + 257)]))
        distances = try HuffmanCode(Array(lengths[Int(literalCount + 257)...]))
        return true
    }

    private static let lengthBase: [UInt32] = [
        3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227,
        258,
    ]
    private static let lengthExtra: [Int] = [
        0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
    ]
    private static let distanceBase: [UInt32] = [
        1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097,
        6145,
        8193, 12289, 16385, 24577,
    ]

    /// One literal or one match.
    private mutating func readSymbols(_ output: inout [UInt8]) throws(UnpackError) -> Bool {
        guard let symbol = try literals.next(&input) else { return false }
        if symbol < 256 {
            write(UInt8(symbol), &output)
            return true
        }
        if symbol == 256 {
            state = isLastBlock ? .trailer : .block
            return true
        }
        guard symbol - 257 < Self.lengthBase.count else { throw UnpackError("a length that does not exist") }
        guard let lengthBits = input.take(Self.lengthExtra[symbol - 257]) else { return false }
        guard let code = try distances.next(&input) else { return false }
        guard code < Self.distanceBase.count else { throw UnpackError("a distance that does not exist") }
        guard let distanceBits = input.take(max(0, code / 2 - 1)) else { return false }
        let distance = Self.distanceBase[code] + distanceBits
        guard Int(distance) <= written else {
            throw UnpackError("a repetition of what was never there")
        }
        for _ in 0..<(Self.lengthBase[symbol - 257] + lengthBits) {
            write(window[(windowPosition - Int(distance)) & (window.count - 1)], &output)
        }
        return true
    }

    private mutating func write(_ byte: UInt8, _ output: inout [UInt8]) {
        output.append(byte)
        window[windowPosition] = byte
        windowPosition = (windowPosition + 1) & (window.count - 1)
        written += 1
    }
}

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
