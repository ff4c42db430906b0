package import Testing

/// Runs tests of real servers, sockets and processes a few at a time, and says of those that go on for too long that they do.
///
/// Swift Testing starts all tests at once. On a few processors hundreds of them then get one turn in many seconds, and
/// whatever a server, a client or a test allows seconds for fails.
package struct FewAtOnce: SuiteTrait, TestTrait, TestScoping {
    package let isRecursive = true
    let limit: Duration

    package func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        guard testCase != nil else { return try await function() }
        await Turnstile.shared.enter()
        let failure = await Self.failure(of: function, within: limit)
        await Turnstile.shared.leave()
        if let failure { throw failure }
    }

    private static func failure(
        of function: @concurrent @Sendable () async throws -> Void, within limit: Duration
    ) async -> (any Error)? {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                guard (try? await ContinuousClock().sleep(for: limit)) != nil else { return }
                // Said at once, and the test goes on: what it hangs in may not heed cancellation.
                Issue.record("the test has not ended within \(limit)")
            }
            defer { group.cancelAll() }
            do {
                try await function()
                return nil
            } catch {
                return error
            }
        }
    }
}

extension Trait where Self == FewAtOnce {
    /// With real servers, sockets or processes: a few at a time; one that takes three minutes from its start has failed.
    package static var live: FewAtOnce { FewAtOnce(limit: .seconds(180)) }
}

/// Lets so many through at once, in the order in which they came.
private actor Turnstile {
    static let shared = Turnstile(places: 12)

    private var free: Int
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(places: Int) { free = places }

    func enter() async {
        guard free == 0 else {
            free -= 1
            return
        }
        await withCheckedContinuation { waiting.append($0) }
    }

    /// The place goes to the first who waits.
    func leave() {
        if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() }
    }
}
