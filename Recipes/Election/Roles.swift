import ConclaveClient
public import ConclaveCore

/// What a candidate is at the moment.
public enum Role: Sendable {
    /// Waiting to be elected.
    case candidate
    /// Elected; the term says for how long. Resigning it makes the sequence compete again.
    case leader(LeadershipTerm)
    /// No longer the leader; `nil` stands for a resignation.
    case deposed(HoldLoss?)
}

extension MasterElection {
    /// Stands as a candidate for as long as the sequence is iterated and tells each change of role.
    ///
    /// Always `candidate`, `leader`, `deposed`, then `candidate` again. Each iterator is a candidacy of its own, which
    /// ends when the iterating task is cancelled or the iterator is dropped. Ends by throwing when the session is over.
    public var roles: Roles { Roles(election: self) }

    /// The sequence behind ``MasterElection/roles``.
    public struct Roles: AsyncSequence, Sendable {
        /// What the sequence gives.
        public typealias Element = Role
        /// How it ends early.
        public typealias Failure = ZooKeeperError

        let election: MasterElection

        /// A new candidacy.
        public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(election: election) }

        /// One candidacy.
        public struct AsyncIterator: AsyncIteratorProtocol {
            private enum Position {
                case outside
                case candidate
                case leader(LeadershipTerm)
                case ended
            }

            private let election: MasterElection
            private var position = Position.outside

            init(election: MasterElection) { self.election = election }

            /// The next change of role; `nil` once the task was cancelled.
            public mutating func next() async throws(ZooKeeperError) -> Role? {
                switch position {
                case .outside:
                    position = .candidate
                    return .candidate
                case .candidate:
                    do {
                        let term = try await election.campaign()
                        position = .leader(term)
                        return .leader(term)
                    } catch {
                        position = .ended
                        guard error.code != .cancelled else { return nil }
                        throw error
                    }
                case .leader(let term):
                    do {
                        let loss = try await term.lost()
                        position = .outside
                        return .deposed(loss)
                    } catch {
                        position = .ended
                        await term.resign()
                        return nil
                    }
                case .ended:
                    return nil
                }
            }

            /// The same, for iteration in an actor.
            public mutating func next(
                isolation actor: isolated (any Actor)?
            ) async throws(ZooKeeperError) -> Role? {
                try await next()
            }
        }
    }
}
