import ConclaveClient
import ConclaveCore
import ConclaveSystem
import Recipes

/// `conclave progress`: how far workers are.
package enum ProgressTool: ToolCommand {
    static let json = OptionSpecification("--json", help: "one JSON object for each summary")
    static let count = OptionSpecification("--count", value: "NUMBER", help: "watch: end after so many summaries")
    static let total = OptionSpecification("--total", value: "NUMBER", help: "report: how many units there are")

    package static let specification = CommandSpecification(
        "progress", summary: "show, watch or report how far workers are",
        usage: "show|watch|report|clear PATH [WORKER] [OPTIONS]",
        details: """
            show prints the workers at PATH and their totals; watch prints them again whenever somebody has reported. report \
            makes WORKER appear: each line of the standard input that begins with a number reports so many units done, the \
            rest of the line is shown beside it; other lines are shown only. It has finished when the input ends, and failed \
            when this process is asked to end before. clear removes workers that have finished or failed.

              ./import | conclave progress report /progress/import host-7 --total 10000
            """,
        options: [json, count, total] + ConnectionOptions.all, arguments: 2...3,
        statuses: ConnectionOptions.statuses)

    package static func run(_ arguments: Arguments, _ context: ToolContext) async throws -> Int32 {
        let action = try Actions.check(
            arguments, [("show", 1...1), ("watch", 1...1), ("report", 2...2), ("clear", 1...1)])
        try Actions.allow(count, for: ["watch"], in: arguments)
        try Actions.allow(total, for: ["report"], in: arguments)
        let limit = try arguments.integer(count, in: 1...Int.max)
        let units = try arguments.integer(total, in: 0...Int.max)
        return try await ConnectionOptions.withClient(arguments, context) { client in
            let board = ProgressBoard(client, at: arguments.positional[1])
            switch action {
            case "show": show(try await board.summary(), arguments, context)
            case "watch":
                var shown = 0
                for try await summary in board.summaries {
                    show(summary, arguments, context)
                    shown += 1
                    if shown == limit { break }
                }
            case "clear": context.console.line("removed \(try await board.clear())")
            default: try await report(board, arguments.positional[2], units)
            }
            return ExitCode.success
        }
    }

    private static func report(_ board: ProgressBoard, _ name: String, _ total: Int?) async throws {
        let (pieces, send) = AsyncStream.makeStream(of: [UInt8]?.self)
        try TerminalInput.start { piece in
            send.yield(piece)
            if piece == nil { send.finish() }
        }
        try await board.withWorker(name, total: total.map(Int64.init)) { worker in
            var splitter = LineSplitter()
            for await piece in pieces {
                for line in splitter.take(piece) { report(line, to: worker) }
            }
            try Task.checkCancellation()
        }
    }

    /// `40 half way`: forty units done. A line without a number is only shown.
    package static func report(_ line: String, to worker: ProgressWorker) {
        let words = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true)
        guard let first = words.first else { return }
        if let done = Int64(first) {
            worker.report(done: done, text: words.count > 1 ? String(words[1]) : "")
        } else {
            worker.report(text: line)
        }
    }

    private static func show(_ summary: ProgressSummary, _ arguments: Arguments, _ context: ToolContext) {
        if arguments.has(json) { return context.console.line(object(summary).text) }
        for line in lines(summary, style: context.console.style) { context.console.line(line) }
    }

    /// A sentence, and a row for each worker.
    package static func lines(_ summary: ProgressSummary, style: Style) -> [String] {
        guard !summary.workers.isEmpty else { return ["no workers"] }
        var head = fraction(summary.done, summary.total)
        if summary.rate > 0 { head += ", \(DurationText.fixed(summary.rate, places: 1)) a second" }
        if let remaining = summary.remaining, remaining > .zero { head += ", \(DurationText.format(remaining)) to go" }
        let states: [(WorkerProgress.State, String)] = [
            (.running, "running"), (.finished, "finished"), (.failed, "failed"), (.lost, "lost"),
        ]
        for (state, word) in states where summary.count(state) > 0 { head += ", \(summary.count(state)) \(word)" }
        let rows = summary.workers.map { worker in
            let word = states.first { $0.0 == worker.state }?.1 ?? ""
            let color: String =
                switch worker.state {
                case .running: style.yellow(word)
                case .finished: style.green(word)
                case .failed, .lost: style.red(word)
                }
            let text = DataText.text(Array(worker.report.text.utf8), forTerminal: true)
            return [worker.name, color, fraction(worker.report.done, worker.report.total), text]
        }
        return [style.bold(head)] + Columns.table(rows)
    }

    private static func fraction(_ done: Int64, _ total: Int64?) -> String {
        guard let total else { return "\(done)" }
        guard total > 0 else { return "\(done) of \(total)" }
        let percent = Double(done) / Double(total) * 100
        return "\(done) of \(total) (\(Int(min(max(percent, 0), 999)))%)"
    }

    private static func object(_ summary: ProgressSummary) -> JSON {
        let workers = summary.workers.map { worker in
            JSON.object([
                ("name", .string(worker.name)), ("state", .string("\(worker.state)")),
                ("done", .integer(worker.report.done)), ("total", worker.report.total.map { .integer($0) } ?? .null),
                ("text", .string(worker.report.text)), ("rate", worker.rate.map { .number($0) } ?? .null),
                ("started", .integer(worker.startedMilliseconds)), ("reported", .integer(worker.reportedMilliseconds)),
            ])
        }
        return .object([
            ("done", .integer(summary.done)), ("total", summary.total.map { .integer($0) } ?? .null),
            ("rate", .number(summary.rate)), ("workers", .array(workers)),
        ])
    }
}
