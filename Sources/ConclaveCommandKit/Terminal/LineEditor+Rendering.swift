extension LineEditor {
    /// What stands before the line, with its width in columns (escape sequences take none).
    package struct Prompt: Equatable, Sendable {
        package let text: String
        package let columns: Int

        package init(_ text: String, columns: Int? = nil) {
            self.text = text
            self.columns = columns ?? TextWidth.columns(text)
        }
    }

    /// The characters that draw the line on the row of the cursor and put the cursor where it belongs.
    ///
    /// A line that is too long for the row is shown in part, around the cursor.
    package func drawing(prompt: Prompt, width: Int) -> String {
        let room = max(8, width - prompt.columns - 1)
        let (visible, column) = window(room: room)
        var text = "\r" + prompt.text + visible + "\u{1B}[K\r"
        let target = prompt.columns + column
        if target > 0 { text += "\u{1B}[\(target)C" }
        return text
    }

    /// The part of the line that fits, and the column of the cursor within it.
    private func window(room: Int) -> (text: String, column: Int) {
        let widths = characters.map(TextWidth.columns)
        var start = cursor
        var before = 0
        // A third of the room stays free behind the cursor where text follows.
        let reserve = widths[cursor...].reduce(0, +) > room / 3 ? room / 3 : widths[cursor...].reduce(0, +)
        while start > 0, before + widths[start - 1] <= room - reserve {
            start -= 1
            before += widths[start]
        }
        var end = cursor
        var total = before
        while end < characters.count, total + widths[end] <= room {
            total += widths[end]
            end += 1
        }
        return (String(characters[start..<end]), before)
    }
}
