public import ConclaveClient
public import ConclaveCore

/// Finds out who of a group has stopped answering, and since when.
///
/// ```swift
/// let monitor = HeartbeatMonitor(client, at: "/groups/workers", suspectAfter: .seconds(3), deadAfter: .seconds(10))
/// for try await report in monitor.reports {
///     for member in report.changed { note("\(member.name): \(member.condition)") }
/// }
/// ```
///
/// A session proves that the process runs and reaches the servers; its node goes when it does not. Heartbeats prove
/// more: the member itself writes its node by ``Membership/beat()`` from where the work is done, so work that hangs in
/// a process that lives is found too.
///
/// - **Guarantee**: a member whose node has gone is dead within one notification. A member that does not beat is
///   suspect, then dead, at most one look later than asked. Nobody is suspected for time in which the monitor could not
///   look itself.
/// - **Layout**: that of ``Group``; members of Curator and kazoo count, but do not beat.
/// - **Cancellation**: ``reports`` ends.
/// - **Session loss**: ``reports`` throws. A lost connection is waited out.
/// - **Cost**: for each look one request for the names and one for each hundred members; a beat is one request of the
///   member.
/// - **Source**: the failure detector by time-outs as in Chandra and Toueg (1996), and ZooKeeper's ephemeral nodes.
public struct HeartbeatMonitor: Sendable {
    private let group: Group
    private let suspectAfter: Duration?
    private let deadAfter: Duration?
    private let interval: Duration?

    /// The shortest time between two looks that the monitor chooses by itself.
    private static let shortestInterval = Duration.milliseconds(10)

    /// A monitor of the group at a path.
    ///
    /// - Parameters:
    ///   - suspectAfter: for how long a member may not beat before it is suspect; a few times the interval at which
    ///     members beat. `nil` expects no beats: then only a node that goes tells.
    ///   - deadAfter: for how long it may not beat before it counts as dead; `nil` leaves it suspect.
    ///   - interval: how often to look; a quarter of the shorter of the two times unless given.
    public init(
        _ client: ZooKeeperClient, at path: String, suspectAfter: Duration? = nil, deadAfter: Duration? = nil,
        lookingEvery interval: Duration? = nil
    ) {
        group = Group(client, at: path)
        self.suspectAfter = suspectAfter
        self.deadAfter = deadAfter
        let shortest = [suspectAfter, deadAfter].compactMap { $0 }.min()
        self.interval = interval ?? shortest.map { max(Self.shortestInterval, $0 / 4) }
    }

    /// Everybody at first, then a report whenever somebody's condition changes.
    public var reports: Reports { Reports(monitor: self) }

    /// The sequence behind ``HeartbeatMonitor/reports``. Each iterator judges by what it has seen itself.
    public struct Reports: AsyncSequence, Sendable {
        /// What the sequence gives.
        public typealias Element = HeartbeatReport
        /// How it ends early.
        public typealias Failure = ZooKeeperError

        let monitor: HeartbeatMonitor

        /// Starts to look.
        public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(monitor: monitor) }

        /// One observer.
        public struct AsyncIterator: AsyncIteratorProtocol {
            private let series: StepSeries<LookMachine>
            private var judge: HeartbeatJudge
            private var isFirst = true
            private let start = ContinuousClock.now

            init(monitor: HeartbeatMonitor) {
                let group = monitor.group
                series = StepSeries(
                    LookMachine(path: group.path, interval: monitor.interval), client: group.client,
                    cleaner: group.cleaner, path: group.path)
                judge = HeartbeatJudge(suspectAfter: monitor.suspectAfter, deadAfter: monitor.deadAfter)
            }

            /// The next report; `nil` once the task was cancelled.
            public mutating func next() async throws(ZooKeeperError) -> HeartbeatReport? {
                while let look = try await series.next() {
                    let now = ContinuousClock.now - start
                    let changed = judge.look(look.members, at: now, afterGap: look.isAfterGap)
                    guard isFirst || !changed.isEmpty else { continue }
                    isFirst = false
                    return HeartbeatReport(members: judge.everybody(at: now), changed: changed)
                }
                return nil
            }

            /// The same, for iteration in an actor.
            public mutating func next(
                isolation actor: isolated (any Actor)?
            ) async throws(ZooKeeperError) -> HeartbeatReport? {
                try await next()
            }
        }
    }
}
