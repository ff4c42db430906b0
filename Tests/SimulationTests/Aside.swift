import Foundation
import Testing

/// Runs tests that compute for seconds on threads of their own.
///
/// Swift's own pool has a thread per processor: tests of real servers run there too, and would wait until they fail.
struct Aside: SuiteTrait, TestTrait, TestScoping {
    let isRecursive = true

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        try await withTaskExecutorPreference(ComputingThreads.shared) { try await function() }
    }
}

extension Trait where Self == Aside {
    /// On threads of their own.
    static var aside: Aside { Aside() }
}

/// Two threads that take what comes, in order.
// Safe to share: `waiting` is only touched while the condition is locked.
private final class ComputingThreads: TaskExecutor, @unchecked Sendable {
    static let shared = ComputingThreads()

    private let condition = NSCondition()
    private var waiting: [UnownedJob] = []

    private init() {
        for _ in 0..<2 {
            let thread = Thread { [self] in
                while true {
                    condition.lock()
                    while waiting.isEmpty { condition.wait() }
                    let job = waiting.removeFirst()
                    condition.unlock()
                    job.runSynchronously(on: asUnownedTaskExecutor())
                }
            }
            thread.stackSize = 8 << 20
            thread.start()
        }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        condition.lock()
        waiting.append(job)
        condition.signal()
        condition.unlock()
    }
}
