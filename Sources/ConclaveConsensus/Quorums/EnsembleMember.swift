import ConclaveCore

/// One server of an ensemble as its configuration names it.
///
/// ```
/// host:2888:3888[:participant|:observer][;[clientHost:]clientPort]
/// host:2888:3888|other:2889:3889[:role][;…]       several addresses
/// [2001:db8::1]:2888:3888;[::]:2181               IPv6 in brackets
/// ```
package struct EnsembleMember: Hashable, Sendable {
    /// Whether a server votes.
    package enum Role: String, Hashable, Sendable { case participant, observer }

    /// Where the other servers reach a server.
    package struct Address: Hashable, Sendable {
        /// A name or an address literal, without brackets.
        package var host: String
        /// Where a leader listens for its learners.
        package var quorumPort: Int
        /// Where a server listens for votes.
        package var electionPort: Int

        package init(host: String, quorumPort: Int, electionPort: Int) {
            self.host = host
            self.quorumPort = quorumPort
            self.electionPort = electionPort
        }
    }

    package var id: ServerID
    /// At least one; sorted by host, as the reference prints them.
    package var addresses: [Address]
    package var role: Role
    /// Where clients connect; `nil` together with ``clientPort``, `0.0.0.0` where only the port was given.
    package var clientHost: String?
    package var clientPort: Int?

    package init(
        id: ServerID, addresses: [Address], role: Role = .participant, clientHost: String? = nil, clientPort: Int? = nil
    ) {
        self.id = id
        // Stable, so that two addresses of one host keep their order.
        self.addresses = addresses.sorted { $0.host < $1.host }
        self.role = role
        self.clientHost = clientPort == nil ? nil : clientHost ?? "0.0.0.0"
        self.clientPort = clientPort
    }
}

extension EnsembleMember {
    /// The part behind `server.N=`, exactly as the reference prints it.
    package var specification: String {
        var text = addresses.map { "\(Self.bracketed($0.host)):\($0.quorumPort):\($0.electionPort)" }
            .joined(separator: "|")
        text += ":" + role.rawValue
        if let clientHost, let clientPort { text += ";\(Self.bracketed(clientHost)):\(clientPort)" }
        return text
    }

    private static func bracketed(_ host: String) -> String { host.contains(":") ? "[\(host)]" : host }

    /// How many addresses one server may have.
    package static let maximumAddresses = 16

    /// Reads what stands behind `server.N=`.
    ///
    /// Throws with line 0; whoever knows the line puts it in.
    package init(id: ServerID, specification: some StringProtocol) throws(EnsembleConfigurationError) {
        let halves = specification.split(separator: ";", maxSplits: 1, omittingEmptySubsequences: false)
        // Splitting without omitting leaves at least one part.
        let parts = halves[0].split(separator: "|", omittingEmptySubsequences: false)
        guard parts.count <= Self.maximumAddresses else {
            throw .malformed("a server has at most \(Self.maximumAddresses) addresses")
        }
        var addresses: [Address] = []
        var roles: [Role] = []
        for part in parts {
            let (address, role) = try Self.address(String(part))
            addresses.append(address)
            if !roles.contains(role) { roles.append(role) }
        }
        guard roles.count == 1 else { throw .malformed("all addresses of a server must have the same role") }
        guard halves.count == 2 else {
            self.init(id: id, addresses: addresses, role: roles[0])
            return
        }
        let client = try Self.fields(of: String(halves[1]))
        switch client.count {
        case 1:
            self.init(id: id, addresses: addresses, role: roles[0], clientPort: try Self.port(client[0]))
        case 2 where !client[0].isEmpty:
            self.init(
                id: id, addresses: addresses, role: roles[0], clientHost: client[0],
                clientPort: try Self.port(client[1]))
        default: throw .malformed("after the semicolon stands PORT or HOST:PORT")
        }
    }

    private static func address(_ text: String) throws(EnsembleConfigurationError) -> (Address, Role) {
        let fields = try fields(of: text)
        guard (3...4).contains(fields.count), !fields[0].isEmpty else {
            throw .malformed("must look like HOST:2888:3888, optionally with :participant or :observer")
        }
        let quorum = try port(fields[1])
        let election = try port(fields[2])
        guard quorum != election else { throw .malformed("the two ports must differ") }
        var role = Role.participant
        if fields.count == 4 {
            guard let named = Role(rawValue: fields[3].lowercased()) else {
                throw .malformed("the role must be participant or observer")
            }
            role = named
        }
        return (Address(host: fields[0], quorumPort: quorum, electionPort: election), role)
    }

    /// Splits at colons, save those between brackets; the brackets go.
    private static func fields(of text: String) throws(EnsembleConfigurationError) -> [String] {
        guard text.first == "[" else {
            return text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        }
        guard let close = text.firstIndex(of: "]") else { throw .malformed("a closing bracket is missing") }
        let host = String(text[text.index(after: text.startIndex)..<close])
        let rest = text[text.index(after: close)...]
        guard rest.first == ":" else { throw .malformed("after the closing bracket stands a colon and a port") }
        return [host] + rest.dropFirst().split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    }

    private static func port(_ text: String) throws(EnsembleConfigurationError) -> Int {
        guard let port = Int(text), (1...65_535).contains(port) else {
            throw .malformed("ports are numbers from 1 to 65535")
        }
        return port
    }
}
