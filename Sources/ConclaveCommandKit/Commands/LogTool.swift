import ConclaveCore
import ConclaveStorage
import ConclaveSystem

/// `conclave log`: what is in a transaction log.
package enum LogTool: ToolCommand {
    static let verbose = OptionSpecification("--verbose", short: "-v", help: "data and access control lists as well")
    static let quiet = OptionSpecification("--quiet", short: "-q", help: "only the summary")
    static let json = OptionSpecification("--json", help: "one JSON object a line: each transaction, then the summary")

    package static let specification = CommandSpecification(
        "log", summary: "show what is in a transaction log, and whether it is sound", usage: "[OPTIONS] FILE",
        details: """
            Prints one line for each transaction: zxid, time, session, cxid, what it did. FILE is a log of this server or of \
            Apache ZooKeeper (version-2/log.…). Nothing is changed.

            A log whose last write was interrupted by a crash counts as sound: a server cuts it when it starts.
            """,
        options: [verbose, quiet, json], arguments: 1...1,
        statuses: [(ExitCode.failed, "the log is damaged or cannot be read")])

    package static func run(_ arguments: Arguments, _ context: ToolContext) async throws -> Int32 {
        let path = arguments.positional[0]
        let console = context.console
        let printer = TransactionPrinter(
            isVerbose: arguments.has(verbose), style: arguments.has(json) ? .plain : console.style)
        let report: StoredFile.LogReport
        do {
            report = try StoredFile.readLog(path, disk: FileDisk()) { offset, length, transaction in
                if arguments.has(quiet) { return }
                if arguments.has(json) {
                    console.line(printer.json(transaction, offset: offset, length: length).text)
                } else {
                    for line in printer.lines(transaction) { console.line(line) }
                }
            }
        } catch {
            throw ToolFailure(error.description)
        }
        if arguments.has(json) {
            console.line(summary(report).text)
        } else {
            for line in lines(report, path, console.style) { console.line(line) }
        }
        if case .corrupt = report.end { return ExitCode.failed }
        return ExitCode.success
    }

    /// What is told about the whole file, for people.
    package static func lines(_ report: StoredFile.LogReport, _ path: String, _ style: Style) -> [String] {
        var lines = report.warnings.map { style.yellow("warning: " + $0) }
        var text = "\(report.transactions) transactions"
        if let first = report.first, let last = report.last { text += ", \(first) to \(last)" }
        lines.append(style.bold(text) + ", \(report.usedBytes) of \(report.bytes) bytes used")
        switch report.end {
        case .clean: lines.append(style.green("sound"))
        case .torn(let tail):
            lines.append(
                style.green("sound") + " up to byte \(tail.offset); then an interrupted write: \(tail.reason)")
        case .corrupt(let error): lines.append(style.red("damaged") + ": \(error)")
        }
        return lines
    }

    private static func summary(_ report: StoredFile.LogReport) -> JSON {
        let end: (String, String?, Int64?) =
            switch report.end {
            case .clean: ("sound", nil, nil)
            case .torn(let tail): ("torn", tail.reason, tail.offset)
            case .corrupt(let error): ("damaged", error.message, error.offset)
            }
        return .object([
            ("state", .string(end.0)), ("reason", end.1.map(JSON.string) ?? .null),
            ("offset", end.2.map(JSON.integer) ?? .null), ("transactions", .integer(Int64(report.transactions))),
            ("first", report.first.map { .string($0.description) } ?? .null),
            ("last", report.last.map { .string($0.description) } ?? .null), ("bytes", .integer(report.bytes)),
            ("usedBytes", .integer(report.usedBytes)), ("warnings", .array(report.warnings.map(JSON.string))),
        ])
    }
}
