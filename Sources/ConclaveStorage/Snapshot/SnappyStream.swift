import ConclaveCore

/// Unpacks the stream of Java's snappy library, block by block.
///
/// ```
/// 82 'S' 'N' 'A' 'P' 'P' 'Y' 00 | int version | int compatible version | chunks: int length | raw snappy block
/// ```
///
/// Source: format_description.txt of snappy for the blocks.
struct SnappyStream {
    static let magic: [UInt8] = [0x82, 0x53, 0x4E, 0x41, 0x50, 0x50, 0x59, 0]
    private static let headerBytes = 16
    /// The reference writes blocks of 32 KiB.
    private static let blockLimit = 1 << 20

    private var hasHeader = false

    /// Unpacks the whole blocks that are there.
    /// - Returns: whether the stream may end here.
    mutating func unpack(_ packed: inout [UInt8], into output: inout [UInt8]) throws(UnpackError) -> Bool {
        var position = 0
        defer { packed.removeSubrange(..<position) }
        if !hasHeader {
            guard packed.count >= Self.headerBytes else { return false }
            guard Array(packed[..<8]) == Self.magic else { throw UnpackError("expected the header of a snappy stream") }
            // The bytes are there, here and below, so reading them cannot fail.
            var reader = ByteReader(packed, in: 8..<16)
            guard let version = try? reader.readInt32(), let compatible = try? reader.readInt32(), version >= 1,
                compatible <= 1
            else { throw UnpackError("a snappy stream of unknown version") }
            hasHeader = true
            position = Self.headerBytes
        }
        while packed.count - position >= 4 {
            var reader = ByteReader(packed, in: position..<(position + 4))
            guard let length = try? reader.readInt32(), length > 0, length <= Self.blockLimit else {
                throw UnpackError("a snappy block of an impossible length")
            }
            guard packed.count - position - 4 >= Int(length) else { return false }
            let block = (position + 4)..<(position + 4 + Int(length))
            try Self.unpack(block: packed.span.extracting(block), into: &output)
            position = block.upperBound
        }
        return position == packed.count
    }

    /// Unpacks one raw block.
    private static func unpack(block: Span<UInt8>, into output: inout [UInt8]) throws(UnpackError) {
        let damaged = UnpackError("a snappy block is damaged")
        var position = 0
        func byte() throws(UnpackError) -> Int {
            guard position < block.count else { throw damaged }
            defer { position += 1 }
            return Int(block[position])
        }
        /// Little-endian.
        func number(_ bytes: Int) throws(UnpackError) -> Int {
            var value = 0
            for index in 0..<bytes { value |= try byte() << (8 * index) }
            return value
        }
        var total = 0
        var shift = 0
        while true {
            let next = try byte()
            total |= (next & 0x7F) << shift
            shift += 7
            if next < 0x80 { break }
            guard shift <= 28 else { throw damaged }
        }
        guard total <= 4 * blockLimit else { throw damaged }
        let start = output.count
        while position < block.count {
            let tag = try byte()
            var length = tag >> 2
            if tag & 3 == 0 {
                if length >= 60 { length = try number(length - 59) }
                length += 1
                guard block.count - position >= length, output.count - start + length <= total else { throw damaged }
                for index in position..<(position + length) { output.append(block[index]) }
                position += length
                continue
            }
            let offset: Int
            switch tag & 3 {
            case 1:
                offset = (tag >> 5) << 8 | (try byte())
                length = (length & 7) + 4
            case 2:
                offset = try number(2)
                length += 1
            default:
                offset = try number(4)
                length += 1
            }
            guard offset > 0, offset <= output.count - start, output.count - start + length <= total else {
                throw damaged
            }
            for _ in 0..<length { output.append(output[output.count - offset]) }
        }
        guard output.count - start == total else { throw damaged }
    }
}
