import ConclaveCore

/// The name of a node that is an item of a queue, taken apart.
///
/// ```
/// qn-0000000042                    ours and Apache ZooKeeper's
/// queue-0000000043                 Curator's
/// queue-1000000070000000044        Curator's with priority 7: sign, eight hexadecimal digits, number
/// queue-|18C5A4B2C00|0000000045    Curator's, due at a moment in milliseconds since 1970
/// entry-100-0000000046             kazoo's with priority 100
/// ```
///
/// All numbers come from the one counter of the parent, so they order items across layouts.
package struct QueueItemName: Hashable, Sendable {
    /// The whole name, without the path.
    package let text: String
    /// What orders before the number does: the priority or the moment; 0 in queues that know neither.
    package let rank: Int64
    package let sequence: Int32

    /// Reads a child's name; `nil` if it is not that of an item.
    package init?(_ text: String, ordering: QueueOrdering) {
        let bytes = Array(text.utf8)
        guard bytes.count > 10, let sequence = Self.number(bytes.suffix(10)) else { return nil }
        let prefix = bytes.dropLast(10)
        guard let place = Self.place(prefix) else { return nil }
        self.text = text
        self.sequence = sequence
        rank =
            switch (ordering, place) {
            case (.priority, .priority(let priority)): Int64(priority)
            case (.due, .due(let milliseconds)): milliseconds
            case (.arrival, _), (.priority, _), (.due, _): 0
            }
    }

    /// The last number up to which items are put: a million below the end of the parent's counter.
    package static var lastSequence: Int32 { ContenderName.lastSequence }

    private static func place(_ prefix: ArraySlice<UInt8>) -> ItemPlace? {
        if prefix.elementsEqual("qn-".utf8) { return .atTheEnd }
        if prefix.starts(with: "entry-".utf8) {
            let digits = prefix.dropFirst(6)
            guard digits.count == 4, digits.last == UInt8(ascii: "-"), let priority = number(digits.dropLast()) else {
                return nil
            }
            return .priority(priority)
        }
        guard prefix.starts(with: "queue-".utf8) else { return nil }
        let rest = prefix.dropFirst(6)
        if rest.isEmpty { return .atTheEnd }
        if rest.count >= 10, rest.first == bar, rest.last == bar, let moment = hex(rest.dropFirst().dropLast()) {
            return Int64(exactly: moment).map { .due(milliseconds: $0) }
        }
        guard rest.count == 9, let sign = rest.first, let value = hex(rest.dropFirst()) else { return nil }
        let priority = Int32(truncatingIfNeeded: value)
        guard sign == (priority < 0 ? UInt8(ascii: "0") : UInt8(ascii: "1")) else { return nil }
        return .priority(priority)
    }

    private static var bar: UInt8 { UInt8(ascii: "|") }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int32? {
        var value: Int64 = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            value = value * 10 + Int64(digit - UInt8(ascii: "0"))
        }
        return Int32(exactly: value)
    }

    private static func hex(_ digits: ArraySlice<UInt8>) -> UInt64? {
        guard digits.count <= 16 else { return nil }
        return digits.reduce(into: UInt64?(0)) { value, digit in
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                value = value.map { $0 << 4 | UInt64(digit - UInt8(ascii: "0")) }
            case UInt8(ascii: "A")...UInt8(ascii: "F"):
                value = value.map { $0 << 4 | UInt64(digit - UInt8(ascii: "A") + 10) }
            default: value = nil
            }
        }
    }
}

extension QueueItemName: Comparable {
    /// Orders by rank, then by number; equal numbers (possible only for nodes made without the counter) by name.
    package static func < (left: QueueItemName, right: QueueItemName) -> Bool {
        if left.rank != right.rank { return left.rank < right.rank }
        return left.sequence != right.sequence ? left.sequence < right.sequence : left.text < right.text
    }
}
