import ConclaveClient
public import ConclaveCore

extension MasterElection {
    /// Follows who leads, without standing as a candidate: the current leader first, `nil` while there is none.
    ///
    /// The latest wins: leaders that came and went between two looks are not reported. Elements differ from each other
    /// in token or identity. Survives lost connections; ends by throwing when the session is over.
    ///
    /// - Cost: three requests for each change; only the leader's node is watched, or the parent while there is none.
    public var leaders: Leaders { Leaders(contenders: contenders, comers: comers) }

    /// The sequence behind ``MasterElection/leaders``.
    public struct Leaders: AsyncSequence, Sendable {
        /// What the sequence gives.
        public typealias Element = Contender?
        /// How it ends early.
        public typealias Failure = ZooKeeperError

        let contenders: Contenders
        let comers: FirstComers?

        /// Starts to follow.
        public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(contenders: contenders, comers: comers) }

        /// One follower.
        public struct AsyncIterator: AsyncIteratorProtocol {
            private let contenders: Contenders
            private let comers: FirstComers?
            private var change: Watch?
            private var last: Contender??

            init(contenders: Contenders, comers: FirstComers?) {
                self.contenders = contenders
                self.comers = comers
            }

            /// The next leader; `nil` once the task was cancelled.
            public mutating func next() async throws(ZooKeeperError) -> Contender?? {
                while true {
                    do {
                        if let change { _ = try await change.fired() }
                        change = nil
                        let leader = try await look()
                        if let last, last?.token == leader?.token, last?.identity == leader?.identity { continue }
                        last = .some(leader)
                        return .some(leader)
                    } catch {
                        change = nil
                        if error.code == .cancelled { return nil }
                        guard error.code.isWorthReconnecting,
                            await contenders.client.isConnectedAgain(readsSuffice: true)
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
            ) async throws(ZooKeeperError) -> Contender?? {
                try await next()
            }

            /// Reads the first candidate and arms the watch that tells when there may be another.
            private mutating func look() async throws(ZooKeeperError) -> Contender? {
                let client = contenders.client
                if let comers { return try await look(at: comers) }
                while true {
                    let names: [String]
                    do {
                        names = try await client.children(of: contenders.path).names
                    } catch let error where error.code == .noNode {
                        let (stat, created) = try await client.watchExists(contenders.path)
                        guard stat == nil else { continue }
                        change = created
                        return nil
                    }
                    guard let first = names.compactMap(ContenderName.init).min() else {
                        do {
                            let (children, watch) = try await client.watchChildren(of: contenders.path)
                            guard !children.names.contains(where: { ContenderName($0) != nil }) else { continue }
                            change = watch
                            return nil
                        } catch let error where error.code == .noNode {
                            continue
                        }
                    }
                    if let leader = try await look(atLeader: contenders.node(first.text)) { return leader }
                }
            }

            /// In the simple form: the one node, or that there is none.
            private mutating func look(at comers: FirstComers) async throws(ZooKeeperError) -> Contender? {
                while true {
                    if let leader = try await look(atLeader: comers.lockPath) { return leader }
                    let (stat, created) = try await comers.client.watchExists(comers.lockPath)
                    guard stat == nil else { continue }
                    change = created
                    return nil
                }
            }

            /// Reads a leader's node and arms a watch on it; `nil` if it has gone.
            private mutating func look(atLeader path: String) async throws(ZooKeeperError) -> Contender? {
                do {
                    let (node, watch) = try await contenders.client.watchData(at: path)
                    change = watch
                    return Contender(
                        identity: String(decoding: node.bytes, as: UTF8.self), position: 0, isShared: false,
                        isHolder: true, sinceMilliseconds: node.stat.ctime, session: node.stat.ephemeralOwner,
                        token: FencingToken(node.stat.czxid), path: path)
                } catch let error where error.code == .noNode {
                    return nil
                }
            }
        }
    }
}
