import ConclaveCore
import ConclaveWire

/// What a learner wants done, in this order.
///
/// Orders to storage (`truncate`, `writeSnapshot`, `append`, the epochs) are carried out one after another; sends need
/// not wait for them, because a send that depends on one is only made after the event that reports it.
package enum LearnerAction: Equatable, Sendable {
    // MARK: Connection

    /// Dial the leader; ``LearnerMachine/connected(now:)`` or ``LearnerMachine/connectFailed(now:)`` follows.
    case connect
    /// Whole packets.
    case send([UInt8])

    // MARK: Epochs

    /// Write the promise to disk, then ``LearnerMachine/savedAcceptedEpoch(now:)``.
    case saveAcceptedEpoch(Int64)
    /// Write the epoch to disk, then ``LearnerMachine/savedCurrentEpoch(now:)``. Everything that was ordered to be
    /// appended before has been synced.
    case saveCurrentEpoch(Int64)

    // MARK: The leader's history in place of the own one

    /// Cut the log behind a transaction and read tree and position from disk again, then
    /// ``LearnerMachine/truncated(now:)``; or, if there is no history that ends there, leave everything as it is:
    /// ``LearnerMachine/truncationFailed(now:)``.
    case truncate(to: Zxid)
    /// Empty the tree; a snapshot follows.
    case beginSnapshot
    /// More of the snapshot.
    case loadSnapshot(SnapshotBatch)
    /// The tree holds everything up to a transaction; perhaps also parts of what follows it, see
    /// ``digestsHold(after:)``.
    case endSnapshot(zxid: Zxid)
    /// Apply to the tree, without logging: the log still has the old history.
    case apply(Proposal)
    /// Put the tree in place of the history on disk, as a snapshot at its last transaction, then
    /// ``LearnerMachine/snapshotWritten(now:)``.
    case writeSnapshot
    /// The loaded snapshot may have been taken while it changed: transactions up to this one may have been in it in
    /// part, so digests tell nothing before. Comes at most once after each snapshot.
    case digestsHold(after: Zxid)

    // MARK: History

    /// Append to the log, sync soon, and keep until it is committed; a receipt follows by
    /// ``LearnerMachine/synced(_:now:)``.
    case append(Proposal)
    /// Apply everything appended up to here, each transaction once it is also synced.
    case commit(through: Zxid)

    // MARK: Configuration

    /// A configuration that will hold if its transaction is committed: what `.dynamic.next` files keep.
    case announced(EnsembleConfiguration)
    /// This configuration holds from now on.
    case adopt(EnsembleConfiguration)

    // MARK: Service

    /// The tree has the leader's state: serve clients, who may now use ``LearnerMachine/forward(_:identities:)``.
    case startServing(epoch: Int64)
    /// The leader asks which sessions were heard of: ``LearnerMachine/answerPing(_:)``.
    case pingReceived
    /// The oldest forwarded sync is done: everything the leader had committed when it was forwarded has been ordered to
    /// be committed above.
    case syncAnswered
    /// Whether a session that was asked about by ``LearnerMachine/revalidate(_:timeoutMilliseconds:)`` lives.
    case revalidated(SessionID, Bool)

    // MARK: End

    /// Close the connection and dial the same leader again, with a machine that asks it for a snapshot. Nothing follows.
    case startOver(wantsSnapshotIn: Int64)
    /// Close the connection, stop serving and elect again. Nothing follows.
    ///
    /// Orders to storage that are under way must end first, and what was appended beyond the last commit counts as the
    /// end of the own history in the next election.
    /// - Parameter memoryIsStale: the tree holds what the disk does not; it must be read from disk again.
    case lookAgain(reason: String, memoryIsStale: Bool)
    case note(LogEvent)
}
