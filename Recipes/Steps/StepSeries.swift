import ConclaveClient
import ConclaveCore

/// A machine that is started again for each element of a sequence; for one reader.
final class StepSeries<Machine: StepMachine> {
    private var runner: StepRunner<Machine>
    private var hasEnded = false

    init(_ machine: Machine, client: ZooKeeperClient, cleaner: Cleaner, path: String) {
        runner = StepRunner(machine, client: client, cleaner: cleaner, path: path)
    }

    /// What the machine finishes with next; `nil` once the task was cancelled, and after an error.
    func next() async throws(ZooKeeperError) -> Machine.Output? {
        guard !hasEnded else { return nil }
        do {
            return try await runner.run(expiry: Expiry())
        } catch {
            hasEnded = true
            if error.code == .cancelled { return nil }
            throw error
        }
    }
}
