import ConclaveClient
import ConclaveCore

/// The one-shot watches that a machine's reads have armed and that have not been heard yet.
struct ArmedWatches: Sendable {
    enum Kind: Hashable, Sendable {
        case data
        case existence
        case children
    }

    private var armed: [(kind: Kind, watch: Watch)] = []

    /// Keeps a watch in the place of an earlier one of the same kind at the same path.
    mutating func arm(_ watch: Watch, _ kind: Kind) {
        armed.removeAll { $0.kind == kind && $0.watch.path == watch.path }
        armed.append((kind, watch))
    }

    /// Waits until one fires, or the time is over; a watch that is heard is armed no more.
    mutating func wait(upTo limit: Duration?) async throws(ZooKeeperError) -> StepEvent {
        let watches = armed.map(\.watch)
        let result = await withTaskGroup(
            of: Result<Int?, ZooKeeperError>.self, returning: Result<Int?, ZooKeeperError>.self
        ) { group in
            for (place, watch) in watches.enumerated() {
                group.addTask {
                    do throws(ZooKeeperError) {
                        _ = try await watch.fired()
                        return .success(place)
                    } catch {
                        return .failure(error)
                    }
                }
            }
            group.addTask {
                do {
                    try await Task.sleep(for: limit ?? .seconds(1 << 30), clock: .continuous)
                    return .success(nil)
                } catch {
                    return .failure(ZooKeeperError(.cancelled))
                }
            }
            guard let first = await group.next() else { preconditionFailure("the tasks of the wait have vanished") }
            group.cancelAll()
            return first
        }
        guard let place = try result.get() else { return .elapsed }
        let path = armed.remove(at: place).watch.path
        return .changed(path)
    }
}
