import Synchronization

/// Where the tool writes to: the two outputs of the process, or memory in tests.
package final class Console: Sendable {
    /// Takes text for one of the outputs.
    package protocol Sink: Sendable {
        func write(_ text: String)
    }

    package let output: any Sink
    package let errors: any Sink
    /// How to emphasise on the standard output and on the error output.
    package let style: Style
    package let errorStyle: Style
    /// Whether a person reads the standard output, and the error output.
    package let isTerminal: Bool
    package let errorsAreTerminal: Bool
    /// Columns of the terminal; 100 where there is none.
    package let width: Int

    package init(
        output: any Sink, errors: any Sink, isTerminal: Bool = false, errorsAreTerminal: Bool = false,
        colours: Bool = false, width: Int = 100
    ) {
        self.output = output
        self.errors = errors
        self.isTerminal = isTerminal
        self.errorsAreTerminal = errorsAreTerminal
        style = Style(isOn: isTerminal && colours)
        errorStyle = Style(isOn: errorsAreTerminal && colours)
        self.width = width
    }

    /// Writes a line to the standard output.
    package func line(_ text: String = "") { output.write(text + "\n") }

    package func write(_ text: String) { output.write(text) }

    /// Writes a line to the error output.
    package func errorLine(_ text: String) { errors.write(text + "\n") }
}

/// Keeps what was written, for tests.
package final class MemorySink: Console.Sink {
    private let content = Mutex("")

    package init() {}

    package var text: String { content.withLock(\.self) }

    package func write(_ text: String) { content.withLock { $0 += text } }

    /// Hands out what was written since the last call.
    package func take() -> String {
        content.withLock { content in
            defer { content = "" }
            return content
        }
    }
}
