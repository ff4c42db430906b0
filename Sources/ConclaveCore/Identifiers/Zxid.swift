/// The position of a transaction in the total order of an ensemble.
///
/// 64 bits: the leader's epoch in the upper half, a counter that starts anew with each epoch in the lower half. A standalone
/// server has epoch 0. Ordered as a signed number, as the protocol compares it.
public struct Zxid: RawRepresentable, Hashable, Comparable, Sendable {
    /// The number as it travels on the wire, 8 bytes big-endian.
    public let rawValue: Int64

    /// Takes the number as it travels on the wire.
    @inlinable
    public init(rawValue: Int64) { self.rawValue = rawValue }

    /// Joins an epoch and a counter.
    public init(epoch: UInt32, counter: UInt32) {
        rawValue = Int64(bitPattern: UInt64(epoch) << 32 | UInt64(counter))
    }

    /// Before every transaction.
    public static let zero = Zxid(rawValue: 0)

    /// The epoch of the leader that proposed the transaction.
    public var epoch: UInt32 { UInt32(truncatingIfNeeded: rawValue >> 32) }

    /// The place within the epoch.
    public var counter: UInt32 { UInt32(truncatingIfNeeded: rawValue) }

    /// The zxid after this one in the same epoch, or `nil` when the counter is used up.
    ///
    /// The last counter value is never given out, so that a leader steps down before it wraps (ZOOKEEPER-1277).
    package var successor: Zxid? {
        counter >= UInt32.max - 1 ? nil : Zxid(rawValue: rawValue + 1)
    }

    /// Compares as the protocol does, as signed numbers.
    @inlinable
    public static func < (left: Zxid, right: Zxid) -> Bool { left.rawValue < right.rawValue }
}

extension Zxid: CustomStringConvertible {
    /// Hexadecimal with `0x`, as the reference prints it.
    public var description: String { "0x" + String(UInt64(bitPattern: rawValue), radix: 16) }
}
