/// Mistakes that can be planted in the real servers and clients, one at a time, each of a kind that real systems made.
///
/// They live in the shell that the simulator puts around the machines: the product has no switch for them.
package enum PlantedBug: String, CaseIterable, Sendable {
    // Storage.
    /// A follower acknowledges, and a leader counts itself, before the disk has the transaction (ZOOKEEPER-4646, 3911).
    case acknowledgesBeforeSync
    /// The promise to a new leader is not written down (ZOOKEEPER-335, 1653).
    case forgetsAcceptedEpoch
    /// The adopted epoch is not written down (ZOOKEEPER-2307, 4269).
    case forgetsCurrentEpoch
    /// TRUNC is answered without anything being cut (ZOOKEEPER-1549).
    case skipsTruncation
    /// A received snapshot is acknowledged but not stored (ZOOKEEPER-3642, 2872).
    case skipsInstallation
    /// Nothing is synced (forceSync=no).
    case skipsSync
    /// Folders are not synced after files were put in their place (ClickHouse #116316).
    case skipsFolderSync
    /// A sync that failed counts as done, as a retry would make it (ATC 2020).
    case takesFailedSyncForDone
    /// The server goes on after its disk has failed (ZOOKEEPER-4882, 2247).
    case goesOnAfterDiskError
    /// Missing data are taken for an empty database (ZOOKEEPER-2325, 3056).
    case startsEmpty

    // Consensus.
    /// A server needs nobody else for a quorum.
    case countsItselfAsQuorum
    /// Observers count as voters (ZOOKEEPER-2845's relatives, 1552).
    case letsObserversVote
    /// A failed dial is the last one (ZOOKEEPER-3320, 2164).
    case givesUpDialling
    /// COMMIT goes out with PROPOSAL.
    case commitsAtOnce
    /// A server calls its history newer than it is, and nobody looks closely (ZOOKEEPER-1154, 2172).
    case electsTheStale
    /// A transaction is not the same for everybody (ZOOKEEPER-2080's effect).
    case changesProposals
    /// A snapshot for a learner has lost a part (ZOOKEEPER-3104).
    case losesSnapshotSlice
    /// Logs are sent although a snapshot stands for what they lack (ZOOKEEPER-4925's effect).
    case handsOnGaps
    /// A snapshot for a learner comes without the sessions (ZOOKEEPER-3127).
    case streamsWithoutSessions

    // Sessions and clients.
    /// A learner sends a request twice.
    case forwardsTwice
    /// Time-outs are counted by the time of day (ZOOKEEPER-1366).
    case countsWallTime
    /// A leader ends sessions that are alive.
    case endsSessionsEarly
    /// A leader finds sessions alive that have ended (ZOOKEEPER-1367, 2355).
    case revivesSessions
    /// A client counts its window from the answer instead of the question (Jepsen, etcd #11456).
    case countsHoldFromAnswer
    /// A client does not say what it has seen, and goes back in time (ZOOKEEPER-2678's effect).
    case forgetsLastZxid
    /// A client does not bring its watches to its next server (ZOOKEEPER-706, 4475).
    case forgetsWatches
    /// Only those that fire once are brought along.
    case forgetsLastingWatches
    /// Events go out behind the replies of the same turn (ZOOKEEPER-1863's relatives).
    case sendsEventsLate
    /// Some events never go out (ZOOKEEPER-1412).
    case losesEvents
    /// A read is answered with the zxid of a newer state.
    case namesNewerState
    /// A request whose answer is missing is sent to the next server again.
    case repeatsLostWrites
}
