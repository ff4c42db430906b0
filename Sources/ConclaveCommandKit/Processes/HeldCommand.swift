import Recipes

/// Runs the user's command while something is held, and stops it when the hold is lost.
package struct HeldCommand: Sendable {
    /// What became of the command.
    package enum Result: Equatable, Sendable {
        case ended(status: Int32)
        /// The hold was lost first; the command has been stopped.
        case lost(HoldLoss)
        /// Somebody asked for what is held; the command has been stopped.
        case revoked
    }

    let words: [String]
    /// What is held: the path that the user named.
    let path: String
    let token: FencingToken
    /// How long the command may take to end by itself once the hold is lost.
    let grace: Duration

    package init(words: [String], path: String, token: FencingToken, grace: Duration) {
        self.words = words
        self.path = path
        self.token = token
        self.grace = grace
    }

    /// - Parameters:
    ///   - lost: waits for the end of the hold.
    ///   - revoked: waits until somebody asks for what is held; `false` if it ends first.
    package func run(
        _ context: ToolContext, lost: @escaping @Sendable () async throws(CancellationError) -> HoldLoss?,
        revoked: (@Sendable () async throws(CancellationError) -> Bool)? = nil
    ) async throws -> Result {
        var environment = context.environment
        environment["CONCLAVE_FENCING_TOKEN"] = token.description
        environment["CONCLAVE_LOCK_PATH"] = path
        // From here on a request to end is the command's affair, also one that comes while it is being started: when it has
        // ended, so do we.
        let relay = SignalRelay()
        return try await context.interrupts.handled(by: relay.take) {
            try Task.checkCancellation()
            let process = try await ForegroundProcess.start(
                words, environment: environment, guardian: context.executable)
            relay.attach { process.send($0) }
            return await attend(process, context, lost: lost, revoked: revoked)
        }
    }

    /// Why the command has to end; `nil` if nothing makes it.
    private enum Reason: Sendable {
        case lost(HoldLoss)
        case revoked

        var text: String {
            switch self {
            case .lost(let loss): "is lost: \(loss)"
            case .revoked: "is asked for by somebody else"
            }
        }
    }

    /// Waits for the end of the command or of the hold, whichever comes first.
    private func attend(
        _ process: ForegroundProcess, _ context: ToolContext,
        lost: @escaping @Sendable () async throws(CancellationError) -> HoldLoss?,
        revoked: (@Sendable () async throws(CancellationError) -> Bool)?
    ) async -> Result {
        await withTaskGroup(of: Reason?.self) { group in
            let watcher = Task { await process.ending() }
            group.addTask {
                _ = await watcher.value
                return nil
            }
            // Who is cancelled learns of nothing, and goes on to wait for the command.
            group.addTask { (try? await lost()).map { .lost($0) } }
            if let revoked {
                group.addTask { (try? await revoked()) == true ? .revoked : nil }
            }
            while let first = await group.next() {
                guard let reason = first else {
                    if process.hasEnded { group.cancelAll() }
                    continue
                }
                if process.hasEnded { continue }
                context.console.errorLine(
                    "\(Tool.name): " + context.console.errorStyle.red("\(path) \(reason.text); stopping \(words[0])"))
                _ = await process.stop(grace: grace)
                group.cancelAll()
                return switch reason {
                case .lost(let loss): .lost(loss)
                case .revoked: .revoked
                }
            }
            return .ended(status: await watcher.value.status)
        }
    }
}
