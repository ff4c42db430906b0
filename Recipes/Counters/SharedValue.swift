public import ConclaveClient
public import ConclaveCore

/// A value that all clients of an ensemble see and change.
///
/// ```swift
/// let limit = SharedValue<Int32>(client, at: "/values/limit")         // Curator's SharedCount
/// try await limit.seed(8)
/// if let now = try await limit.get() { try await limit.compareAndSet(now.value * 2, expecting: now.version) }
/// for try await reading in limit.updates { resize(to: reading.value) }
/// ```
///
/// The small sister of ``Configuration``, without history and acknowledgement.
///
/// - **Guarantee**: written whole or not at all; of two who expect the same version one succeeds.
/// - **Layout**: the value is the node's data. `SharedValue<[UInt8]>` shares it with Curator's `SharedValue`,
///   `SharedValue<Int32>` with its `SharedCount` (4 bytes big-endian).
/// - **Lost connections**: reads and writes throw, ``updates`` waits. **Session loss**: all throw.
/// - **Cancellation**: a write under way has an unknown outcome.
/// - **Cost**: 1 request to read or write; 1 for each reading delivered to a subscriber.
public struct SharedValue<Value: ConfigurationValue>: Sendable {
    private let value: Configuration<Value>

    /// A value at a path.
    ///
    /// - Parameters:
    ///   - client: the session that reads and writes.
    ///   - path: the node; it need not exist yet.
    ///   - acl: the access control list of the nodes that this creates.
    public init(_ client: ZooKeeperClient, at path: String, acl: [ACL] = .open) {
        value = Configuration(client, at: path, acl: acl)
    }

    /// The newest valid value that this object has seen, also without a connection; `nil` before the first.
    public var lastKnown: ConfigurationRevision<Value>? { value.lastKnownGood }

    /// Reads the value and its version; `nil` if there is no node.
    ///
    /// - Throws: ``ZooKeeperError``, or what is wrong with the data.
    public func get() async throws -> ConfigurationRevision<Value>? { try await value.current() }

    /// Makes the node with this value if there is none; whatever is there stays.
    ///
    /// - Returns: whether this call made it.
    public func seed(_ initial: Value) async throws -> Bool {
        do {
            try await value.publish(initial, expecting: .nothing)
            return true
        } catch let error as ZooKeeperError where error.code == .nodeExists {
            return false
        }
    }

    /// Writes the value, whatever was there; of several who do, the last wins.
    @discardableResult
    public func set(_ new: Value) async throws -> ConfigurationRevision<Value> { try await value.publish(new) }

    /// Writes the value if the version is still this one.
    ///
    /// - Returns: what was written, or `nil` if another version was there, in which case nothing has changed.
    /// - Throws: `noNode` if there is no node; after `connectionLoss` the outcome is unknown.
    @discardableResult
    public func compareAndSet(_ new: Value, expecting version: Int32) async throws -> ConfigurationRevision<Value>? {
        do {
            return try await value.publish(new, expecting: .version(version))
        } catch let error as ZooKeeperError where error.code == .badVersion {
            return nil
        }
    }

    /// Replaces the value by one made from it, again and again until nobody has written in between; see
    /// ``Configuration/update(_:)``.
    @discardableResult
    public func update(_ change: @Sendable (Value?) throws -> Value) async throws -> ConfigurationRevision<Value> {
        try await value.update(change)
    }

    /// Follows the value: the current one first, then each newer one as it comes; the latest wins, and those that
    /// were skipped are counted. See ``Configuration/updates``.
    public var updates: Configuration<Value>.Updates { value.updates }
}
