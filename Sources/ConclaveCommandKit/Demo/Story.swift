import Synchronization

/// What the demonstration tells, line by line, and what it claims.
final class Story: Sendable {
    private struct State {
        /// Who has spoken, in the order of their first line: everybody keeps a colour.
        var actors: [String] = []
        var passed = 0
        var failed: [String] = []
    }

    private let console: Console
    private let start = ContinuousClock.now
    private let state = Mutex(State())
    private let marks: (good: String, bad: String)

    init(console: Console, environment: [String: String]) {
        self.console = console
        let locale = environment["LC_ALL"] ?? environment["LC_CTYPE"] ?? environment["LANG"] ?? ""
        let isUTF8 = locale.uppercased().contains("UTF")
        marks = isUTF8 ? ("✓", "✗") : ("ok", "FAILED")
    }

    var failures: [String] { state.withLock(\.failed) }
    var passes: Int { state.withLock(\.passed) }
    var elapsed: Duration { ContinuousClock.now - start }

    /// Begins a chapter.
    func chapter(_ number: Int, _ title: String, _ explanation: String) {
        console.line()
        console.line(console.style.bold("\(number)  \(title)") + console.style.dim("   \(explanation)"))
    }

    /// One line of the story: when, who, what.
    func tell(_ actor: String, _ text: String) {
        let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
        let time = DurationText.fixed(seconds, places: 3)
        let padding = String(repeating: " ", count: max(0, 7 - time.count))
        let name = HelpText.pad(actor, to: Self.actorColumns)
        console.line("  " + console.style.dim(padding + time) + "  " + paint(actor)(name) + "  " + text)
    }

    /// What has been claimed is checked.
    func check(_ claim: String, _ holds: Bool) {
        state.withLock { state in
            if holds { state.passed += 1 } else { state.failed.append(claim) }
        }
        let mark = holds ? console.style.green(marks.good) : console.style.red(marks.bad)
        console.line("  " + String(repeating: " ", count: 7) + "  " + mark + " " + claim)
    }

    func bold(_ text: String) -> String { console.style.bold(text) }
    func dim(_ text: String) -> String { console.style.dim(text) }
    func red(_ text: String) -> String { console.style.red(text) }

    /// A line outside of the story.
    func line(_ text: String = "") { console.line(text) }

    private static let actorColumns = 8

    private func paint(_ actor: String) -> (String) -> String {
        let place = state.withLock { state in
            if let place = state.actors.firstIndex(of: actor) { return place }
            state.actors.append(actor)
            return state.actors.count - 1
        }
        let style = console.style
        let colours = [style.cyan, style.magenta, style.yellow, style.blue, style.green]
        return colours[place % colours.count]
    }
}
