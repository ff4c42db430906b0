package import Testing

/// Runs tests of real servers, sockets and processes a few at a time, and cancels those that go on for too long.
///
/// Swift Testing starts all tests at once. On a few processors hundreds of them then get one turn in many seconds, and
/// whatever a server, a client or a test allows seconds for fails.
package struct FewAtOnce: SuiteTrait, TestTrait, TestScoping {
    package let isRecursive = true
    let limit: Duration

    package init(limit: Duration) { self.limit = limit }

    package func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        guard testCase != nil else { return try await function() }
        await Turnstile.shared.enter()
        let failure = await withoutActuallyEscaping(function) { await Self.failure(of: $0, within: limit) }
        await Turnstile.shared.leave()
        if let failure { throw failure }
    }

    private enum End: Sendable {
        case returned
        case threw(any Error)
        case tooLong
    }

    private static func failure(
        of function: @escaping @concurrent @Sendable () async throws -> Void, within limit: Duration
    ) async -> (any Error)? {
        await withTaskGroup(of: End.self) { group in
            group.addTask {
                do {
                    try await function()
                    return .returned
                } catch {
                    return .threw(error)
                }
            }
            group.addTask {
                try? await ContinuousClock().sleep(for: limit)
                return .tooLong
            }
            defer { group.cancelAll() }
            var end = await group.next()
            if case .tooLong = end {
                Issue.record("the test has not ended within \(limit), and is cancelled")
                group.cancelAll()
                end = await group.next()
            }
            if case .threw(let error) = end { return error }
            return nil
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
