import ConclaveCore
import ConclaveSystem

/// Writes what happens to the error output, one line each: time, level, sentence.
struct ConsoleEventSink: EventSink {
    let console: Console
    /// The least important level that is written.
    let level: LogEvent.Level

    func record(_ event: LogEvent) {
        guard event.level >= level else { return }
        let style = console.errorStyle
        let name: String =
            switch event.level {
            case .debug: style.dim("debug")
            case .info: "info"
            case .warning: style.yellow("warning")
            case .error: style.red("error")
            }
        console.errorLine(
            style.dim(DateText.precise(SystemClock.wallTime().milliseconds)) + " \(name): \(event.message)")
    }
}
