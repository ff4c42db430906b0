public import ConclaveCore

/// A number that grows from grant to grant: give it to whatever a hold protects, so that late writes can be refused.
///
/// It is the zxid of the transaction that created the holder's node, as an unsigned 64-bit number: unique in an
/// ensemble, never reused, and greater than the token of every earlier grant of the same lock or election (S2). A
/// reader's token is below that of every later writer. Tokens of different ensembles, or of one whose data was wiped,
/// do not compare.
public struct FencingToken: RawRepresentable, Hashable, Sendable {
    /// The number; 8 bytes where it is stored.
    public let rawValue: UInt64

    /// Takes the number, as a resource received it.
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// The token of a node created by this transaction.
    public init(_ zxid: Zxid) { rawValue = UInt64(bitPattern: zxid.rawValue) }
}

extension FencingToken: Comparable {
    /// Orders by the number: the smaller token is the older grant.
    public static func < (left: FencingToken, right: FencingToken) -> Bool { left.rawValue < right.rawValue }
}

extension FencingToken: LosslessStringConvertible {
    /// Reads what ``description`` writes: a decimal number.
    public init?(_ description: String) {
        guard let rawValue = UInt64(description) else { return nil }
        self.rawValue = rawValue
    }

    /// The number in decimal, the form to put into a header, a column or an environment variable.
    public var description: String { String(rawValue) }
}

extension FencingToken: Codable {
    /// Reads the bare number.
    public init(from decoder: any Decoder) throws {
        rawValue = try decoder.singleValueContainer().decode(UInt64.self)
    }

    /// Writes the bare number.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(rawValue)
    }
}
