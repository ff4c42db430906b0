import ConclaveCore

/// What a process tells the judge about itself: facts, at the moment at which they become true.
///
/// The judge believes them, and compares them with each other and with what clients saw. A server reports what it does,
/// not what it means to do; what it says to others follows from that.
package enum Observation: Sendable, Equatable {
    // Servers: history.

    /// A start has read everything from disk; `through` is the newest transaction, or the zxid of the newest snapshot.
    case recovered(through: Zxid)
    /// Took a transaction into its history, behind what was there; not yet durable.
    case logged(LogEntry)
    /// Everything in the history up to this survives a crash; said when the receipt is there.
    case durable(through: Zxid)
    /// Cut its history.
    case truncated(to: Zxid)
    /// Replaced its history by a snapshot that stands for everything up to this.
    case installed(through: Zxid)

    // Servers: roles.

    /// Promised never to follow an older leader; durable.
    case acceptedEpoch(Int64)
    /// Adopted the history of this epoch's leader; durable.
    case currentEpoch(Int64)
    /// Told its leader that everything up to this is durable here.
    case acknowledged(through: Zxid)
    /// A quorum has taken over this leader's history: it may propose and commit.
    case activated(epoch: Int64)
    /// Shows its state to clients from now on; `through` is the last transaction in that state.
    case serving(through: Zxid, digest: UInt64?)
    /// Applied the next transaction while serving.
    case applied(Zxid, digest: UInt64?)
    case stoppedServing

    // Clients.

    /// A write was answered, with success or with an error that took up a zxid.
    case answered(SessionID, cxid: Int32, Zxid)
    /// Believes that its session lives until then, by its own clock.
    case held(SessionID, until: Instant)
    /// Gave up its session; said before anybody else can hear of it.
    case released(SessionID)
}

/// A transaction as far as the judge needs to know it.
package struct LogEntry: Sendable, Equatable {
    package enum Kind: UInt8, Sendable {
        /// A client asked for it and is told what became of it.
        case request
        /// The end of the session, whoever asked for it.
        case closeSession
        /// Neither: a new session, a clean-up by the server, the first entry of a leader.
        case other
    }

    package var zxid: Zxid
    package var kind: Kind
    package var session: SessionID
    package var cxid: Int32
    /// Of the content: equal for equal transactions.
    package var fingerprint: UInt64
    /// The node that the service took away by itself, which no client asked for: an empty container.
    package var removed: String?

    package init(
        zxid: Zxid, kind: Kind, session: SessionID = .none, cxid: Int32 = 0, fingerprint: UInt64,
        removed: String? = nil
    ) {
        self.zxid = zxid
        self.kind = kind
        self.session = session
        self.cxid = cxid
        self.fingerprint = fingerprint
        self.removed = removed
    }
}

extension LogEntry: CustomStringConvertible {
    package var description: String {
        switch kind {
        case .request: "\(zxid), request \(cxid) of \(session), \(String(fingerprint, radix: 16))"
        case .closeSession: "\(zxid), end of \(session)"
        case .other: "\(zxid), \(String(fingerprint, radix: 16))"
        }
    }
}
