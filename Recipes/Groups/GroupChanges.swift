import ConclaveClient
public import ConclaveCore

extension Group {
    /// Follows the group: first everybody who is there, then a change whenever members have joined, left or changed
    /// their payload.
    ///
    /// The latest wins: what happens while nobody asks for the next element is told in one. Waits while there is no
    /// node at the path. Lost connections are waited out; what happened meanwhile is told afterwards. Ends with `nil`
    /// when the iterating task is cancelled and throws when the session is over.
    public var changes: Changes { Changes(group: self) }

    /// The sequence behind ``Group/changes``.
    public struct Changes: AsyncSequence, Sendable {
        /// What the sequence gives.
        public typealias Element = GroupChange
        /// How it ends early.
        public typealias Failure = ZooKeeperError

        let group: Group

        /// Starts to follow.
        public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(group: group) }

        /// One follower.
        public struct AsyncIterator: AsyncIteratorProtocol {
            private let series: StepSeries<RosterMachine>

            init(group: Group) {
                series = StepSeries(
                    RosterMachine(path: group.path), client: group.client, cleaner: group.cleaner, path: group.path)
            }

            /// The next change; `nil` once the task was cancelled.
            public mutating func next() async throws(ZooKeeperError) -> GroupChange? { try await series.next() }

            /// The same, for iteration in an actor.
            public mutating func next(
                isolation actor: isolated (any Actor)?
            ) async throws(ZooKeeperError) -> GroupChange? {
                try await series.next()
            }
        }
    }
}
