/// A cursor over received bytes: big-endian, bounded, without copying.
///
/// Reading past the end or meeting a length that cannot be right throws and never allocates: strings, buffers and vectors are
/// checked against the bytes that are really there before anything is reserved for them.
@usableFromInline
package struct ByteReader: Sendable {
    @usableFromInline package let bytes: [UInt8]
    /// The next byte to read.
    @usableFromInline package private(set) var offset: Int
    /// One past the last byte that may be read.
    @usableFromInline package let end: Int

    @inlinable
    package init(_ bytes: [UInt8]) {
        self.init(bytes, in: 0..<bytes.count)
    }

    /// Reads a part of `bytes`; the range must lie within it.
    @inlinable
    package init(_ bytes: [UInt8], in range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "range \(range) of \(bytes.count) bytes")
        self.bytes = bytes
        offset = range.lowerBound
        end = range.upperBound
    }

    @inlinable
    package var remaining: Int { end - offset }

    @inlinable
    package var isAtEnd: Bool { offset == end }

    @inlinable
    package mutating func readByte() throws(DecodingError) -> UInt8 {
        guard remaining >= 1 else { throw .cut }
        defer { offset += 1 }
        return bytes[offset]
    }

    /// 0 is false, anything else true.
    @inlinable
    package mutating func readBool() throws(DecodingError) -> Bool { try readByte() != 0 }

    @inlinable
    package mutating func readInt32() throws(DecodingError) -> Int32 {
        guard remaining >= 4 else { throw .cut }
        defer { offset += 4 }
        // Safe: the guard above and the initialiser's check keep the four bytes inside the array.
        return Int32(bigEndian: unsafe bytes.span.bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: Int32.self))
    }

    @inlinable
    package mutating func readInt64() throws(DecodingError) -> Int64 {
        guard remaining >= 8 else { throw .cut }
        defer { offset += 8 }
        // Safe for the same reason as above.
        return Int64(bigEndian: unsafe bytes.span.bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: Int64.self))
    }

    @inlinable
    package mutating func skip(_ count: Int) throws(DecodingError) {
        guard count >= 0, remaining >= count else { throw .cut }
        offset += count
    }

    /// Where a buffer or string lies within `bytes`; `nil` for null (length -1).
    @inlinable
    package mutating func readRange() throws(DecodingError) -> Range<Int>? {
        let length = try readInt32()
        guard length >= 0 else {
            guard length == -1 else { throw .badLength(length) }
            return nil
        }
        guard Int(length) <= remaining else { throw .badLength(length) }
        let range = offset..<(offset + Int(length))
        offset = range.upperBound
        return range
    }

    /// A copy of a buffer; `nil` for null.
    @inlinable
    package mutating func readBuffer() throws(DecodingError) -> [UInt8]? {
        guard let range = try readRange() else { return nil }
        return Array(bytes[range])
    }

    /// A string; `nil` for null; bytes that are not UTF-8 throw.
    package mutating func readString() throws(DecodingError) -> String? {
        guard let range = try readRange() else { return nil }
        // The standard library's check is generic, and takes ten times as long as the text; ASCII needs none.
        if isASCII(range) { return String(decoding: bytes[range], as: UTF8.self) }
        guard let text = String(validating: bytes[range], as: UTF8.self) else { throw .notUTF8 }
        return text
    }

    private func isASCII(_ range: Range<Int>) -> Bool {
        var all: UInt8 = 0
        for index in range { all |= bytes[index] }
        return all < 0x80
    }

    /// The number of elements of a vector; null counts as none.
    ///
    /// - Parameter minimumElementBytes: what one element takes at the least, so that a count that cannot fit is refused
    ///   before anything is allocated.
    @inlinable
    package mutating func readCount(minimumElementBytes: Int) throws(DecodingError) -> Int {
        let count = try readInt32()
        guard count >= 0 else {
            guard count == -1 else { throw .badLength(count) }
            return 0
        }
        guard Int(count) * minimumElementBytes <= remaining else { throw .badLength(count) }
        return Int(count)
    }
}

/// Why bytes could not be decoded.
@usableFromInline
package enum DecodingError: Error, Equatable, Sendable {
    /// The bytes end in the middle of a value.
    case cut
    /// A length or count is negative or larger than what is there.
    case badLength(Int32)
    case notUTF8
    /// A value that must be there is null.
    case null(String)
    /// A value is not one that the field may have.
    case invalid(String)
}
