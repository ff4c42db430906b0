import Recipes

/// Runs the user's command while something is held, and stops it when the hold is lost.
struct HeldCommand: Sendable {
    /// What became of the command.
    enum Result: Equatable, Sendable {
        case ended(status: Int32)
        /// The hold was lost first; the command has been stopped.
        case lost(HoldLoss)
    }

    let words: [String]
    /// What is held: the path that the user named.
    let path: String
    let token: FencingToken
    /// How long the command may take to end by itself once the hold is lost.
    let grace: Duration

    /// - Parameter lost: waits for the end of the hold.
    func run(
        _ context: ToolContext, lost: @escaping @Sendable () async throws(CancellationError) -> HoldLoss?
    ) async throws -> Result {
        var environment = context.environment
        environment["CONCLAVE_FENCING_TOKEN"] = token.description
        environment["CONCLAVE_LOCK_PATH"] = path
        let process = try await ForegroundProcess.start(words, environment: environment, guardian: context.executable)
        // From here on a request to end is the command's affair: when it has ended, so do we.
        return await context.interrupts.handled(by: { process.send($0) }) {
            await withTaskGroup(of: HoldLoss?.self) { group in
                group.addTask { try? await lost() }
                let watcher = Task { await process.ending() }
                group.addTask {
                    _ = await watcher.value
                    return nil
                }
                // Whichever comes first decides.
                let loss = await group.next() ?? nil
                group.cancelAll()
                guard let loss else { return .ended(status: await watcher.value.status) }
                context.console.errorLine(
                    "\(Tool.name): " + context.console.errorStyle.red("\(path) is lost: \(loss); stopping \(words[0])"))
                _ = await process.stop(grace: grace)
                return .lost(loss)
            }
        }
    }
}
