import Foundation

/// Says how far a long run has come: on a terminal in one line that changes, elsewhere in a line now and then.
struct Progress {
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private let start = ContinuousClock.now
    private var lastShown = ContinuousClock.now

    /// How often something is said.
    private var pause: Duration { isTerminal ? .milliseconds(200) : .seconds(10) }

    var elapsed: Duration { start.duration(to: .now) }

    /// Nothing was shown for a while.
    var isDue: Bool { lastShown.duration(to: .now) >= pause }

    mutating func show(_ text: String) {
        lastShown = .now
        Self.write(isTerminal ? "\r\u{1B}[K\(text)" : "\(text)\n", to: .standardError)
    }

    /// Prints what is to stay, at once: whoever reads a file sees it while the run goes on.
    func print(_ line: String) {
        if isTerminal { Self.write("\r\u{1B}[K", to: .standardError) }
        Self.write("\(line)\n", to: .standardOutput)
    }

    private static func write(_ text: String, to file: FileHandle) { file.write(Data(text.utf8)) }
}

extension Duration {
    /// For people: "7.1 s", "61 s".
    var inSeconds: String {
        let tenths = components.seconds * 10 + components.attoseconds / 100_000_000_000_000_000
        return tenths < 100 ? "\(tenths / 10).\(tenths % 10) s" : "\((tenths + 5) / 10) s"
    }

    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
