import ConclaveCore

/// The rules and limits of a server's part in an ensemble, as plain values.
package struct EnsembleOptions: Sendable {
    package var myID: ServerID
    /// The unit of the limits below.
    package var tickMilliseconds: Int64 = 2000
    /// Ticks for finding each other and catching up.
    package var initLimit: Int64 = 10
    /// Ticks without a sign of life, or a proposal without its acknowledgement, before a connection counts as dead.
    package var syncLimit: Int64 = 5
    /// Ticks that a learner tries to reach its leader; `nil` means `initLimit`.
    package var connectToLeaderLimit: Int64?
    /// Whether configurations may change at run time.
    package var reconfigEnabled = false

    // MARK: Catching up

    /// Committed transactions kept in memory for learners that come back.
    package var commitLogCount = 500
    /// What those may take in bytes; more than a count of small transactions ever needs, less than one of large ones could.
    package var commitLogBytes = 32 << 20
    /// Logs are sent instead of a snapshot when they take no more than this share of its size; 0 for always, below 0 for
    /// never. Above 1 stands for the default.
    package var snapshotSizeFactor = EnsembleOptions.defaultSnapshotSizeFactor
    package static let defaultSnapshotSizeFactor = 0.33
    package var forceSnapshotSync = false
    /// Observers that may be sent a snapshot at one time; voters are not counted.
    package var concurrentSnapshotLimit = 10
    /// Observers that may be sent missing transactions at one time; voters are not counted.
    package var concurrentDifferenceLimit = 100

    // MARK: Election

    /// How long a server waits for notifications before it sends its own again, at first.
    package var electionMinimumMilliseconds: Int64 = 200
    /// The longest it waits.
    package var electionMaximumMilliseconds: Int64 = 60_000
    /// How long a server that sees a quorum waits for a better vote.
    package var finalizeWaitMilliseconds: Int64 = 200
    /// How long a dialled election connection may take.
    package var connectTimeoutMilliseconds: Int64 = 5000
    /// How long an accepted election connection may take to say who it is; `nil` for ``syncMilliseconds``.
    package var handshakeTimeoutMilliseconds: Int64?
    /// How long a leader whose epoch is open waits at the least although voters look for a leader; below 0 for ever, which
    /// is until `initLimit`, as the reference does where nobody has said otherwise.
    ///
    /// A follower that needs longer than that to come does not look meanwhile. Whoever looks when a second has passed was
    /// told of this leader several times and cannot join it, so that waiting on only keeps the others without one.
    package var maximumWaitForEpochMilliseconds: Int64 = EnsembleOptions.defaultWaitForEpochMilliseconds
    package static let defaultWaitForEpochMilliseconds: Int64 = 1_000

    // MARK: Connections

    /// How long a learner waits before it dials its leader again.
    package var connectRetryMilliseconds: Int64 = 100
    /// How often it tries.
    package var connectTries = 5
    /// The longest data of a packet.
    package var maximumPacketBytes = 2_097_150
    /// Bytes that may wait for one learner; beyond that its connection is closed.
    package var learnerQueueBytes = 64 << 20
    /// Bytes of what a learner missed that are sent to it at one time; more follow when those have left.
    package var learnerBurstBytes = 1 << 20
    /// Connections to the quorum port; more are closed at once.
    package var learnerLinkLimit = 1_000

    package init(myID: ServerID) { self.myID = myID }

    /// From connecting to catching up.
    package var initMilliseconds: Int64 { Self.product(initLimit, tickMilliseconds) }
    /// Without a sign of life.
    package var syncMilliseconds: Int64 { Self.product(syncLimit, tickMilliseconds) }
    /// From the first dial to a connection to the leader.
    package var connectToLeaderMilliseconds: Int64 { Self.product(connectToLeaderLimit ?? initLimit, tickMilliseconds) }

    /// Stops at the end instead of trapping: the numbers come from a file.
    private static func product(_ ticks: Int64, _ milliseconds: Int64) -> Int64 {
        let (product, overflow) = ticks.multipliedReportingOverflow(by: milliseconds)
        return overflow ? .max : product
    }
}
