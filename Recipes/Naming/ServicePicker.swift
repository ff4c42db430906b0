import ConclaveCore
import Synchronization

/// Picks one of the enabled instances of a service for each use.
///
/// ```swift
/// let picker = ServicePicker(orders, .roundRobin)
/// try await picker.withInstance { instance in try await call(instance.address, instance.port) }
/// ```
///
/// Never talks to a server: the choice is made among what the directory shows now. An instance on which a use has
/// failed is passed over for a while if there are others.
///
/// - **Source**: Curator's `ServiceProvider` with its strategies and down-instance policy.
public final class ServicePicker<Metadata: Codable & Sendable>: Sendable {
    private let directory: ServiceDirectory<Metadata>
    private let order: Mutex<PickOrder>
    private let penalty: Duration

    /// A picker with a memory of its own.
    ///
    /// - Parameter penalty: how long an instance is passed over after a use of it has failed; zero never does.
    public init(
        _ directory: ServiceDirectory<Metadata>, _ strategy: PickStrategy = .roundRobin, penalty: Duration = .seconds(5)
    ) {
        self.directory = directory
        self.penalty = penalty
        order = Mutex(PickOrder(strategy))
    }

    /// The next instance; `nil` if there is none that is enabled.
    public func pick() -> ServiceInstance<Metadata>? { pick(counting: false) }

    /// Runs the body with the next instance and counts it as used meanwhile.
    ///
    /// - Throws: `noNode` if there is none that is enabled; what the body throws, after which the instance is passed
    ///   over for a while unless the task was cancelled.
    public func withInstance<R>(_ body: (ServiceInstance<Metadata>) async throws -> R) async throws -> R {
        guard let instance = pick(counting: true) else {
            throw ZooKeeperError(.noNode, message: "there is no enabled instance of the service")
        }
        defer { order.withLock { $0.end(instance.id) } }
        do {
            return try await body(instance)
        } catch {
            if !Task.isCancelled { avoid(instance.id, for: penalty) }
            throw error
        }
    }

    /// Passes over an instance for a while, if there are others.
    public func avoid(_ id: String, for duration: Duration) {
        guard duration > .zero else { return }
        let end = ContinuousClock.now.advanced(by: duration)
        order.withLock { $0.avoid(id, until: end) }
    }

    private func pick(counting: Bool) -> ServiceInstance<Metadata>? {
        let instances = directory.instances.filter(\.isEnabled).sorted { $0.id < $1.id }
        let now = ContinuousClock.now
        return order.withLock { order in
            var generator = SystemRandomNumberGenerator()
            guard let place = order.pick(from: instances.map(\.id), now: now, using: &generator) else { return nil }
            if counting { order.begin(instances[place].id) }
            return instances[place]
        }
    }
}
