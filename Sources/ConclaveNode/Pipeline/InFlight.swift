import ConclaveCore

/// A request that waits for a receipt.
struct InFlight: Sendable {
    /// What happens once the zxid is durable.
    enum Work: Sendable {
        case apply(Transaction, Preparer.Answer)
        /// A sync: nothing to apply, answered when everything before it has been applied.
        case barrier(path: NodePath)
    }

    /// Who waits for the answer.
    enum Requester: Sendable {
        case server
        /// Whoever asked for it asked another server, or this one as a learner.
        case replicated
        /// A request of an established session.
        case request(ConnectionID, xid: Int32, operation: OperationCode, received: Instant)
        /// A connect request whose session is being created.
        case handshake(ConnectionID)
    }

    let zxid: Zxid
    let work: Work
    let requester: Requester
}
