import ConclaveClient
public import ConclaveCore

extension Configuration {
    /// Follows the value: the current revision first, if there is one, then each newer one as it comes; the latest
    /// wins.
    ///
    /// Waits while there is no node. Data that is not a value of this type is passed over and counted in
    /// ``ConfigurationRevision/invalid``, so one bad publication does not stop all subscribers. Lost connections are
    /// waited out: what was published meanwhile arrives afterwards. Ends with `nil` when the iterating task is
    /// cancelled and throws when the session is over.
    ///
    /// - Cost: one request for each revision delivered; the watch comes with it.
    public var updates: Updates { Updates(configuration: self) }

    /// The sequence behind ``Configuration/updates``.
    public struct Updates: AsyncSequence, Sendable {
        /// What the sequence gives.
        public typealias Element = ConfigurationRevision<Value>
        /// How it ends early.
        public typealias Failure = ZooKeeperError

        let configuration: Configuration

        /// Starts to follow.
        public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(configuration: configuration) }

        /// One subscriber.
        public struct AsyncIterator: AsyncIteratorProtocol {
            private let configuration: Configuration
            private var tracker = RevisionTracker()
            private var change: Watch?
            private var skipped = 0
            private var invalid = 0
            private var recreated = false

            init(configuration: Configuration) { self.configuration = configuration }

            /// The next revision; `nil` once the task was cancelled.
            public mutating func next() async throws(ZooKeeperError) -> ConfigurationRevision<Value>? {
                while true {
                    do {
                        if let change { _ = try await change.fired() }
                        change = nil
                        if let node = try await look(), let revision = judge(node) { return revision }
                    } catch {
                        change = nil
                        if error.code == .cancelled { return nil }
                        guard error.code.isWorthReconnecting,
                            await configuration.client.isConnectedAgain(readsSuffice: true)
                        else {
                            if Task.isCancelled { return nil }
                            throw error
                        }
                    }
                }
            }

            /// The same, for iteration in an actor.
            public mutating func next(
                isolation actor: isolated (any Actor)?
            ) async throws(ZooKeeperError) -> ConfigurationRevision<Value>? {
                try await next()
            }

            /// Reads the node and arms the watch for the next change; `nil` if there is none.
            private mutating func look() async throws(ZooKeeperError) -> NodeData? {
                while true {
                    do {
                        let (node, watch) = try await configuration.client.watchData(at: configuration.path)
                        change = watch
                        return node
                    } catch let error where error.code == .noNode {
                        let (stat, watch) = try await configuration.client.watchExists(configuration.path)
                        guard stat == nil else { continue }
                        change = watch
                        return nil
                    }
                }
            }

            /// Decides whether what was read is a revision to deliver.
            private mutating func judge(_ node: NodeData) -> ConfigurationRevision<Value>? {
                guard case .new(let missed, let isNewNode) = tracker.look(node.stat) else { return nil }
                skipped += missed
                if isNewNode { recreated = true }
                guard let value = try? configuration.value(of: node.bytes) else {
                    // Why it is not valid is told by `current()`; here it only must not stop the sequence.
                    invalid += 1
                    return nil
                }
                let revision = ConfigurationRevision(
                    value: value, version: node.stat.version, zxid: node.stat.mzxid,
                    writtenMilliseconds: node.stat.mtime, skipped: skipped, invalid: invalid, recreated: recreated)
                (skipped, invalid, recreated) = (0, 0, false)
                configuration.learn(revision)
                return revision
            }
        }
    }
}
