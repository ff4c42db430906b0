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
