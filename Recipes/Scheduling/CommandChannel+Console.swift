import ConclaveClient
public import ConclaveCore

extension CommandChannel {
    /// A client that has been on the channel at some time.
    public struct Client: Hashable, Sendable {
        /// Its name.
        public let name: String
        /// The number of the last command that it acknowledged or was too late for; -1 before the first.
        public let applied: Int32
        /// The number of the command that it began last.
        public let started: Int32
        /// Whether it is there.
        public let isOnline: Bool
    }

    /// Every client that has been on the channel, sorted by name.
    ///
    /// - Cost: two requests and one for each hundred clients.
    public func clients() async throws(ZooKeeperError) -> [Client] {
        let names = try await names(below: clientsPath)
        let nodes = try await client.dataOfMany(names.map { NodePath.text(of: $0, below: clientsPath) })
        let present = Set(try await self.names(below: online.path))
        return zip(names, nodes).compactMap { name, node in
            guard let node, let progress = try? CommandProgress(configurationBytes: node.bytes) else { return nil }
            return Client(
                name: name, applied: progress.applied, started: progress.started, isOnline: present.contains(name))
        }
    }

    /// Where a command stands; `nil` if it is not kept any more.
    ///
    /// - Cost: five requests, and one more for each hundred clients.
    public func status(of number: Int32) async throws(ZooKeeperError) -> CommandStatus? {
        guard let name = try await command(number) else { return nil }
        return try await status(of: name, among: try await clients())
    }

    /// Where the newest commands stand, in their order.
    ///
    /// - Cost: two requests for each command.
    public func statuses(limit: Int = 100) async throws(ZooKeeperError) -> [CommandStatus] {
        let names = try await commands().suffix(max(0, limit))
        let clients = try await clients()
        var statuses: [CommandStatus] = []
        for name in names {
            if let status = try await status(of: name, among: clients) { statuses.append(status) }
        }
        return statuses
    }

    private func status(
        of name: ContenderName, among clients: [Client]
    ) async throws(ZooKeeperError) -> CommandStatus? {
        let node = NodePath.text(of: name.text, below: commandsPath)
        let looks = try await client.read([.data(node), .children(node)])
        guard case .data(let command)? = looks.first, case .children(let names)? = looks.last else { return nil }
        let nodes = try await client.dataOfMany(names.map { NodePath.text(of: $0, below: node) })
        let acknowledged = zip(names, nodes).compactMap { name, node in
            node.map {
                CommandStatus.Acknowledgement(
                    client: name, result: try? CommandResult(configurationBytes: $0.bytes),
                    milliseconds: $0.stat.ctime)
            }
        }
        let done = Set(names)
        let pending = clients.filter { $0.applied < name.sequence && !done.contains($0.name) }.map { client in
            CommandStatus.Pending(
                client: client.name, isOnline: client.isOnline, hasStarted: client.started >= name.sequence)
        }
        return CommandStatus(
            number: name.sequence, data: command.bytes, publishedMilliseconds: command.stat.ctime,
            acknowledged: acknowledged, pending: pending)
    }

    // MARK: - Retention

    /// Removes a command and its acknowledgements; clients that have not begun with it will not.
    ///
    /// - Returns: whether there was one.
    @discardableResult
    public func withdraw(_ number: Int32) async throws(ZooKeeperError) -> Bool {
        guard let name = try await command(number) else { return false }
        try await remove(name)
        return true
    }

    /// Removes the oldest commands with their acknowledgements.
    ///
    /// Clients that have not got to them count them in ``Command/missed``.
    ///
    /// - Returns: how many were removed.
    @discardableResult
    public func prune(keeping limit: Int) async throws(ZooKeeperError) -> Int {
        let old = try await commands().dropLast(max(0, limit))
        for name in old { try await remove(name) }
        return old.count
    }

    /// Removes what is known of a client that will not come back, so that no command waits for it.
    ///
    /// - Returns: whether there was one.
    @discardableResult
    public func forget(_ name: String) async throws(ZooKeeperError) -> Bool {
        do {
            try await client.delete(NodePath.text(of: name, below: clientsPath))
            return true
        } catch let error where error.code == .noNode {
            return false
        }
    }

    private func remove(_ name: ContenderName) async throws(ZooKeeperError) {
        let node = NodePath.text(of: name.text, below: commandsPath)
        while true {
            do {
                for child in try await client.children(of: node).names {
                    try await client.deleteIfPresent(NodePath.text(of: child, below: node))
                }
                return try await client.delete(node)
            } catch let error where error.code == .noNode {
                return
            } catch let error where error.code == .notEmpty {
                // Somebody acknowledged it in between: another client is done, so this ends.
            }
        }
    }

    // MARK: - Names

    private func commands() async throws(ZooKeeperError) -> [ContenderName] {
        try await names(below: commandsPath).compactMap(ContenderName.init).sorted()
    }

    private func command(_ number: Int32) async throws(ZooKeeperError) -> ContenderName? {
        try await commands().first { $0.sequence == number }
    }

    private func names(below path: String) async throws(ZooKeeperError) -> [String] {
        do {
            return try await client.children(of: path).names
        } catch let error where error.code == .noNode {
            return []
        }
    }

    // MARK: - Following

    /// Follows a command: where it stands now, then again at each acknowledgement, until no client is left that has yet
    /// to do it or the command is removed.
    ///
    /// Ends also when the iterating task is cancelled; throws when the session is over.
    public func progress(of number: Int32) -> Progress { Progress(channel: self, number: number) }

    /// The sequence behind ``CommandChannel/progress(of:)``.
    public struct Progress: AsyncSequence, Sendable {
        /// What the sequence gives.
        public typealias Element = CommandStatus
        /// How it ends early.
        public typealias Failure = ZooKeeperError

        let channel: CommandChannel
        let number: Int32

        /// Starts to follow.
        public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(channel: channel, number: number) }

        /// One observer.
        public struct AsyncIterator: AsyncIteratorProtocol {
            private let channel: CommandChannel
            private let number: Int32
            private var changes: Group.Changes.AsyncIterator?
            private var isOver = false

            init(channel: CommandChannel, number: Int32) {
                self.channel = channel
                self.number = number
            }

            /// The next status; `nil` at the end, and once the task was cancelled.
            public mutating func next() async throws(ZooKeeperError) -> CommandStatus? {
                guard !isOver else { return nil }
                while true {
                    do {
                        if changes == nil {
                            guard let name = try await channel.command(number) else { return nil }
                            // Acknowledgements come as members of a group do.
                            let node = NodePath.text(of: name.text, below: channel.commandsPath)
                            changes = Group(channel.client, at: node).changes.makeAsyncIterator()
                        }
                        guard try await changes?.next() != nil else { return nil }
                        let status = try await channel.status(of: number)
                        isOver = status?.isComplete ?? true
                        return status
                    } catch {
                        if error.code == .cancelled { return nil }
                        changes = nil
                        guard error.code.isWorthReconnecting, await channel.client.isConnectedAgain() else {
                            throw error
                        }
                    }
                }
            }

            /// The same, for iteration in an actor.
            public mutating func next(
                isolation actor: isolated (any Actor)?
            ) async throws(ZooKeeperError) -> CommandStatus? {
                try await next()
            }
        }
    }
}
