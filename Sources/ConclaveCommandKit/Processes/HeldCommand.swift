import Recipes
import Synchronization

/// Runs the user's command while something is held, and stops it when the hold is lost.
package struct HeldCommand: Sendable {
    /// What became of the command.
    package enum Result: Equatable, Sendable {
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

    package init(words: [String], path: String, token: FencingToken, grace: Duration) {
        self.words = words
        self.path = path
        self.token = token
        self.grace = grace
    }

    /// - Parameter lost: waits for the end of the hold.
    package func run(
        _ context: ToolContext, lost: @escaping @Sendable () async throws(CancellationError) -> HoldLoss?
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
            return await attend(process, context, lost: lost)
        }
    }

    /// Waits for the end of the command or of the hold, whichever comes first.
    private func attend(
        _ process: ForegroundProcess, _ context: ToolContext,
        lost: @escaping @Sendable () async throws(CancellationError) -> HoldLoss?
    ) async -> Result {
        await withTaskGroup(of: HoldLoss?.self) { group in
            let watcher = Task { await process.ending() }
            group.addTask {
                _ = await watcher.value
                return nil
            }
            group.addTask { try? await lost() }
            // Who is cancelled learns of no loss, and goes on to wait for the command.
            while let first = await group.next() {
                guard let loss = first else {
                    if process.hasEnded { group.cancelAll() }
                    continue
                }
                if process.hasEnded { continue }
                context.console.errorLine(
                    "\(Tool.name): " + context.console.errorStyle.red("\(path) is lost: \(loss); stopping \(words[0])"))
                _ = await process.stop(grace: grace)
                return .lost(loss)
            }
            return .ended(status: await watcher.value.status)
        }
    }
}

/// Keeps the signals that come while a process is being started.
private final class SignalRelay: Sendable {
    private struct State {
        var pending: [Int32] = []
        var send: (@Sendable (Int32) -> Void)?
    }

    private let state = Mutex(State())

    @Sendable func take(_ signal: Int32) {
        let send = state.withLock { state in
            if state.send == nil { state.pending.append(signal) }
            return state.send
        }
        send?(signal)
    }

    func attach(_ send: @escaping @Sendable (Int32) -> Void) {
        let pending = state.withLock { state in
            state.send = send
            return state.pending
        }
        for signal in pending { send(signal) }
    }
}
