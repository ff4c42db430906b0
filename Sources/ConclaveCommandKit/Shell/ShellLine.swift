/// The words of a line as the shell of the reference divides it: at blanks; a word that begins with a quotation mark goes to
/// the next one of its kind and may hold blanks. Marks within a word and backslashes stand for themselves, so that JSON can
/// be written as it is.
package enum ShellLine {
    /// A mark that opens a word is not closed.
    package struct OpenQuotation: Error, Equatable, Sendable {
        package let mark: Character

        package init(mark: Character) { self.mark = mark }
    }

    /// A word with the place of its source text in the line, counted in characters, quotation marks included.
    package struct Word: Equatable, Sendable {
        package let text: String
        package let range: Range<Int>
        package let isClosed: Bool
    }

    package static func split(_ line: String) throws(OpenQuotation) -> [String] {
        let words = words(of: Array(line))
        if let open = words.first(where: { !$0.isClosed }) {
            throw OpenQuotation(mark: Array(line)[open.range.lowerBound])
        }
        return words.map(\.text)
    }

    /// The words; the last one may be open.
    package static func words(of characters: [Character]) -> [Word] {
        var words: [Word] = []
        var index = 0
        while index < characters.count {
            let start = index
            let first = characters[index]
            if first.isWhitespace {
                index += 1
            } else if first == "\"" || first == "'" {
                let end = characters[(index + 1)...].firstIndex(of: first)
                let text = characters[(index + 1)..<(end ?? characters.count)]
                index = end.map { $0 + 1 } ?? characters.count
                words.append(Word(text: String(text), range: start..<index, isClosed: end != nil))
            } else {
                index = characters[index...].firstIndex { $0.isWhitespace } ?? characters.count
                words.append(Word(text: String(characters[start..<index]), range: start..<index, isClosed: true))
            }
        }
        return words
    }

    /// A word as it must be written to be read back as one. Words with both kinds of marks and blanks cannot be written; they
    /// come back as they are.
    package static func quote(_ word: String) -> String {
        let needsQuotes =
            word.isEmpty || word.contains(where: \.isWhitespace) || word.first == "\"" || word.first == "'"
        guard needsQuotes else { return word }
        if !word.contains("\"") { return "\"\(word)\"" }
        return word.contains("'") ? word : "'\(word)'"
    }
}
