import ConclaveCore
import ConclaveSession
import ConclaveSystem
import ConclaveTransport

/// What only the loop touches of a session.
final class LoopSide {
    /// Taken from the machine, to be performed. Kept for its storage.
    var actions: [SessionAction] = []
    /// Who is to be resumed with what. Kept for its storage.
    var resumptions: [(waiter: WaiterTable.Waiter, outcome: RequestOutcome)] = []
    var events: [(target: WatchTarget, watcher: WatcherID, event: WatchEvent)] = []
    var endings: [(target: WatchTarget, code: ZooKeeperError.Code)] = []

    /// What the last resolution found.
    var addresses: [SocketAddress] = []
    var connector: (link: UInt32, connector: Connector)?
    var link: Link?
    var prober: Prober?
    var timer: TimerToken?
    var timerAt = Instant.distantFuture
}

/// One open connection of a session, on the loop.
final class Link: ReadinessHandler {
    let number: UInt32
    let shared: SharedSocket
    var token: WatchToken?
    private let shell: SessionShell

    /// So many reads before others have their turn.
    private static let readsPerTurn = 8

    init(_ number: UInt32, _ socket: SharedSocket, shell: SessionShell) {
        self.number = number
        shared = socket
        self.shell = shell
    }

    func ready(_ readiness: Readiness) {
        if readiness.contains(.writable) { shell.becameWritable(self) }
        guard readiness.contains(.readable) || readiness.contains(.broken) else { return }
        for _ in 0..<Self.readsPerTurn where token != nil {
            let result = shell.loop.receive(from: shared.socket) { shell.received(number, $0) }
            switch result {
            case .bytes(0): return shell.lost(self, "the server closed the connection")
            case .bytes(let count): if count < Self.fullRead { return }
            case .wouldBlock: return
            case .failed(let errno): return shell.lost(self, errno.description)
            }
        }
    }

    /// A read that brought less emptied the socket.
    private static let fullRead = 64 << 10

    func abandoned() {
        token = nil
        shell.loopEnded()
    }
}
