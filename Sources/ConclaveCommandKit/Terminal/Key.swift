/// A key that was pressed, or text that arrived.
package enum Key: Equatable, Sendable {
    /// Printable text; usually one character.
    case text(String)
    case enter, tab, backspace, delete
    case left, right, up, down, home, end
    case wordLeft, wordRight, deleteWordRight, deleteWordLeft
    /// A letter with the control key, in lower case.
    case control(Character)
    /// A sequence that is not understood.
    case unknown
}

/// Turns the bytes of a terminal into keys: UTF-8, control characters and the escape sequences of common terminals.
///
/// ```
/// ESC [ A … D, H, F        arrows, home, end          ESC O A …      the same in application mode
/// ESC [ 1 ~ 3 ~ 4 ~ 7 ~ 8 ~  home, delete, end        ESC [ 1 ; 5 C  with the control key
/// ESC b, f, d, DEL         words, by Alt
/// ```
package struct KeyDecoder: Sendable {
    private var pending: [UInt8] = []
    /// A longer sequence is no key; it is dropped.
    private static let sequenceLimit = 32

    package init() {}

    package mutating func decode(_ bytes: some Sequence<UInt8>) -> [Key] {
        pending.append(contentsOf: bytes)
        var keys: [Key] = []
        var index = 0
        while index < pending.count, let (key, count) = next(at: index) {
            index += count
            if case .text(let new) = key, case .text(let old)? = keys.last {
                keys[keys.count - 1] = .text(old + new)
            } else {
                keys.append(key)
            }
        }
        pending.removeFirst(index)
        return keys
    }

    /// The key that begins at an index and its length, or `nil` if more bytes are needed.
    private func next(at index: Int) -> (Key, Int)? {
        let byte = pending[index]
        switch byte {
        case 0x1B: return escape(at: index)
        case 0x0D, 0x0A: return (.enter, 1)
        case 0x09: return (.tab, 1)
        case 0x7F, 0x08: return (.backspace, 1)
        case 0x00: return (.unknown, 1)
        case 0x01...0x1A: return (.control(Character(Unicode.Scalar(byte + 0x60))), 1)
        case 0x1C...0x1F: return (.unknown, 1)
        case 0x20..<0x7F: return (.text(String(Unicode.Scalar(byte))), 1)
        default: return scalar(at: index)
        }
    }

    private func scalar(at index: Int) -> (Key, Int)? {
        let length =
            switch pending[index] {
            case 0xC2...0xDF: 2
            case 0xE0...0xEF: 3
            case 0xF0...0xF4: 4
            default: 1
            }
        guard length > 1 else { return (.unknown, 1) }
        let end = min(index + length, pending.count)
        if let stray = pending[(index + 1)..<end].firstIndex(where: { $0 & 0xC0 != 0x80 }) {
            return (.unknown, stray - index)
        }
        guard end == index + length else { return nil }
        guard let text = String(validating: pending[index..<end], as: UTF8.self) else { return (.unknown, length) }
        return (.text(text), length)
    }

    private func escape(at index: Int) -> (Key, Int)? {
        guard index + 1 < pending.count else { return nil }
        switch pending[index + 1] {
        case UInt8(ascii: "["): return controlSequence(at: index)
        case UInt8(ascii: "O"):
            guard index + 2 < pending.count else { return nil }
            return (Self.letter(pending[index + 2], modified: false), 3)
        case UInt8(ascii: "b"): return (.wordLeft, 2)
        case UInt8(ascii: "f"): return (.wordRight, 2)
        case UInt8(ascii: "d"): return (.deleteWordRight, 2)
        case 0x7F, 0x08: return (.deleteWordLeft, 2)
        // A lone escape before another sequence.
        case 0x1B: return (.unknown, 1)
        default: return (.unknown, 2)
        }
    }

    private func controlSequence(at index: Int) -> (Key, Int)? {
        var end = index + 2
        while end < pending.count, !(0x40...0x7E).contains(pending[end]) {
            guard end - index < Self.sequenceLimit else { return (.unknown, end - index) }
            end += 1
        }
        guard end < pending.count else { return nil }
        let parameters = pending[(index + 2)..<end].split(
            separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)
        let length = end - index + 1
        let modified = parameters.count > 1 && parameters[1] != [UInt8(ascii: "1")]
        guard pending[end] == UInt8(ascii: "~") else { return (Self.letter(pending[end], modified: modified), length) }
        switch parameters.first.map({ String(decoding: $0, as: UTF8.self) }) {
        case "1", "7": return (.home, length)
        case "4", "8": return (.end, length)
        case "3": return (modified ? .deleteWordRight : .delete, length)
        default: return (.unknown, length)
        }
    }

    private static func letter(_ byte: UInt8, modified: Bool) -> Key {
        switch byte {
        case UInt8(ascii: "A"): .up
        case UInt8(ascii: "B"): .down
        case UInt8(ascii: "C"): modified ? .wordRight : .right
        case UInt8(ascii: "D"): modified ? .wordLeft : .left
        case UInt8(ascii: "H"): .home
        case UInt8(ascii: "F"): .end
        default: .unknown
        }
    }
}
