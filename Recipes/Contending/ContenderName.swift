/// The name of a node that contends for something, taken apart.
///
/// ```
/// _c_1f0e…-lock-0000000042        exclusive, Curator's protected form and ours
/// _c_1f0e…-__READ__0000000043     shared
/// _c_1f0e…-__WRIT__0000000044     exclusive
/// 7ac3…__lock__0000000045         exclusive, kazoo's
/// 7ac3…__rlock__0000000046        shared, kazoo's
/// ```
///
/// Whatever ends in a sequence number contends, whatever stands before the number, so that clients of other libraries
/// with other prefixes are respected. What is not known to be shared is exclusive: the safe side.
package struct ContenderName: Hashable, Sendable {
    /// The whole name, without the path.
    package let text: String
    /// The number that the server appended; negative when the parent's 32-bit counter has overflowed.
    package let sequence: Int32
    /// Whether others that are shared may hold at the same time.
    package let isShared: Bool

    /// Reads a child's name; `nil` if it has no sequence number and so does not contend.
    package init?(_ text: String) {
        var name = text
        // In place: whoever waits judges the whole queue, and an array for every name was most of what that took.
        guard let parts = name.withUTF8(Self.split) else { return nil }
        self.text = text
        sequence = parts.sequence
        isShared = parts.isShared
    }

    /// The last sequence number that an attempt accepts: a million below the end of the parent's counter.
    ///
    /// Beyond the end a newcomer's number would be negative and sort before the holder's.
    package static let lastSequence = Int32.max - 1_000_000

    /// Finds the number: ten digits, or a minus sign and nine or ten digits (the server formats with `%010d`).
    private static func split(_ name: UnsafeBufferPointer<UInt8>) -> (sequence: Int32, isShared: Bool)? {
        var start = name.count
        while start > 0, name.count - start < 10, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(name[start - 1]) {
            start -= 1
        }
        let digits = name.count - start
        guard digits >= 9 else { return nil }
        var magnitude: Int64 = 0
        for digit in name[start...] { magnitude = magnitude * 10 + Int64(digit - UInt8(ascii: "0")) }
        // A minus sign that follows a separator is a sign; one that follows a letter is the separator itself ("lock-").
        // The server pads to ten characters, so ten digits behind a sign never start with a zero.
        if start > 1, name[start - 1] == UInt8(ascii: "-"), isSeparator(name[start - 2]),
            digits == 9 || magnitude >= 1_000_000_000
        {
            guard let value = Int32(exactly: -magnitude) else { return nil }
            return (value, isShared(name[..<(start - 1)]))
        }
        guard digits == 10, let value = Int32(exactly: magnitude) else { return nil }
        return (value, isShared(name[..<start]))
    }

    /// Whether what stands before the number says so.
    private static func isShared(_ prefix: Slice<UnsafeBufferPointer<UInt8>>) -> Bool {
        ends(prefix, "__READ__") || ends(prefix, "__rlock__")
    }

    private static func ends(_ prefix: Slice<UnsafeBufferPointer<UInt8>>, _ mark: StaticString) -> Bool {
        mark.withUTF8Buffer { prefix.count >= $0.count && prefix.suffix($0.count).elementsEqual($0) }
    }

    private static func isSeparator(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") }
}

extension ContenderName: Comparable {
    /// Orders by sequence number; equal numbers (possible only for nodes made without the server's counter) by name.
    package static func < (left: ContenderName, right: ContenderName) -> Bool {
        left.sequence != right.sequence ? left.sequence < right.sequence : left.text < right.text
    }
}
