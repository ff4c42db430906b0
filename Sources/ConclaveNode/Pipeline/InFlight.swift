import ConclaveCore
import ConclaveWire

/// What waits for a receipt.
struct InFlight: Sendable {
    /// What happens once the zxid is durable.
    enum Work: Sendable {
        /// A transaction that this server has made.
        case apply(Transaction, Preparer.Answer, Requester)
        /// A transaction of the leader. Whoever asked for it asked another server, or this one as a learner.
        case replicate(Proposal)
        /// A sync: nothing to apply, answered when everything before it has been applied.
        case barrier(path: NodePath, Requester)
    }

    /// Who waits for the answer.
    enum Requester: Sendable {
        case server
        /// A request of an established session.
        case request(ConnectionID, xid: Int32, operation: OperationCode, received: Instant)
        /// A connect request whose session is being created.
        case handshake(ConnectionID)
    }

    let zxid: Zxid
    let work: Work
}
