/// One line being edited: keys go in, what the screen must do comes out.
///
/// Emacs keys: ctrl-a/e (home, end), ctrl-b/f (left, right), ctrl-p/n (history), ctrl-d (delete; end of input on an empty
/// line), ctrl-h, ctrl-k/u/w (cut to the end, to the start, the word before), ctrl-y (insert what was cut), ctrl-t (swap),
/// ctrl-l (clear the screen), ctrl-c (drop the line).
package struct LineEditor: Equatable, Sendable {
    package enum Effect: Equatable, Sendable {
        case none
        case redraw
        case submit(String)
        case complete
        case interrupt
        case endOfInput
        case clearScreen
        case bell
    }

    package private(set) var characters: [Character] = []
    /// Where the next character goes; 0 to the number of characters.
    package private(set) var cursor = 0
    package var history: LineHistory
    private var cut = ""

    /// The longest line; more is refused with a bell.
    package static let limit = 65_536

    package init(history: LineHistory = LineHistory()) { self.history = history }

    package var line: String { String(characters) }

    package mutating func handle(_ key: Key) -> Effect {
        switch key {
        case .text(let text): return insert(text)
        case .enter: return submit()
        case .tab: return .complete
        case .backspace, .control("h"): return remove(from: cursor - 1, to: cursor)
        case .delete: return remove(from: cursor, to: cursor + 1)
        case .control("d"): return characters.isEmpty ? .endOfInput : remove(from: cursor, to: cursor + 1)
        case .left, .control("b"): return move(to: cursor - 1)
        case .right, .control("f"): return move(to: cursor + 1)
        case .home, .control("a"): return move(to: 0)
        case .end, .control("e"): return move(to: characters.count)
        case .wordLeft: return move(to: wordStart)
        case .wordRight: return move(to: wordEnd)
        case .up, .control("p"): return show(history.earlier(than: line))
        case .down, .control("n"): return show(history.later())
        case .control("k"): return cut(from: cursor, to: characters.count)
        case .control("u"): return cut(from: 0, to: cursor)
        case .control("w"): return cut(from: blankWordStart, to: cursor)
        case .deleteWordLeft: return cut(from: wordStart, to: cursor)
        case .deleteWordRight: return cut(from: cursor, to: wordEnd)
        case .control("y"): return insert(cut)
        case .control("t"): return swap()
        case .control("l"): return .clearScreen
        case .control("c"):
            reset()
            return .interrupt
        case .control, .unknown: return .none
        }
    }

    /// Puts text in the place of some characters; the cursor goes behind it.
    package mutating func replace(_ range: Range<Int>, with text: String) {
        let range = range.clamped(to: 0..<characters.count)
        characters.replaceSubrange(range, with: Array(text))
        cursor = min(range.lowerBound + text.count, characters.count)
    }

    private mutating func reset() {
        characters = []
        cursor = 0
    }

    private mutating func submit() -> Effect {
        let line = line
        reset()
        return .submit(line)
    }

    private mutating func insert(_ text: String) -> Effect {
        guard characters.count + text.count <= Self.limit else { return .bell }
        // A combining mark joins the character before the cursor.
        let head = Array(String(characters[..<cursor]) + text)
        characters = head + characters[cursor...]
        cursor = head.count
        return .redraw
    }

    private mutating func move(to position: Int) -> Effect {
        let target = min(max(0, position), characters.count)
        guard target != cursor else { return .none }
        cursor = target
        return .redraw
    }

    private mutating func remove(from start: Int, to end: Int) -> Effect {
        guard start >= 0, end <= characters.count, start < end else { return .bell }
        characters.removeSubrange(start..<end)
        cursor = start
        return .redraw
    }

    private mutating func cut(from start: Int, to end: Int) -> Effect {
        guard start < end else { return .none }
        cut = String(characters[start..<end])
        return remove(from: start, to: end)
    }

    private mutating func swap() -> Effect {
        guard cursor > 0, characters.count > 1 else { return .bell }
        let right = min(cursor, characters.count - 1)
        characters.swapAt(right - 1, right)
        cursor = right + 1
        return .redraw
    }

    private mutating func show(_ line: String?) -> Effect {
        guard let line else { return .bell }
        characters = Array(line)
        cursor = characters.count
        return .redraw
    }

    private static func isWord(_ character: Character) -> Bool { character.isLetter || character.isNumber }

    private var wordStart: Int {
        var index = cursor
        while index > 0, !Self.isWord(characters[index - 1]) { index -= 1 }
        while index > 0, Self.isWord(characters[index - 1]) { index -= 1 }
        return index
    }

    private var wordEnd: Int {
        var index = cursor
        while index < characters.count, !Self.isWord(characters[index]) { index += 1 }
        while index < characters.count, Self.isWord(characters[index]) { index += 1 }
        return index
    }

    /// The start of the word before the cursor where only blanks divide words.
    private var blankWordStart: Int {
        var index = cursor
        while index > 0, characters[index - 1].isWhitespace { index -= 1 }
        while index > 0, !characters[index - 1].isWhitespace { index -= 1 }
        return index
    }
}
