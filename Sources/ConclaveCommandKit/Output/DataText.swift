import ConclaveCore

/// The data of nodes as text.
package enum DataText {
    /// As UTF-8; bytes that are not become U+FFFD. On a terminal control characters are shown as `^X`, so that data cannot
    /// play tricks on it.
    package static func text(_ data: [UInt8], forTerminal: Bool) -> String {
        let text = String(decoding: data, as: UTF8.self)
        guard forTerminal else { return text }
        var shown = ""
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x09, 0x0A: shown.unicodeScalars.append(scalar)
            case 0..<0x20: shown += "^" + String(UnicodeScalar(UInt8(scalar.value + 0x40)))
            case 0x7F: shown += "^?"
            case 0x80..<0xA0: shown += "\u{FFFD}"
            default: shown.unicodeScalars.append(scalar)
            }
        }
        return shown
    }

    /// Sixteen bytes a line: offset, hexadecimal, printable characters.
    package static func hexDump(_ data: [UInt8]) -> [String] {
        stride(from: 0, to: data.count, by: 16).map { offset in
            let row = data[offset..<min(offset + 16, data.count)]
            let hex = row.map { hexadecimal(Int($0), digits: 2) }.joined(separator: " ")
            let plain = row.map { (0x20..<0x7F).contains($0) ? String(UnicodeScalar($0)) : "." }.joined()
            let gap = String(repeating: " ", count: 47 - hex.count + 2)
            return hexadecimal(offset, digits: 8) + "  " + hex + gap + plain
        }
    }

    private static func hexadecimal(_ number: Int, digits: Int) -> String {
        let text = String(number, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}

extension DataText {
    /// The beginning of data on one line: text where it is printable, hexadecimal where it is not.
    package static func preview(_ data: [UInt8], limit: Int = 120) -> String {
        let head = data.prefix(limit)
        let rest = data.count > limit ? "… (\(data.count) bytes)" : ""
        if let text = String(validating: head, as: UTF8.self), text.unicodeScalars.allSatisfy(isPrintable) {
            return "\"" + text + "\"" + rest
        }
        return "0x" + head.prefix(limit / 2).map { hexadecimal(Int($0), digits: 2) }.joined()
            + (data.count > limit / 2 ? "… (\(data.count) bytes)" : "")
    }

    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value >= 0x20 && !(0x7F..<0xA0).contains(scalar.value)
    }
}
