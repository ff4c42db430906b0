/// The entries of a file in Java's properties syntax, in the order in which they stand, with their line numbers.
///
/// ```
/// # comment                 ! comment
/// key=value                 key: value                 key value
/// long = first part, \
///        second part        (the blanks before "second" go)
/// escaped\ key = tab \t, newline \n, character \u00e9, anything else \x is x
/// ```
///
/// Keys and values are trimmed as the reference does. Files are read as UTF-8; bytes that are not UTF-8 make the whole
/// file ISO 8859-1, which is what Java always assumes.
package struct Properties: Equatable, Sendable {
    package struct Entry: Equatable, Sendable {
        package let key: String
        package let value: String
        /// The line on which the entry begins, counted from 1.
        package let line: Int
        /// The line on which it ends, another one only if it was continued.
        package let lastLine: Int

        init(key: String, value: String, line: Int, lastLine: Int? = nil) {
            self.key = key
            self.value = value
            self.line = line
            self.lastLine = lastLine ?? line
        }
    }

    /// What is wrong, and where.
    package struct SyntaxError: Error, Equatable, Sendable {
        package let line: Int
        package let message: String
    }

    package private(set) var entries: [Entry] = []

    package init(bytes: [UInt8]) throws(SyntaxError) {
        if let text = String(validating: bytes, as: UTF8.self) {
            try self.init(text: text)
        } else {
            try self.init(text: String(String.UnicodeScalarView(bytes.lazy.map { Unicode.Scalar($0) })))
        }
    }

    package init(text: String) throws(SyntaxError) {
        for line in Self.logicalLines(of: text) {
            let entry = try Self.split(line)
            entries.append(entry)
        }
    }

    /// A line with its continuations joined; escapes are still in it.
    private struct LogicalLine {
        var scalars: [Unicode.Scalar]
        let number: Int
        var lastNumber: Int
    }

    private static func logicalLines(of text: String) -> [LogicalLine] {
        var lines: [LogicalLine] = []
        var open: LogicalLine?
        for (number, natural) in naturalLines(of: text).enumerated() {
            var content = natural.drop(while: isBlank)
            if open == nil {
                guard let first = content.first, first != "#", first != "!" else { continue }
            }
            let continues = endsInOpenBackslash(content)
            if continues { content = content.dropLast() }
            var line = open ?? LogicalLine(scalars: [], number: number + 1, lastNumber: number + 1)
            line.lastNumber = number + 1
            line.scalars.append(contentsOf: content)
            open = continues ? line : nil
            if !continues { lines.append(line) }
        }
        if let open { lines.append(open) }
        return lines.filter { !$0.scalars.isEmpty }
    }

    private static func naturalLines(of text: String) -> [ArraySlice<Unicode.Scalar>] {
        var scalars = Array(text.unicodeScalars)
        // A byte order mark is not part of the first key.
        if scalars.first == "\u{FEFF}" { scalars.removeFirst() }
        var lines: [ArraySlice<Unicode.Scalar>] = []
        var start = 0
        var index = 0
        while index < scalars.count {
            if scalars[index] == "\n" || scalars[index] == "\r" {
                lines.append(scalars[start..<index])
                if scalars[index] == "\r", index + 1 < scalars.count, scalars[index + 1] == "\n" { index += 1 }
                start = index + 1
            }
            index += 1
        }
        lines.append(scalars[start...])
        return lines
    }

    private static func isBlank(_ scalar: Unicode.Scalar) -> Bool {
        scalar == " " || scalar == "\t" || scalar == "\u{0C}"
    }

    /// An even number of backslashes at the end is that many escaped ones, and the line ends here.
    private static func endsInOpenBackslash(_ line: ArraySlice<Unicode.Scalar>) -> Bool {
        line.reversed().prefix { $0 == "\\" }.count % 2 == 1
    }

    private static func split(_ line: LogicalLine) throws(SyntaxError) -> Entry {
        let scalars = line.scalars
        var end = 0
        while end < scalars.count, !isBlank(scalars[end]), scalars[end] != "=", scalars[end] != ":" {
            end += scalars[end] == "\\" ? 2 : 1
        }
        end = min(end, scalars.count)
        var start = end
        while start < scalars.count, isBlank(scalars[start]) { start += 1 }
        if start < scalars.count, scalars[start] == "=" || scalars[start] == ":" {
            start += 1
            while start < scalars.count, isBlank(scalars[start]) { start += 1 }
        }
        let key = try unescape(scalars[..<end], line: line.number)
        let value = try unescape(scalars[start...], line: line.number)
        return Entry(key: trim(key), value: trim(value), line: line.number, lastLine: line.lastNumber)
    }

    private static func unescape(
        _ scalars: ArraySlice<Unicode.Scalar>, line: Int
    ) throws(SyntaxError) -> [Unicode.Scalar] {
        var result: [Unicode.Scalar] = []
        result.reserveCapacity(scalars.count)
        var rest = scalars
        while let scalar = rest.popFirst() {
            guard scalar == "\\" else {
                result.append(scalar)
                continue
            }
            guard let escaped = rest.popFirst() else { break }
            switch escaped {
            case "t": result.append("\t")
            case "n": result.append("\n")
            case "r": result.append("\r")
            case "f": result.append("\u{0C}")
            case "u": result.append(try unicodeEscape(&rest, line: line))
            default: result.append(escaped)
            }
        }
        return result
    }

    /// Four hexadecimal digits; two escapes in a row may form a surrogate pair.
    private static func unicodeEscape(
        _ rest: inout ArraySlice<Unicode.Scalar>, line: Int
    ) throws(SyntaxError) -> Unicode.Scalar {
        let malformed = SyntaxError(
            line: line, message: "\\u must be followed by four hexadecimal digits of a character")
        guard let high = codeUnit(&rest) else { throw malformed }
        if let scalar = Unicode.Scalar(high) { return scalar }
        guard high & 0xFC00 == 0xD800, rest.starts(with: ["\\", "u"]) else { throw malformed }
        rest.removeFirst(2)
        guard let low = codeUnit(&rest), low & 0xFC00 == 0xDC00,
            let scalar = Unicode.Scalar(0x10000 + (high & 0x3FF) << 10 + (low & 0x3FF))
        else { throw malformed }
        return scalar
    }

    private static func codeUnit(_ rest: inout ArraySlice<Unicode.Scalar>) -> UInt32? {
        let digits = rest.prefix(4)
        guard digits.count == 4, digits.allSatisfy({ $0.properties.isASCIIHexDigit }) else { return nil }
        rest.removeFirst(4)
        return UInt32(String(String.UnicodeScalarView(digits)), radix: 16)
    }

    /// Removes everything up to and including the space character at both ends, as Java's `trim` does.
    private static func trim(_ scalars: [Unicode.Scalar]) -> String {
        let head = scalars.drop { $0.value <= 0x20 }
        let count = head.count - head.reversed().prefix { $0.value <= 0x20 }.count
        return String(String.UnicodeScalarView(head.prefix(count)))
    }
}
