import ConclaveClient
public import ConclaveCore
import Synchronization

/// The instances of a service, kept at hand by watches; see ``Services``.
///
/// Readiness, staleness, session loss and cost are those of ``ChildrenCache``: the last picture stays readable when the
/// connection is lost, which is better for clients of a service than none.
public final class ServiceDirectory<Metadata: Codable & Sendable>: Sendable {
    private struct Decoded {
        var zxid: Zxid
        var instance: ServiceInstance<Metadata>?
    }

    private let cache: ChildrenCache
    /// Instances by the path of their node, so that each revision is decoded once.
    private let decoded = Mutex<[String: Decoded]>([:])

    init(_ client: ZooKeeperClient, at path: String, limits: CacheLimits) {
        cache = ChildrenCache(client, at: path, limits: limits)
    }

    /// The instances, in the order of their ids; those that cannot be read as this type are left out. Cost: O(n log n).
    public var instances: [ServiceInstance<Metadata>] {
        let nodes = cache.nodes
        return decoded.withLock { decoded in
            if decoded.count > 2 * nodes.count + 16 { decoded = [:] }
            return nodes.compactMap { node in
                if let known = decoded[node.path], known.zxid == node.stat.mzxid { return known.instance }
                // What is no instance of this kind is left out.
                let instance = try? ServiceInstance<Metadata>(configurationBytes: node.bytes)
                decoded[node.path] = Decoded(zxid: node.stat.mzxid, instance: instance)
                return instance
            }
        }
    }

    /// How far ``instances`` can be believed.
    public var status: CacheStatus { cache.status }

    /// Returns when all instances have been read once.
    public func ready(timeout: Duration? = nil) async throws(ZooKeeperError) { try await cache.ready(timeout: timeout) }

    /// The instances, whenever they have changed: the present ones first; the latest wins.
    ///
    /// Ends with `nil` when the iterating task is cancelled or the directory closed, throws when the session is over.
    public var updates: Updates { Updates(directory: self) }

    /// Ends it; what was read stays.
    public func close() async { await cache.close() }

    /// The sequence behind ``ServiceDirectory/updates``.
    public struct Updates: AsyncSequence, Sendable {
        /// What the sequence gives.
        public typealias Element = [ServiceInstance<Metadata>]
        /// How it ends early.
        public typealias Failure = ZooKeeperError

        let directory: ServiceDirectory

        /// A new reader.
        public func makeAsyncIterator() -> AsyncIterator {
            AsyncIterator(directory: directory, changes: directory.cache.changes.makeAsyncIterator())
        }

        /// One reader.
        public struct AsyncIterator: AsyncIteratorProtocol {
            let directory: ServiceDirectory
            var changes: CacheChanges.AsyncIterator
            private var isReady = false

            init(directory: ServiceDirectory, changes: CacheChanges.AsyncIterator) {
                self.directory = directory
                self.changes = changes
            }

            /// The next picture; `nil` once the task was cancelled or the directory closed.
            public mutating func next() async throws(ZooKeeperError) -> [ServiceInstance<Metadata>]? {
                while let change = try await changes.next() {
                    switch change {
                    case .status(.current) where !isReady:
                        isReady = true
                        return directory.instances
                    case .status: continue
                    // Before everything has been read there are only parts of the picture.
                    case .added, .changed, .removed: if isReady { return directory.instances }
                    }
                }
                return nil
            }

            /// The same, for iteration in an actor.
            public mutating func next(
                isolation actor: isolated (any Actor)?
            ) async throws(ZooKeeperError) -> [ServiceInstance<Metadata>]? {
                try await next()
            }
        }
    }
}
