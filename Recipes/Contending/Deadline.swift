import ConclaveCore
import Synchronization

/// By when an attempt must have got what it wants.
struct Deadline: Sendable {
    let instant: ContinuousClock.Instant?

    static let never = Deadline(instant: nil)

    init(instant: ContinuousClock.Instant?) { self.instant = instant }

    init(after timeout: Duration?) {
        instant = timeout.map { ContinuousClock.now.advanced(by: $0) }
    }

    /// Runs an attempt and cancels it when the deadline passes; the attempt learns from the flag why it was cancelled.
    ///
    /// A result that was ready in spite of the cancellation counts, so nothing that was got is thrown away.
    func limit<R: Sendable>(
        _ attempt: @escaping @Sendable (Expiry) async throws(ZooKeeperError) -> R
    ) async throws(ZooKeeperError) -> R {
        let expiry = Expiry()
        guard let instant else { return try await attempt(expiry) }
        let result = await withTaskGroup(
            of: Result<R, ZooKeeperError>?.self, returning: Result<R, ZooKeeperError>.self
        ) { group in
            group.addTask {
                do throws(ZooKeeperError) {
                    return .success(try await attempt(expiry))
                } catch {
                    return .failure(error)
                }
            }
            group.addTask {
                // Throws only when cancelled, because the attempt has ended: then there is nothing to expire.
                if (try? await Task.sleep(until: instant, clock: .continuous)) != nil { expiry.set() }
                return nil
            }
            var result: Result<R, ZooKeeperError>?
            while let step = await group.next() {
                if let step { result = step }
                group.cancelAll()
            }
            guard let result else { preconditionFailure("the attempt's task ended without a result") }
            return result
        }
        return try result.get()
    }
}

/// Whether the deadline has passed, for the attempt that it cancels.
final class Expiry: Sendable {
    private let flag = Atomic(false)

    var isSet: Bool { flag.load(ordering: .acquiring) }

    func set() { flag.store(true, ordering: .releasing) }
}
