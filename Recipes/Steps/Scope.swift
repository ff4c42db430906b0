/// Runs a body in a child task that ends early when something is lost.
enum Scope {
    private enum Step<R: Sendable>: Sendable {
        case finished(Result<R, any Error>)
        case lost(Bool)
        case besidesEnded
    }

    /// - Parameters:
    ///   - isLost: returns when there is nothing more to wait for, and whether that is a loss; cancelled when the body
    ///     has ended.
    ///   - companion: runs beside the body and is cancelled with it.
    static func run<R: Sendable>(
        _ body: @escaping @Sendable () async throws -> R,
        until isLost: @escaping @Sendable () async throws(CancellationError) -> Bool,
        beside companion: @escaping @Sendable () async -> Void = {}
    ) async -> Result<R, any Error> {
        await withTaskGroup(of: Step<R>.self, returning: Result<R, any Error>.self) { group in
            group.addTask {
                do {
                    return .finished(.success(try await body()))
                } catch {
                    return .finished(.failure(error))
                }
            }
            // Throws only when cancelled, because the body has ended.
            group.addTask { .lost((try? await isLost()) ?? false) }
            group.addTask {
                await companion()
                return .besidesEnded
            }
            var result: Result<R, any Error>?
            while let step = await group.next() {
                switch step {
                case .finished(let outcome):
                    result = outcome
                    group.cancelAll()
                case .lost(let isLost): if isLost { group.cancelAll() }
                case .besidesEnded: break
                }
            }
            guard let result else { preconditionFailure("the body's task ended without a result") }
            return result
        }
    }
}
