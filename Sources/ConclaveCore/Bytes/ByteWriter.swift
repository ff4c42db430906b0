/// Bytes being written: big-endian, growing at the end.
@usableFromInline
package struct ByteWriter: Sendable {
    @usableFromInline package var bytes: [UInt8]

    @inlinable
    package init() { bytes = [] }

    @inlinable
    package init(capacity: Int) {
        bytes = []
        bytes.reserveCapacity(capacity)
    }

    @inlinable
    package var count: Int { bytes.count }

    @inlinable
    package mutating func writeByte(_ value: UInt8) { bytes.append(value) }

    @inlinable
    package mutating func writeBool(_ value: Bool) { bytes.append(value ? 1 : 0) }

    @inlinable
    package mutating func writeInt32(_ value: Int32) {
        // Safe: the pointer does not leave the closure.
        unsafe Swift.withUnsafeBytes(of: value.bigEndian) { unsafe bytes.append(contentsOf: $0) }
    }

    @inlinable
    package mutating func writeInt64(_ value: Int64) {
        // Safe: the pointer does not leave the closure.
        unsafe Swift.withUnsafeBytes(of: value.bigEndian) { unsafe bytes.append(contentsOf: $0) }
    }

    /// Bytes without a length.
    @inlinable
    package mutating func writeRaw(_ value: some Sequence<UInt8>) { bytes.append(contentsOf: value) }

    /// A length and that many bytes; null as -1.
    @inlinable
    package mutating func writeBuffer(_ value: [UInt8]?) {
        guard let value else { return writeInt32(-1) }
        writeInt32(Int32(value.count))
        bytes.append(contentsOf: value)
    }

    @inlinable
    package mutating func writeBuffer(_ value: ArraySlice<UInt8>) {
        writeInt32(Int32(value.count))
        bytes.append(contentsOf: value)
    }

    @inlinable
    package mutating func writeString(_ value: String) {
        writeInt32(Int32(value.utf8.count))
        bytes.append(contentsOf: value.utf8)
    }

    @inlinable
    package mutating func writePath(_ value: NodePath) { writeBuffer(value.utf8[...]) }

    /// Writes a place holder for a length and returns where it is; see ``closeLength(at:)``.
    @inlinable
    package mutating func openLength() -> Int {
        writeInt32(0)
        return bytes.count
    }

    /// Fills in the length of everything written since ``openLength()`` returned `start`.
    @inlinable
    package mutating func closeLength(at start: Int) {
        let length = UInt32(bytes.count - start)
        bytes[start - 4] = UInt8(truncatingIfNeeded: length >> 24)
        bytes[start - 3] = UInt8(truncatingIfNeeded: length >> 16)
        bytes[start - 2] = UInt8(truncatingIfNeeded: length >> 8)
        bytes[start - 1] = UInt8(truncatingIfNeeded: length)
    }

    /// Drops everything written after `count` bytes.
    @inlinable
    package mutating func truncate(to count: Int) { bytes.removeSubrange(count...) }
}
