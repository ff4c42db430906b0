/// Words beside each other, as `ls` lists files.
package enum Columns {
    /// Fills rows of so many columns, downward first.
    package static func layout(_ words: [String], width: Int) -> [String] {
        guard let longest = words.map({ TextWidth.columns($0) }).max() else { return [] }
        let cell = longest + 2
        let across = max(1, (width + 2) / cell)
        let rows = (words.count + across - 1) / across
        return (0..<rows).map { row in
            var line = ""
            for (place, index) in stride(from: row, to: words.count, by: rows).enumerated() {
                line += String(repeating: " ", count: max(0, place * cell - TextWidth.columns(line))) + words[index]
            }
            return line
        }
    }

    /// A table: every column as wide as its widest cell; numbers are the caller's to align.
    package static func table(_ rows: [[String]], gap: Int = 2) -> [String] {
        var widths: [Int] = []
        for row in rows {
            for (index, cell) in row.enumerated() {
                let width = TextWidth.columns(cell)
                if index < widths.count { widths[index] = max(widths[index], width) } else { widths.append(width) }
            }
        }
        return rows.map { row in
            var line = ""
            var column = 0
            for (index, cell) in row.enumerated() {
                line += String(repeating: " ", count: max(0, column - TextWidth.columns(line))) + cell
                column += widths[index] + gap
            }
            return line
        }
    }
}
