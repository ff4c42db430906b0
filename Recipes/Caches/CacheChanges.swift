public import ConclaveCore

/// The changes of a cache: everything that is there first, then each step as it comes.
///
/// Changes of one node that were not taken in time are joined into one, so a slow reader is told less often, never
/// wrongly, and costs no more than the cache. A ``CacheChange/status(_:)`` comes when all changes before it have been
/// taken: the first ``CacheStatus/current`` says that everything has been seen. Each iterator is a reader of its own.
/// Ends with `nil` when the iterating task is cancelled or the cache is closed, and throws when the session is over.
public struct CacheChanges: AsyncSequence, Sendable {
    /// What the sequence gives.
    public typealias Element = CacheChange
    /// How it ends early.
    public typealias Failure = ZooKeeperError

    let core: CacheCore

    /// A new reader.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(core: core) }

    /// One reader.
    public struct AsyncIterator: AsyncIteratorProtocol {
        private let place: Place
        private var hasEnded = false

        init(core: CacheCore) { place = Place(core) }

        /// The next change; `nil` once the task was cancelled or the cache closed.
        public mutating func next() async throws(ZooKeeperError) -> CacheChange? {
            guard !hasEnded else { return nil }
            guard let change = await place.core.next(for: place.number) else { return nil }
            guard case .status(.ended(let error)) = change else { return change }
            hasEnded = true
            if let error { throw error }
            return nil
        }

        /// The same, for iteration in an actor.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(ZooKeeperError) -> CacheChange? {
            try await next()
        }
    }

    /// A reader's place among the followers, given up when the iterator is dropped.
    private final class Place: Sendable {
        let core: CacheCore
        let number: UInt64

        init(_ core: CacheCore) {
            self.core = core
            number = core.follow()
        }

        deinit { core.leave(number) }
    }
}
