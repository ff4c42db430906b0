import ConclaveConsensus
import ConclaveCore
import ConclaveSystem
import ConclaveTransport

/// The listening sockets of a server.
struct Sockets: Sendable {
    /// `nil` for a server that has no port for clients.
    private(set) var clients: Socket?
    private(set) var peers: [(port: PeerPort, socket: Socket)] = []

    /// Takes over sockets that listen where the configuration says.
    init(clients: Socket, peers: [(port: PeerPort, socket: Socket)]) {
        self.clients = clients
        self.peers = peers
    }

    /// Opens them all. Blocks while names are resolved.
    ///
    /// - Throws: `.badConfiguration` that names the port. None is left open then.
    init(_ configuration: ServerConfiguration) throws(ZooKeeperError) {
        do throws(ZooKeeperError) {
            if configuration.ensemble?.servesClients ?? true {
                clients = try Self.listen(
                    configuration.clientAddress, configuration.clientPort, as: "clientPort",
                    backlog: configuration.listenBacklog)
            }
            guard let ensemble = configuration.ensemble else { return }
            for address in ensemble.listeningAddresses {
                let line = "server.\(ensemble.myID.map { "\($0)" } ?? "?")"
                peers.append((.quorum, try Self.listen(address.host, address.quorumPort, as: line)))
                peers.append((.election, try Self.listen(address.host, address.electionPort, as: line)))
            }
        } catch {
            close()
            throw error
        }
    }

    func close() {
        clients?.close()
        for (_, socket) in peers { socket.close() }
    }

    private static func listen(
        _ host: String, _ port: Int, as key: String, backlog: Int? = nil
    ) throws(ZooKeeperError) -> Socket {
        guard let number = UInt16(exactly: port) else {
            throw ZooKeeperError(.badConfiguration, message: "\(key): \(port) is no port")
        }
        do {
            let addresses = try Resolver.resolve(host: host, port: number)
            guard let first = addresses.first else {
                throw ZooKeeperError(.badConfiguration, message: "\(key): \(host) has no address")
            }
            return try Socket.listen(on: first, backlog: Int32(clamping: backlog ?? 1024))
        } catch let error as SystemError where error.errno == .addressInUse {
            throw ZooKeeperError(
                .badConfiguration,
                message: "\(host):\(port) is in use: another server runs there, or choose another port with \(key)")
        } catch let error as ZooKeeperError {
            throw error
        } catch {
            throw ZooKeeperError(.badConfiguration, message: "cannot listen on \(host):\(port): \(error)")
        }
    }
}
