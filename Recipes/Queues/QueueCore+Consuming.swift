import ConclaveClient
import ConclaveCore

extension QueueCore {
    /// Claims items and hands them to the body, so many at a time, until the task is cancelled or the session is over.
    func consume(
        concurrency: Int, onFailure: (@Sendable (QueueDelivery<Item>, any Error) -> Void)?,
        _ body: @escaping @Sendable (QueueDelivery<Item>) async throws -> Void
    ) async throws(ZooKeeperError) {
        let error = await withTaskGroup(of: ZooKeeperError.self, returning: ZooKeeperError.self) { group in
            for _ in 0..<max(1, concurrency) {
                group.addTask { [self] in await work(onFailure, body) }
            }
            guard let first = await group.next() else { preconditionFailure("the consumers have vanished") }
            group.cancelAll()
            return first
        }
        throw error
    }

    /// One consumer: returns why it cannot go on.
    private func work(
        _ onFailure: (@Sendable (QueueDelivery<Item>, any Error) -> Void)?,
        _ body: @escaping @Sendable (QueueDelivery<Item>) async throws -> Void
    ) async -> ZooKeeperError {
        while true {
            do throws(ZooKeeperError) {
                guard let delivery = try await claim(waits: true, timeout: nil) else {
                    preconditionFailure("whoever waits without limit gets an item or an error")
                }
                try await handle(delivery, onFailure, body)
            } catch {
                return error
            }
        }
    }

    private func handle(
        _ delivery: QueueDelivery<Item>, _ onFailure: (@Sendable (QueueDelivery<Item>, any Error) -> Void)?,
        _ body: @escaping @Sendable (QueueDelivery<Item>) async throws -> Void
    ) async throws(ZooKeeperError) {
        do {
            try await delivery.hold.scope {
                do {
                    try await body(delivery)
                } catch {
                    // A body that was cancelled because the claim was lost has nothing to give back.
                    if delivery.hold.isLive { try await delivery.giveBack() }
                    throw error
                }
                if delivery.hold.isLive { try await delivery.finish() }
            }
        } catch {
            if Task.isCancelled { throw ZooKeeperError(.cancelled, path: settings.path) }
            onFailure?(delivery, error)
            // Errors of a single item are no reason to end; the next claim throws if the session is over.
        }
    }
}
