/// The identity of a client's session, given out by the server that created it.
///
/// An opaque 64-bit value: ids with the top bit set are ordinary sessions (servers with an id above 127 make them).
public struct SessionID: RawRepresentable, Hashable, Sendable {
    /// The number as it travels on the wire; 0 stands for "no session".
    public let rawValue: Int64

    /// Takes the number as it travels on the wire.
    @inlinable
    public init(rawValue: Int64) { self.rawValue = rawValue }

    /// No session: what a client sends to ask for a new one, and the owner of nodes that are not ephemeral.
    public static let none = SessionID(rawValue: 0)
}

extension SessionID: Comparable {
    /// Orders ids as unsigned numbers, for output that is the same in every run.
    public static func < (left: SessionID, right: SessionID) -> Bool {
        UInt64(bitPattern: left.rawValue) < UInt64(bitPattern: right.rawValue)
    }
}

extension SessionID: CustomStringConvertible {
    /// Hexadecimal with `0x`, as the reference prints it.
    public var description: String { "0x" + String(UInt64(bitPattern: rawValue), radix: 16) }
}
