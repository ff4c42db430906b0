import Foundation
package import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Runs tests that compute for seconds on threads of their own, with what others leave of the processors.
///
/// Swift's own pool has a thread per processor: tests of real servers run there too, and would wait until they fail.
package struct Aside: SuiteTrait, TestTrait, TestScoping {
    package let isRecursive = true

    package func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        try await withTaskExecutorPreference(ComputingThreads.shared) { try await function() }
    }
}

extension Trait where Self == Aside {
    /// On threads of their own, which give way to all others.
    package static var aside: Aside { Aside() }
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
                Self.giveWay()
                while true {
                    condition.lock()
                    while waiting.isEmpty { condition.wait() }
                    let job = waiting.removeFirst()
                    condition.unlock()
                    job.runSynchronously(on: asUnownedTaskExecutor())
                }
            }
            thread.qualityOfService = .utility
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

    /// setpriority(2) of the calling thread, which on Linux has one of its own. On Darwin the quality of service does it.
    private static func giveWay() {
        #if os(Linux)
        // A refusal costs nothing but time.
        _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 19)
        #endif
    }
}
