/// The number of a server within its ensemble, the `N` of `server.N` and the content of its `myid` file.
///
/// Any 64-bit number is allowed, negative ones too; session ids carry only its lowest byte.
public struct ServerID: RawRepresentable, Hashable, Sendable {
    /// The number as it travels on the wire, 8 bytes big-endian.
    public let rawValue: Int64

    /// Takes the number as it travels on the wire.
    @inlinable
    public init(rawValue: Int64) { self.rawValue = rawValue }
}

extension ServerID: Comparable {
    /// Orders ids as signed numbers, as elections do.
    @inlinable
    public static func < (left: ServerID, right: ServerID) -> Bool { left.rawValue < right.rawValue }
}

extension ServerID: CustomStringConvertible {
    /// The number in decimal digits.
    public var description: String { String(rawValue) }
}

extension ServerID: ExpressibleByIntegerLiteral {
    /// The number, so that an id can be written as one.
    public init(integerLiteral value: Int64) { self.init(rawValue: value) }
}
