import ConclaveCore
import Recipes

/// The line on the terminal that says for whom one is waiting. Silent where nobody looks.
package struct WaitingLine: Sendable {
    let console: Console
    let path: String
    /// Whose place in the queue is told.
    let session: SessionID
    let isQuiet: Bool

    /// Waits shorter than this are not worth a word.
    private static let delay = Duration.milliseconds(300)
    private static let interval = Duration.seconds(1)

    /// Runs the body and shows the line while it takes.
    /// - Parameter contenders: who holds and who waits, in order.
    func during<R: Sendable>(
        _ body: @escaping @Sendable () async throws -> R,
        contenders: @escaping @Sendable () async throws -> [Contender]
    ) async throws -> R {
        try await during(body) { Self.text(path, try await contenders(), session: session) }
    }

    /// Runs the body and shows the line while it takes.
    /// - Parameter text: what the line says, asked for once a second.
    func during<R: Sendable>(
        _ body: @escaping @Sendable () async throws -> R, saying text: @escaping @Sendable () async throws -> String
    ) async throws -> R {
        guard console.errorsAreTerminal, !isQuiet else { return try await body() }
        let line = Task {
            try await Task.sleep(for: Self.delay)
            let start = ContinuousClock.now
            while true {
                let text = try await text()
                let seconds = (ContinuousClock.now - start).components.seconds
                let waited = seconds < 60 ? "\(seconds) s" : DurationText.format(.seconds(seconds))
                console.errors.write("\r\u{1B}[K" + console.errorStyle.dim("\(text) (\(waited))"))
                try await Task.sleep(for: Self.interval)
            }
        }
        defer { line.cancel() }
        do {
            let result = try await body()
            await erase(line)
            return result
        } catch {
            await erase(line)
            throw error
        }
    }

    private func erase(_ line: Task<Void, any Error>) async {
        line.cancel()
        // Whatever ended the line, it does not matter to anybody.
        _ = await line.result
        console.errors.write("\r\u{1B}[K")
    }

    /// For whom one waits, and how many are in between.
    package static func text(_ path: String, _ queue: [Contender], session: SessionID) -> String {
        guard let holder = queue.first else { return "waiting for \(path)" }
        let name = holder.identity.isEmpty ? "session \(holder.session)" : holder.identity
        let holders = queue.count(where: \.isHolder)
        let by = holders > 1 ? "\(name) and \(holders - 1) more" : name
        let own = queue.lastIndex { $0.session == session && !$0.isHolder }
        let before = (own ?? queue.count) - max(1, holders)
        return "waiting for \(path): held by \(by)" + (before > 0 ? ", \(before) in the queue before us" : "")
    }
}
