import ConclaveCore

extension ByteReader {
    /// Where a path lies within the reader's bytes; null throws.
    @inlinable
    package mutating func readPathRange() throws(DecodingError) -> Range<Int> {
        guard let range = try readRange() else { throw .null("path") }
        return range
    }

    /// A path; null throws. Whether it is valid is not looked at.
    package mutating func readPath() throws(DecodingError) -> NodePath {
        let range = try readPathRange()
        return NodePath(utf8: Array(bytes[range]))
    }

    /// A string that must be there.
    package mutating func readText(_ field: String) throws(DecodingError) -> String {
        guard let text = try readString() else { throw .null(field) }
        return text
    }

    /// A string that must be there; what is not UTF-8 in it becomes U+FFFD.
    package mutating func readRepairedText(_ field: String) throws(DecodingError) -> String {
        guard let range = try readRange() else { throw .null(field) }
        return String(decoding: bytes[range], as: UTF8.self)
    }

    /// A vector of paths; a null vector counts as empty, a null path throws.
    package mutating func readPaths() throws(DecodingError) -> [NodePath] {
        let count = try readCount(minimumElementBytes: 4)
        var paths: [NodePath] = []
        paths.reserveCapacity(count)
        for _ in 0..<count { paths.append(try readPath()) }
        return paths
    }

    /// A vector of strings; a null vector counts as empty, a null string throws.
    package mutating func readNames() throws(DecodingError) -> [String] {
        let count = try readCount(minimumElementBytes: 4)
        var names: [String] = []
        names.reserveCapacity(count)
        for _ in 0..<count { names.append(try readText("name")) }
        return names
    }

    /// A vector of who somebody is; a null vector counts as empty.
    package mutating func readIdentities() throws(DecodingError) -> [Identity] {
        let count = try readCount(minimumElementBytes: 8)
        var identities: [Identity] = []
        identities.reserveCapacity(count)
        for _ in 0..<count { identities.append(try readIdentity(.strict)) }
        return identities
    }
}

extension ByteWriter {
    package mutating func writePaths(_ paths: [NodePath]) {
        writeInt32(Int32(paths.count))
        for path in paths { writePath(path) }
    }

    package mutating func writeNames(_ names: [String]) {
        writeInt32(Int32(names.count))
        for name in names { writeString(name) }
    }

    /// A string; null as -1.
    package mutating func writeOptionalString(_ text: String?) {
        guard let text else { return writeInt32(-1) }
        writeString(text)
    }

    package mutating func writeIdentities(_ identities: [Identity]) {
        writeInt32(Int32(identities.count))
        for identity in identities { writeIdentity(identity) }
    }

    /// The length and bytes of a part of another buffer.
    @inlinable
    package mutating func writeBuffer(_ value: Span<UInt8>) {
        writeInt32(Int32(value.count))
        writeSpan(value)
    }

    /// Bytes without a length.
    @inlinable
    package mutating func writeSpan(_ value: Span<UInt8>) {
        // Safe: the pointer does not leave the closure.
        unsafe value.withUnsafeBufferPointer { unsafe bytes.append(contentsOf: $0) }
    }
}
