import ConclaveConsensus
import ConclaveCore

extension ServerConfiguration {
    /// Settles which member of its ensemble a server is, and with that where its clients connect.
    ///
    /// Nothing happens to a server that stands alone, or the second time.
    /// - Returns: sentences about what is odd but can be used.
    /// - Throws: `.badConfiguration` if there is no such member, or its line contradicts the rest.
    package mutating func identify(as id: ServerID) throws(ZooKeeperError) -> [String] {
        guard var settings = ensemble, settings.settledID != id else { return [] }
        guard let member = settings.configuration.member(id) else {
            let listed = settings.configuration.members.map(\.id.description).joined(separator: ", ")
            throw Self.bad("this is server \(id), but only these are listed: \(listed)")
        }
        // Session ids carry the lowest byte; 255 there would make them look like nodes with a time to live.
        if extendedTypesEnabled, id.rawValue > 254 || id.rawValue & 0xFF == 0xFF {
            throw Self.bad("extendedTypesEnabled=true: the id of a server must not exceed 254, this one is \(id)")
        }
        (settings.myID, settings.settledID) = (id, id)
        var warnings: [String] = []
        if let expected = settings.expectedRole, expected != member.role {
            let text = "peerType=\(expected.rawValue), but server.\(id) is listed as \(member.role.rawValue)"
            warnings.append("\(settings.place(of: "peerType"))\(text), which counts")
        }
        try takeClientAddress(of: member, &settings, &warnings)
        ensemble = settings
        return warnings
    }

    private mutating func takeClientAddress(
        of member: EnsembleMember, _ settings: inout EnsembleSettings, _ warnings: inout [String]
    ) throws(ZooKeeperError) {
        if let host = member.clientHost, let port = member.clientPort {
            let line = "\(settings.place(of: "server.\(member.id)"))server.\(member.id): "
            if settings.clientPortIsChosen, clientPort != 0, clientPort != port {
                throw Self.bad("\(line)the client port \(port) contradicts clientPort=\(clientPort)")
            }
            // All of the machine's addresses include the listed one.
            if settings.clientAddressIsChosen, !Self.isWildcard(clientAddress), clientAddress != host {
                throw Self.bad("\(line)the client address \(host) contradicts clientPortAddress=\(clientAddress)")
            }
            clientPort = port
            clientAddress = host
        } else if !settings.clientPortIsChosen {
            settings.servesClients = false
            warnings.append("server.\(member.id) has no clientPort: it serves no clients")
        }
        let isLocal = member.addresses.allSatisfy { Self.isLoopback($0.host) }
        if settings.servesClients, !isLocal, Self.isLoopback(clientAddress) {
            let text =
                "clients of other machines cannot connect to \(clientAddress); clientPortAddress=0.0.0.0 lets them"
            warnings.append(settings.place(of: "clientPort") + text)
        }
    }

    private static func bad(_ sentence: String) -> ZooKeeperError {
        ZooKeeperError(.badConfiguration, message: sentence)
    }

    private static func isWildcard(_ host: String) -> Bool { host == "0.0.0.0" || host == "::" }

    private static func isLoopback(_ host: String) -> Bool {
        host == "localhost" || host == "::1" || host.hasPrefix("127.")
    }
}
