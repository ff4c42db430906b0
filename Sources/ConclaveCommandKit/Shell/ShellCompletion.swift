/// What the Tab key means at a place in a line, and what becomes of the line.
package enum ShellCompletion {
    package enum Request: Equatable, Sendable {
        /// These words are all that fit; nothing has to be asked.
        case words([String], range: Range<Int>)
        /// The children of `parent` whose names begin with `prefix`, as full paths.
        case children(of: String, prefix: String, range: Range<Int>)
        case nothing
    }

    package static func request(line: [Character], cursor: Int) -> Request {
        let head = Array(line[..<min(cursor, line.count)])
        var words = ShellLine.words(of: head)
        var current = ShellLine.Word(text: "", range: head.count..<head.count, isClosed: true)
        if let last = words.last, !last.isClosed || last.range.upperBound == head.count,
            head.last?.isWhitespace == false
        {
            current = words.removeLast()
        } else if let last = words.last, !last.isClosed {
            current = words.removeLast()
        }
        guard let name = words.first?.text else {
            return .words(matching(ShellCommand.all.map(\.name), current.text), range: current.range)
        }
        if name == "help" { return .words(matching(ShellCommand.all.map(\.name), current.text), range: current.range) }
        if name == "printwatches" { return .words(matching(["off", "on"], current.text), range: current.range) }
        guard let command = ShellCommand.find(name) else { return .nothing }
        if let last = words.last?.text, last == "-m" {
            return .words(matching(["PERSISTENT", "PERSISTENT_RECURSIVE"], current.text), range: current.range)
        }
        if current.text.hasPrefix("-") {
            let options = (command.flags.map { "-\($0)" } + command.valued.map { "-\($0)" }).sorted()
            return .words(matching(options, current.text), range: current.range)
        }
        guard command.takesPath, current.text.isEmpty || current.text.hasPrefix("/"),
            !words.dropFirst().contains(where: { $0.text.hasPrefix("/") })
        else { return .nothing }
        guard let slash = current.text.lastIndex(of: "/") else { return .words(["/"], range: current.range) }
        let parent = current.text[..<slash]
        let prefix = current.text[current.text.index(after: slash)...]
        return .children(of: parent.isEmpty ? "/" : String(parent), prefix: String(prefix), range: current.range)
    }

    /// The full paths of the children that fit.
    package static func paths(_ names: [String], of parent: String, prefix: String) -> [String] {
        let base = parent == "/" ? "/" : parent + "/"
        return matching(names, prefix).map { base + $0 }
    }

    /// What to put in the place of the word, and what to show where several words fit.
    package static func outcome(_ candidates: [String], typed: String) -> (text: String?, choices: [String]) {
        guard let first = candidates.first else { return (nil, []) }
        // Paths may go on below a node, everything else is a finished word.
        if candidates.count == 1 { return (first.hasPrefix("/") ? ShellLine.quote(first) : first + " ", []) }
        var common = Array(first)
        for candidate in candidates.dropFirst() {
            common = Array(zip(common, candidate).prefix { $0 == $1 }.map(\.0))
        }
        let text = String(common)
        if text.count > typed.count { return (text.contains(where: \.isWhitespace) ? "\"" + text : text, []) }
        return (nil, candidates)
    }

    private static func matching(_ words: [String], _ prefix: String) -> [String] {
        words.filter { $0.hasPrefix(prefix) }
    }
}
