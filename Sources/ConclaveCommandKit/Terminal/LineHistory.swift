/// The lines entered so far, and the place where the user is leafing through them.
package struct LineHistory: Equatable, Sendable {
    package private(set) var lines: [String]
    /// The line shown at the moment; `lines.count` is the new one.
    private var position: Int
    /// What had been typed before the user began to leaf.
    private var draft = ""

    /// How many lines are kept.
    package static let limit = 1000

    package init(_ lines: [String] = []) {
        self.lines = Array(lines.suffix(Self.limit))
        position = self.lines.count
    }

    /// Takes a line that was entered; empty ones and repetitions of the last are left out.
    /// - Returns: whether it was taken.
    @discardableResult
    package mutating func add(_ line: String) -> Bool {
        defer { position = lines.count }
        guard !line.allSatisfy(\.isWhitespace), line != lines.last else { return false }
        lines.append(line)
        if lines.count > Self.limit { lines.removeFirst() }
        return true
    }

    /// The line before the one shown, or `nil` at the first.
    package mutating func earlier(than shown: String) -> String? {
        guard position > 0 else { return nil }
        if position == lines.count { draft = shown }
        position -= 1
        return lines[position]
    }

    /// The line after the one shown, or `nil` at the new one.
    package mutating func later() -> String? {
        guard position < lines.count else { return nil }
        position += 1
        return position == lines.count ? draft : lines[position]
    }
}
