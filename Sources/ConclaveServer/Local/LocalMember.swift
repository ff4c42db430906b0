import ConclaveConsensus
import ConclaveCore
import ConclaveNode
import ConclaveSystem

/// One server of a ``LocalQuorum``: its place in the ensemble, and how it is at the moment.
struct LocalMember: Sendable {
    /// Its three ports, which stay its own while it is down.
    struct Ports: Sendable {
        let clients: ReservedPort
        let quorum: ReservedPort
        let election: ReservedPort

        init() throws(SystemError) {
            clients = try ReservedPort()
            quorum = try ReservedPort()
            election = try ReservedPort()
        }

        /// Those for other servers.
        var peers: Set<UInt16> { [quorum.number, election.number] }

        func listen() throws(SystemError) -> Sockets {
            let opened = try clients.listen()
            do throws(SystemError) {
                let first = try quorum.listen()
                do throws(SystemError) {
                    return Sockets(clients: opened, peers: [(.quorum, first), (.election, try election.listen())])
                } catch {
                    first.close()
                    throw error
                }
            } catch {
                opened.close()
                throw error
            }
        }
    }

    enum Phase: Sendable {
        case down
        case starting
        case running(ZooKeeperServer)
        case paused(ZooKeeperServer)
    }

    let id: ServerID
    let kind: EnsembleMember.Role
    let ports: Ports
    let directory: String
    var phase = Phase.down
    /// What the server said last; `nil` when it has ended.
    var role: ServingRole?
    /// When it began to lead, counted in changes of any server's role.
    var leadsSince: UInt64 = 0

    /// The server, unless it is down.
    var server: ZooKeeperServer? {
        switch phase {
        case .down, .starting: nil
        case .running(let server), .paused(let server): server
        }
    }

    /// It is up and does not stand still.
    var isRunning: Bool {
        if case .running = phase { true } else { false }
    }

    var serves: Bool { role?.hasQuorum ?? false }
    var leads: Bool { role == .leader }

    var connectString: String { "127.0.0.1:\(ports.clients.number)" }

    /// The line of the ensemble's configuration.
    var line: EnsembleMember {
        let address = EnsembleMember.Address(
            host: ServerConfiguration.loopback, quorumPort: Int(ports.quorum.number),
            electionPort: Int(ports.election.number))
        return EnsembleMember(
            id: id, addresses: [address], role: kind, clientHost: ServerConfiguration.loopback,
            clientPort: Int(ports.clients.number))
    }
}
