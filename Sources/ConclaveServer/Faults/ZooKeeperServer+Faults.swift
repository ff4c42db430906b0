import ConclaveCore
import ConclaveNode
import ConclaveTransport
import ConclaveTree

/// What can befall a server, on demand; see ``LocalQuorum``.
extension ZooKeeperServer {
    /// Ends the server without any orderly step, as SIGKILL would: connections are cut, nothing is written beyond what the
    /// disk is being given at this moment. Returns when another server can be started on its data and its ports.
    package func kill() async {
        loop.submit { [shell] in shell.withValue { $0.kill() } }
        gate.killIfShut()
        _ = await ending.outcome()
        await release()
    }

    /// Holds loop and storage up, as SIGSTOP would: the system goes on taking connections and bytes for the server, which does
    /// not look at them. Returns when it stands still.
    package func pause() async {
        guard gate.shut() else { return }
        await withCheckedContinuation { waiter in
            loop.submit { [shell, gate] in
                waiter.resume()
                if !gate.pass() { shell.withValue { $0.kill() } }
            }
        }
    }

    /// Lets it go on.
    package func resume() { gate.open() }

    /// Cuts the connections to these ports of other servers, refuses to dial them, and takes up what was refused before and is
    /// not among them.
    package func sever(from ports: Set<UInt16>) async {
        await loop.perform { [shell] in shell.withValue { $0.peers?.sever(from: ports) } }
    }

    /// As ``sever(from:)``, without waiting: for a server that stands still, when it goes on.
    package func severLater(from ports: Set<UInt16>) {
        loop.submit { [shell] in shell.withValue { $0.peers?.sever(from: ports) } }
    }

    /// Cuts the connections of all clients. Their sessions live on.
    package func cutClients() async {
        await loop.perform { [shell] in shell.withValue { $0.cutClients() } }
    }

    /// Ends a session as if it had expired: only the server that decides about sessions can.
    /// - Returns: `false` if there is no such session, `nil` if another server decides about it.
    package func expire(_ session: SessionID) async -> Bool? {
        await loop.perform { [shell] in shell.withValue { $0.expire(session) } }
    }

    /// Whether it has ended, however.
    var hasEnded: Bool { ending.isKnown }

    /// Which epoch it has promised to follow; `nil` if it stands alone.
    func epoch() async -> Int64? {
        await loop.perform { [shell] in shell.withValue { $0.node?.currentEpoch } }
    }

    /// How far the tree is, and what it holds, as one number.
    package func fingerprint() async -> (zxid: Zxid, digest: Int64) {
        await loop.perform { [shell] in
            shell.withValue { ($0.machine.tree.lastProcessed, $0.machine.tree.digest) }
        }
    }
}
