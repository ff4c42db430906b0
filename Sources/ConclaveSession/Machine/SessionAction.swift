import ConclaveCore
import ConclaveWire

/// What the shell does for a ``SessionMachine``, in this order. Bytes to send are not among them: see
/// ``SessionMachine/takeOutput(into:)``.
package enum SessionAction: Equatable, Sendable {
    /// Find the addresses of a host, aside from the loop, and report with `resolved` or `resolutionFailed`.
    case resolve(attempt: UInt32, HostAddress)
    /// Open a connection to one of the addresses found, and report with `connected` or `connectionLost`.
    case connect(link: UInt32, address: Int)
    /// Close that connection; nothing is reported about it any more.
    case disconnect(link: UInt32)
    case complete(RequestID, RequestOutcome)
    /// The path is the user's, without the chroot.
    case fire(WatcherID, WatchEvent)
    /// The watcher will hear nothing more.
    case endWatch(WatcherID, ZooKeeperError.Code)
    case changed(SessionStatus)
    /// The hold window has closed.
    case holdLapsed
    /// Ask a host with the word `isro` whether it has a quorum, and report with `probed`.
    case probe(HostAddress)
}
