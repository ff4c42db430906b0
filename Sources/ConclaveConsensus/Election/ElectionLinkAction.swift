import ConclaveCore
import ConclaveWire

/// What the election links ask of the shell.
package enum ElectionLinkAction: Equatable, Sendable {
    /// Connect to a server at one of these addresses, tried in this order; none leads nowhere. Answered by exactly one
    /// of ``ElectionLinks/dialled(_:to:now:)`` and ``ElectionLinks/dialFailed(_:now:)``. Names are resolved anew each
    /// time.
    case dial(ServerID, [ElectionAddress])
    case send(LinkID, [UInt8])
    /// Close a connection once what was sent before is out; nothing more is heard of it.
    case close(LinkID)
    case message(ElectionNotification, from: ServerID)
    /// Whether a server can be talked to; told when it changes, and when a first try failed.
    case reachable(ServerID, Bool)
    case note(LogEvent)
}
