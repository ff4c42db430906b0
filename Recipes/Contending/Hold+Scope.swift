import ConclaveClient
import ConclaveCore

/// Running a body while something is held.
extension Hold {
    private enum Step<R: Sendable>: Sendable {
        case finished(Result<R, any Error>)
        case ended(HoldLoss?)
    }

    /// Runs the body, cancels it when the hold is lost, gives the hold up afterwards.
    ///
    /// - Parameter isNested: whether a scope around this one holds, which was joined for it.
    func scope<R: Sendable>(
        isNested: Bool = false, _ body: @escaping @Sendable () async throws -> R
    ) async throws -> R {
        let result = await withTaskGroup(of: Step<R>.self, returning: Result<R, any Error>.self) { group in
            group.addTask { [self] in
                do {
                    let holds = TaskHolds.current + [self]
                    return .finished(.success(try await TaskHolds.$current.withValue(holds) { try await body() }))
                } catch {
                    return .finished(.failure(error))
                }
            }
            // Ends when the hold does, or cancelled when the body has finished.
            group.addTask { [self] in .ended(try? await waitForLoss()) }
            var result: Result<R, any Error>?
            while let step = await group.next() {
                switch step {
                case .finished(let outcome):
                    result = outcome
                    group.cancelAll()
                case .ended(let loss):
                    if loss != nil { group.cancelAll() }
                }
            }
            guard let result else { preconditionFailure("the body's task ended without a result") }
            return result
        }
        await leave(isOwner: !isNested)
        guard loss == nil else {
            var cause: (any Error)?
            if case .failure(let error) = result, !(error is CancellationError) { cause = error }
            throw lostError(underlying: cause)
        }
        return try result.get()
    }
}
