/// One `server.N=…` line of a server list.
///
/// ```
/// host:2888:3888[:participant|:observer][;[clientHost:]clientPort]
/// host:2888:3888|other:2889:3889[:role][;…]       several addresses
/// [2001:db8::1]:2888:3888;[::]:2181               IPv6 in brackets
/// ```
package struct ServerLine: Equatable, Sendable {
    package enum Role: String, Equatable, Sendable { case participant, observer }

    package struct Address: Equatable, Sendable {
        package let host: String
        package let quorumPort: Int
        package let electionPort: Int
    }

    package let id: Int64
    package let addresses: [Address]
    package let role: Role
    /// Where this server's clients connect; `nil` if the line does not say.
    package let clientHost: String?
    package let clientPort: Int?

    /// A sentence on what is wrong with a line.
    package struct Malformed: Error, Equatable, Sendable { package let message: String }

    package init(id text: String, value: String) throws(Malformed) {
        guard let id = Int64(text) else {
            throw Malformed(message: "the part after \"server.\" must be a whole number")
        }
        self.id = id
        let halves = value.split(separator: ";", maxSplits: 1, omittingEmptySubsequences: false)
        var addresses: [Address] = []
        var roles: Set<Role> = []
        for part in halves[0].split(separator: "|", omittingEmptySubsequences: false) {
            let (address, role) = try Self.address(part)
            addresses.append(address)
            roles.insert(role)
        }
        guard roles.count == 1, let role = roles.first else {
            throw Malformed(message: "all addresses of a server must have the same role")
        }
        self.addresses = addresses
        self.role = role
        guard halves.count == 2 else {
            (clientHost, clientPort) = (nil, nil)
            return
        }
        let client = try Self.fields(of: halves[1])
        switch client.count {
        case 1: (clientHost, clientPort) = (nil, try Self.port(client[0]))
        case 2: (clientHost, clientPort) = (client[0], try Self.port(client[1]))
        default: throw Malformed(message: "after the semicolon stands PORT or HOST:PORT")
        }
    }

    private static func address(_ text: Substring) throws(Malformed) -> (Address, Role) {
        let fields = try fields(of: text)
        guard (3...4).contains(fields.count), !fields[0].isEmpty else {
            throw Malformed(message: "must look like HOST:2888:3888, optionally with :participant or :observer")
        }
        let quorum = try port(fields[1])
        let election = try port(fields[2])
        guard quorum != election else { throw Malformed(message: "the two ports must differ") }
        var role = Role.participant
        if fields.count == 4 {
            guard let named = Role(rawValue: fields[3].lowercased()) else {
                throw Malformed(message: "the role must be participant or observer")
            }
            role = named
        }
        return (Address(host: fields[0], quorumPort: quorum, electionPort: election), role)
    }

    /// Splits at colons, save those between brackets; the brackets go.
    private static func fields(of text: Substring) throws(Malformed) -> [String] {
        guard text.first == "[" else {
            return text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        }
        guard let close = text.firstIndex(of: "]") else { throw Malformed(message: "a closing bracket is missing") }
        let host = String(text[text.index(after: text.startIndex)..<close])
        let rest = text[text.index(after: close)...]
        guard rest.first == ":" else { throw Malformed(message: "after the closing bracket stands a colon and a port") }
        return [host] + rest.dropFirst().split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    }

    private static func port(_ text: String) throws(Malformed) -> Int {
        guard let port = Int(text), (1...65_535).contains(port) else {
            throw Malformed(message: "ports are numbers from 1 to 65535")
        }
        return port
    }
}
