import ConclaveCore

/// A request that is a path and a yes or no (exists, getData, getChildren), read in place.
@usableFromInline
package struct PathAndFlag: Equatable, Sendable {
    /// Where the path lies within the reader's bytes. It need not be valid.
    @usableFromInline package let path: Range<Int>
    /// Whether a watch is asked for.
    @usableFromInline package let flag: Bool

    @inlinable
    package init(path: Range<Int>, flag: Bool) {
        self.path = path
        self.flag = flag
    }

    /// A null path throws `.null`.
    @inlinable
    package init(from reader: inout ByteReader) throws(DecodingError) {
        path = try reader.readPathRange()
        flag = try reader.readBool()
    }
}
