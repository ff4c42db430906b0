import ConclaveCore
import ConclaveWire

/// What the shell must do for a leader, in order.
package enum LeaderAction: Equatable, Sendable {
    /// Bytes that go out on a connection behind everything sent on it before.
    case send(LinkID, [UInt8])
    /// The same for bytes that nobody waits for: they may be held back for a millisecond, to go out with what follows.
    case sendLater(LinkID, [UInt8])
    /// End the connection; the machine has forgotten it already.
    case close(LinkID, LinkEnd)
    /// Store the epoch, then call ``LeaderMachine/savedAcceptedEpoch(now:)``.
    case saveAcceptedEpoch(Int64)
    /// Store the epoch, then call ``LeaderMachine/savedCurrentEpoch(now:)``.
    case saveCurrentEpoch(Int64)
    /// A configuration is in force from now on: install it and write it down. `leader` is who leads under it.
    case adopt(EnsembleConfiguration, leader: ServerID)
    /// A quorum follows: serve clients. The first zxid is 1 in this epoch.
    case activate(epoch: Int64)
    /// A quorum has logged everything up to here: apply it. Strictly in order.
    case commit(through: Zxid)
    /// Call ``LeaderMachine/snapshotReady(_:zxid:now:)`` with a snapshot at hand, then stream it.
    case needSnapshot(LinkID)
    /// Read the logs and call ``LeaderMachine/historyRead(_:proposals:now:)``.
    ///
    /// The answer begins with the newest transaction at or before `after` and goes up to `through`, or as far as is
    /// convenient: the rest is asked for again, with `isFirst` false. If `isFirst`, the answer is `nil` when there is no
    /// such transaction or the logs are too large beside the newest snapshot, see
    /// ``EnsembleOptions/allowsHistorySync(logBytes:snapshotBytes:)``.
    case needHistory(LinkID, after: Zxid, through: Zxid, isFirst: Bool)
    /// A client of a learner wants something written.
    case forwarded(LinkID, ForwardedRequest, [Identity])
    /// A client came back to a learner, or has sent it a ping; answer with ``LeaderMachine/answer(_:on:now:)``.
    case revalidate(LinkID, SessionID, timeoutMilliseconds: Int32, isPing: Bool = false)
    /// A learner heard of these sessions.
    case touched(LinkID, [SessionTouch])
    /// A learner has caught up.
    case synchronised(LinkID, ServerID)
    /// This server leads no longer, and the machine does nothing any more: close all connections and look again.
    case stepDown(reason: String)
    case note(LogEvent)
}

/// Why a leader ends a learner's connection.
package enum LinkEnd: Equatable, Sendable {
    case badPacket(String)
    /// The kind of packet has no place at this point of the conversation.
    case unexpected(QuorumPacket.Kind)
    case tooManyLinks(Int)
    /// The learner came back on another connection.
    case replaced
    /// The learner calls itself by this server's number.
    case isMyself
    /// The learner calls itself by the number of one that is connected, in the manner of an old release that asks nothing back.
    case numberInUse(ServerID)
    /// The learner has a newer configuration.
    case configurationIsNewer(Int64)
    /// The learner has a newer history, so this server must not lead it.
    case historyIsNewer(epoch: Int64, Zxid)
    /// The learner's epoch leaves no room for another.
    case epochIsUsedUp(Int64)
    case silent(milliseconds: Int64)
    /// A proposal was not acknowledged in time.
    case slow(Zxid)
    /// More than this many bytes wait for the learner.
    case queueLimit(Int)
    /// As many observers as allowed are catching up already.
    case tooManySyncs(Int)
    /// What the learner should be sent is not there any more.
    case historyLost(String)
}

extension LinkEnd: CustomStringConvertible {
    package var description: String {
        switch self {
        case .badPacket(let detail): "bad packet: " + detail
        case .unexpected(let kind): "a packet of kind \(kind.rawValue) was not expected here"
        case .tooManyLinks(let limit): "the limit of \(limit) connections is reached"
        case .replaced: "the server has another connection"
        case .numberInUse(let server): "server \(server) is connected, and of a later release"
        case .isMyself: "the server calls itself by the number of this one"
        case .configurationIsNewer(let version):
            "the server's configuration, version \(String(UInt64(bitPattern: version), radix: 16)), is newer"
        case .historyIsNewer(let epoch, let zxid): "the server's history, epoch \(epoch) and zxid \(zxid), is newer"
        case .epochIsUsedUp(let epoch): "the server has accepted epoch \(epoch), behind which there is no room"
        case .silent(let milliseconds): "nothing was heard of the server for \(milliseconds) ms"
        case .slow(let zxid): "the server has not acknowledged \(zxid) in time"
        case .queueLimit(let limit): "more than \(limit) bytes wait for the server"
        case .tooManySyncs(let limit): "\(limit) observers are catching up already"
        case .historyLost(let detail): "the server cannot be brought up to date now: " + detail
        }
    }
}
