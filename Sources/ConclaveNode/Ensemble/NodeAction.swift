import ConclaveConsensus
import ConclaveCore
import ConclaveWire

/// What the shell must do for a ``NodeMachine``, in order.
///
/// Actions of the client side are the server machine's own: see ``ServerMachine/takeActions()``.
package enum NodeAction: Sendable {
    // MARK: Election port

    /// Dial a server's election port, at the first address that answers; ``NodeMachine/electionDialled(_:link:now:wall:)`` or
    /// ``NodeMachine/electionDialFailed(_:now:wall:)`` follows.
    case dialElection(ServerID, [ElectionAddress])
    case sendElection(LinkID, [UInt8])
    case closeElection(LinkID)

    // MARK: Quorum port

    /// Dial the leader's quorum port; ``NodeMachine/leaderDialled(_:now:wall:)`` or ``NodeMachine/leaderDialFailed(now:wall:)``
    /// follows.
    case dialLeader([EnsembleMember.Address])
    case sendQuorum(LinkID, [UInt8])
    /// As ``sendQuorum(_:_:)``, within some milliseconds: what follows until then goes out with it.
    case sendQuorumLater(LinkID, [UInt8])
    case closeQuorum(LinkID, String)
    /// A learner needs the whole tree: make a snapshot, or take a fresh one, then
    /// ``NodeMachine/snapshotReady(_:zxid:now:wall:)`` and stream it.
    case needSnapshot(LinkID)
    /// Read the logs, then ``NodeMachine/historyRead(_:proposals:now:wall:)``.
    case needHistory(LinkID, after: Zxid, through: Zxid, isFirst: Bool)

    // MARK: Storage

    /// One after another; each is reported before anything that depends on it happens.
    case order(StorageOrder)

    // MARK: Others

    /// Another configuration holds: write it down.
    case adopt(EnsembleConfiguration)
    /// A configuration that will hold if its transaction is committed.
    case announced(EnsembleConfiguration)
    /// The role has changed, for whoever watches the server.
    case roleChanged(ServingRole)
    case note(LogEvent)
}

/// What a ``NodeMachine`` asks of storage.
package enum StorageOrder: Sendable {
    /// Log and sync; ``NodeMachine/synced(_:now:wall:)`` follows.
    case append(Proposal)
    /// ``NodeMachine/epochSaved(now:wall:)`` follows each.
    case saveAcceptedEpoch(Int64)
    case saveCurrentEpoch(Int64)
    /// Cut the log and read everything again; ``NodeMachine/reloaded(_:now:wall:)`` follows, or
    /// ``NodeMachine/truncationFailed(now:wall:)`` if it cannot be cut there and nothing has changed.
    case truncate(to: Zxid)
    /// Read everything again, because memory was given up; ``NodeMachine/reloaded(_:now:wall:)`` follows.
    case reload
    /// Write the tree as a snapshot in place of the whole history; ``NodeMachine/historyReplaced(now:wall:)`` follows.
    case replaceHistory
}
