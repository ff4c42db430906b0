public import ConclaveClient
public import ConclaveCore

/// Where workers tell how far they are, and a console sees all of them together.
///
/// ```swift
/// let board = ProgressBoard(client, at: "/progress/import")
/// try await board.withWorker("host-7", total: 10_000) { worker in
///     for record in records {
///         try await load(record)
///         worker.advance()
///     }
/// }
///
/// for try await summary in board.summaries { show(summary.done, of: summary.total, rate: summary.rate) }
/// ```
///
/// - **Guarantee**: the newest report of a worker arrives at every console that stays; reports in between may be left
///   out. A worker whose session ends before it said that it finished is shown as lost.
/// - **Layout**: `path/<worker>`, ephemeral, the report as JSON: `{"done":5,"state":"running","text":"","total":9}`.
///   Finished and failed workers leave a persistent node of the same name in the same transaction.
/// - **Cancellation**: a cancelled worker is shown as failed.
/// - **Session loss**: the work goes on, its reports do not; consoles show it as lost. Consoles throw.
/// - **Cost**: at most 1 request per worker and interval, however often it reports; 5 to end. A console pays 1 request
///   for each report that it reads.
/// - **Source**: a ``Group`` whose payloads are reports.
public struct ProgressBoard: Sendable {
    let group: Group
    let interval: Duration
    private let finishedLimit: Int

    /// A board at a path, which is made when the first worker reports.
    ///
    /// - Parameters:
    ///   - interval: how often a worker writes at most.
    ///   - finishedLimit: how many finished and failed workers stay, at least 1: a worker that ends removes the oldest
    ///     beyond it.
    ///   - acl: the access control list of the nodes that are made.
    public init(
        _ client: ZooKeeperClient, at path: String, interval: Duration = .milliseconds(500),
        keepingFinished finishedLimit: Int = 100, acl: [ACL] = .open
    ) {
        group = Group(client, at: path, acl: acl)
        self.interval = interval
        self.finishedLimit = max(1, finishedLimit)
    }

    // MARK: - Working

    /// Runs the body as a worker: it is shown as running, then as finished, or as failed if the body throws.
    ///
    /// - Parameters:
    ///   - name: the name of the worker's node. A finished worker of that name is replaced; one that runs elsewhere is
    ///     waited for.
    ///   - timeout: how long to wait for it; `nil` for ever, zero not at all.
    public func withWorker<R: Sendable>(
        _ name: String, total: Int64? = nil, text: String = "", timeout: Duration? = nil,
        _ body: @Sendable (ProgressWorker) async throws -> R
    ) async throws -> R {
        let worker = try await start(name, total: total, text: text, timeout: timeout)
        do {
            let result = try await body(worker)
            await worker.end()
            return result
        } catch {
            await worker.end(.failed, text: error is CancellationError ? "cancelled" : nil)
            throw error
        }
    }

    /// Appears as a worker; it runs until ``ProgressWorker/end(_:text:)`` is called, and is lost if it is dropped.
    public func start(
        _ name: String, total: Int64? = nil, text: String = "", timeout: Duration? = nil
    ) async throws -> ProgressWorker {
        let report = ProgressReport(total: total, text: text)
        let membership = try await group.join(
            as: name, payload: try report.configurationBytes(), timeout: timeout, leftovers: .replace)
        return ProgressWorker(board: self, membership: membership, report: report)
    }

    /// Puts the last report in the place of the worker's node, then removes the oldest of those beyond the limit.
    func leave(_ last: ProgressReport, at path: String) async {
        // A report is made of numbers and text, for which there always is JSON.
        guard let bytes = try? last.configurationBytes() else { return await group.cleaner.disown(path).value }
        let acl = group.acl
        await group.cleaner.start { client throws(ZooKeeperError) in
            // After a lost answer the node may be another's, or the record that is wanted.
            try await client.sync(path)
            guard try await client.exists(path)?.ephemeralOwner == client.sessionID else { return }
            try await client.transaction([.delete(path), .create(path, bytes, acl: acl)])
        }.value
        await group.cleaner.start { [self] _ throws(ZooKeeperError) in _ = try await clear(keeping: finishedLimit) }
            .value
    }

    /// Removes the oldest of the finished and failed workers.
    ///
    /// - Returns: how many were removed.
    @discardableResult
    public func clear(keeping limit: Int = 0) async throws(ZooKeeperError) -> Int {
        let ended = try await group.members().filter { $0.session == .none }
        guard ended.count > limit else { return 0 }
        let oldest = ended.sorted { ($0.incarnation, $0.name) < ($1.incarnation, $1.name) }
        var removed = 0
        for member in oldest.dropLast(max(0, limit)) {
            do {
                try await group.client.delete(
                    NodePath.text(of: member.name, below: group.path), version: member.version)
                removed += 1
            } catch let error where error.code == .noNode || error.code == .badVersion {
                // Somebody else was faster, or it is at work again.
            }
        }
        return removed
    }

    // MARK: - Looking on

    /// Everybody as they stand now. Rates and lost workers are known only to those who follow ``summaries``.
    ///
    /// - Cost: one request for the names and one for each hundred workers.
    public func summary() async throws(ZooKeeperError) -> ProgressSummary {
        var ledger = ProgressLedger()
        return ledger.take(GroupChange(from: [], to: try await group.members()))
    }

    /// Everybody at first, then again whenever somebody has reported, come or gone.
    ///
    /// The latest wins. Ends with `nil` when the iterating task is cancelled and throws when the session is over.
    public var summaries: Summaries { Summaries(group: group) }

    /// The sequence behind ``ProgressBoard/summaries``.
    public struct Summaries: AsyncSequence, Sendable {
        /// What the sequence gives.
        public typealias Element = ProgressSummary
        /// How it ends early.
        public typealias Failure = ZooKeeperError

        let group: Group

        /// Starts to follow.
        public func makeAsyncIterator() -> AsyncIterator {
            AsyncIterator(changes: group.changes.makeAsyncIterator())
        }

        /// One console.
        public struct AsyncIterator: AsyncIteratorProtocol {
            private var changes: Group.Changes.AsyncIterator
            private var ledger = ProgressLedger()

            init(changes: Group.Changes.AsyncIterator) { self.changes = changes }

            /// The next summary; `nil` once the task was cancelled.
            public mutating func next() async throws(ZooKeeperError) -> ProgressSummary? {
                guard let change = try await changes.next() else { return nil }
                return ledger.take(change)
            }

            /// The same, for iteration in an actor.
            public mutating func next(
                isolation actor: isolated (any Actor)?
            ) async throws(ZooKeeperError) -> ProgressSummary? {
                try await next()
            }
        }
    }
}
