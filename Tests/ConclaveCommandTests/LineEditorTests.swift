import ConclaveCommandKit
import Testing

@Suite("Line editor")
struct LineEditorTests {
    private func editor(_ text: String, _ keys: Key...) -> LineEditor {
        var editor = LineEditor()
        _ = editor.handle(.text(text))
        for key in keys { _ = editor.handle(key) }
        return editor
    }

    // MARK: Keys

    @Test("Bytes become keys, whole or one at a time")
    func keys() {
        let bytes = Array(
            "ab\u{1B}[A\u{1B}[B\u{1B}[C\u{1B}[D\u{1B}[H\u{1B}OF\u{1B}[3~\u{1B}[1;5C\u{1B}bü\u{1F600}\r\t\u{7F}\u{1}"
                .utf8)
        let expected: [Key] = [
            .text("ab"), .up, .down, .right, .left, .home, .end, .delete, .wordRight, .wordLeft, .text("ü\u{1F600}"),
            .enter, .tab, .backspace, .control("a"),
        ]
        var whole = KeyDecoder()
        #expect(whole.decode(bytes) == expected)
        var single = KeyDecoder()
        var keys: [Key] = []
        for byte in bytes { keys += single.decode([byte]) }
        #expect(
            keys.filter { if case .text = $0 { false } else { true } }
                == expected.filter { if case .text = $0 { false } else { true } })
        #expect(keys.compactMap { if case .text(let text) = $0 { text } else { nil } }.joined() == "abü\u{1F600}")
    }

    @Test("Bytes that mean nothing are skipped and harm nothing")
    func garbage() {
        var decoder = KeyDecoder()
        #expect(decoder.decode([0xFF, 0xC3, 0x28, 0x61]) == [.unknown, .unknown, .text("(a")])
        #expect(decoder.decode(Array("\u{1B}[99999999999999999999999999999999999".utf8)).contains(.unknown))
        _ = decoder.decode([0x0D])
        #expect(decoder.decode([0xE2, 0x82]) == [])
        #expect(decoder.decode([0xAC]) == [.text("\u{20AC}")])
        #expect(decoder.decode([0x1B]) == [])
        #expect(decoder.decode([0x5B, 0x32, 0x7E]) == [.unknown])
    }

    // MARK: Editing

    @Test("Text goes in where the cursor is")
    func insert() {
        var editor = editor("held", .left, .left)
        #expect(editor.handle(.text("XY")) == .redraw)
        #expect(editor.line == "heXYld" && editor.cursor == 4)
        _ = editor.handle(.home)
        _ = editor.handle(.text(">"))
        #expect(editor.line == ">heXYld")
        #expect(editor.handle(.control("e")) == .redraw)
        #expect(editor.handle(.end) == .none)
    }

    @Test("A combining mark joins the character before it")
    func combining() {
        var editor = editor("ae", .left)
        _ = editor.handle(.text("\u{301}"))
        #expect(editor.line == "a\u{301}e" && editor.cursor == 1)
        _ = editor.handle(.backspace)
        #expect(editor.line == "e" && editor.cursor == 0)
    }

    @Test("Characters go before and behind the cursor, with a bell at the ends")
    func remove() {
        var editor = editor("abc")
        #expect(editor.handle(.delete) == .bell)
        #expect(editor.handle(.backspace) == .redraw)
        _ = editor.handle(.home)
        #expect(editor.handle(.backspace) == .bell)
        #expect(editor.handle(.control("d")) == .redraw)
        #expect(editor.line == "b")
        #expect(editor.handle(.control("d")) == .redraw)
        #expect(editor.handle(.control("d")) == .endOfInput)
    }

    @Test("Words are jumped over and cut, and what was cut can be put back")
    func words() {
        var editor = editor("get /a/b-c next")
        _ = editor.handle(.control("w"))
        #expect(editor.line == "get /a/b-c ")
        _ = editor.handle(.control("w"))
        #expect(editor.line == "get ")
        _ = editor.handle(.control("y"))
        #expect(editor.line == "get /a/b-c ")
        _ = editor.handle(.wordLeft)
        #expect(editor.cursor == 9)
        _ = editor.handle(.deleteWordLeft)
        #expect(editor.line == "get /a/c ")
        _ = editor.handle(.control("k"))
        #expect(editor.line == "get /a/")
        _ = editor.handle(.left)
        _ = editor.handle(.control("u"))
        #expect(editor.line == "/" && editor.cursor == 0)
        _ = editor.handle(.control("y"))
        #expect(editor.line == "get /a/")
        _ = editor.handle(.home)
        _ = editor.handle(.wordRight)
        #expect(editor.cursor == 3)
        _ = editor.handle(.deleteWordRight)
        #expect(editor.line == "get/")
    }

    @Test("Neighbours are swapped")
    func swap() {
        #expect(editor("ab", .control("t")).line == "ba")
        #expect(editor("abc", .left, .control("t")).line == "acb")
        var single = editor("a")
        #expect(single.handle(.control("t")) == .bell)
    }

    @Test("Enter hands the line over, ctrl-c drops it")
    func ends() {
        var editor = editor("ls /")
        #expect(editor.handle(.enter) == .submit("ls /"))
        #expect(editor.line.isEmpty && editor.cursor == 0)
        _ = editor.handle(.text("x"))
        #expect(editor.handle(.control("c")) == .interrupt)
        #expect(editor.line.isEmpty)
        #expect(editor.handle(.tab) == .complete)
        #expect(editor.handle(.control("l")) == .clearScreen)
        #expect(editor.handle(.unknown) == .none && editor.handle(.control("g")) == .none)
    }

    @Test("A line has a longest length")
    func limit() {
        var editor = editor(String(repeating: "x", count: LineEditor.limit))
        #expect(editor.characters.count == LineEditor.limit)
        #expect(editor.handle(.text("y")) == .bell)
        #expect(editor.characters.count == LineEditor.limit)
    }

    // MARK: History

    @Test("Up and down leaf through what was entered and come back to what was being typed")
    func history() {
        var editor = LineEditor(history: LineHistory(["one", "two"]))
        _ = editor.handle(.text("dra"))
        #expect(editor.handle(.up) == .redraw)
        #expect(editor.line == "two")
        _ = editor.handle(.control("p"))
        #expect(editor.line == "one")
        #expect(editor.handle(.up) == .bell)
        _ = editor.handle(.down)
        _ = editor.handle(.down)
        #expect(editor.line == "dra" && editor.cursor == 3)
        #expect(editor.handle(.down) == .bell)
    }

    @Test("Empty lines and repetitions are not kept, nor more than the limit")
    func historyKeeps() {
        var history = LineHistory()
        #expect(history.add("a") && !history.add("a") && !history.add("  ") && history.add("b"))
        #expect(history.lines == ["a", "b"])
        for number in 0...LineHistory.limit { history.add("line \(number)") }
        #expect(history.lines.count == LineHistory.limit && history.lines.last == "line \(LineHistory.limit)")
        #expect(LineHistory((0..<2000).map(String.init)).lines.count == LineHistory.limit)
    }

    // MARK: Drawing

    @Test("A line that fits is drawn whole with the cursor in its place")
    func drawing() {
        let prompt = LineEditor.Prompt("> ")
        #expect(editor("abc", .left).drawing(prompt: prompt, width: 40) == "\r> abc\u{1B}[K\r\u{1B}[4C")
        #expect(editor("日本", .left).drawing(prompt: prompt, width: 40) == "\r> 日本\u{1B}[K\r\u{1B}[4C")
        #expect(LineEditor().drawing(prompt: .init(""), width: 40) == "\r\u{1B}[K\r")
        let coloured = LineEditor.Prompt("\u{1B}[1mzk\u{1B}[0m ")
        #expect(coloured.columns == 3)
    }

    @Test("A line that is too long is drawn around the cursor and never wider than the row")
    func longLine() {
        let text = String((0..<200).map { Character(UnicodeScalar(UInt8(97 + $0 % 26))) })
        var editor = editor(text)
        for step in 0...200 {
            let drawing = editor.drawing(prompt: .init("> "), width: 30)
            let row = drawing.dropFirst().prefix { $0 != "\u{1B}" }
            #expect(row.count <= 29, "at step \(step)")
            let column = Int(drawing.split(separator: "[").last?.dropLast() ?? "") ?? 0
            #expect(column >= 2 && column <= 29)
            // The character under the cursor is the one at the cursor's place in the line.
            if editor.cursor < 200 {
                let shown = Array(row)[column]
                #expect(shown == editor.characters[editor.cursor])
            }
            _ = editor.handle(.left)
        }
    }
}
