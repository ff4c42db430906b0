import ConclaveConsensus
import ConclaveCore

/// The lines of a file that say who belongs to an ensemble: `server.N`, `group.N` and `weight.N`.
struct ServerList {
    typealias Entry = Properties.Entry

    struct Server {
        let entry: Entry
        let member: EnsembleMember
        /// Whether the line says where clients connect, and not only at which port.
        let namesClientHost: Bool
    }

    /// In the order of the file; of two lines for one server the later.
    private(set) var servers: [Server] = []
    private var groups: [(entry: Entry, group: EnsembleConfiguration.Group)] = []
    private var weights: [(entry: Entry, weight: EnsembleConfiguration.Weight)] = []
    var version: Int64 = 0

    static func contains(key: String) -> Bool {
        key.hasPrefix("server.") || key.hasPrefix("group.") || key.hasPrefix("weight.")
    }

    /// The first line that only hierarchical quorums have.
    var hierarchy: Entry? { groups.first?.entry ?? weights.first?.entry }

    /// Takes a line whose key this list knows.
    mutating func take(_ entry: Entry, _ reader: ValueReader) throws(ZooKeeperError) {
        let id = try Self.number(after: ".", entry, reader)
        do throws(EnsembleConfigurationError) {
            if entry.key.hasPrefix("server.") {
                let member = try EnsembleMember(id: ServerID(rawValue: id), specification: entry.value)
                servers.removeAll { $0.member.id == member.id }
                let client = entry.value.split(separator: ";", maxSplits: 1).dropFirst().first
                servers.append(
                    Server(entry: entry, member: member, namesClientHost: client?.contains(":") ?? false))
                return
            }
        } catch {
            throw reader.bad(entry, error.message)
        }
        if entry.key.hasPrefix("group.") {
            var members: [ServerID] = []
            for part in entry.value.split(separator: ":", omittingEmptySubsequences: false) {
                guard let member = Int64(part.trimmed) else { throw reader.bad(entry, "must look like 1:2:3") }
                members.append(ServerID(rawValue: member))
            }
            groups.removeAll { $0.group.id == id }
            groups.append((entry, EnsembleConfiguration.Group(id: id, members: members)))
        } else {
            guard let weight = Int64(entry.value), weight >= 0 else {
                throw reader.bad(entry, "must be a whole number, at least 0")
            }
            let server = ServerID(rawValue: id)
            weights.removeAll { $0.weight.server == server }
            weights.append((entry, EnsembleConfiguration.Weight(server: server, weight: weight)))
        }
    }

    func configuration(_ reader: ValueReader) throws(ZooKeeperError) -> EnsembleConfiguration {
        do throws(EnsembleConfigurationError) {
            let configuration = try EnsembleConfiguration(
                members: servers.map(\.member), groups: groups.map(\.group), weights: weights.map(\.weight),
                version: version)
            try configuration.requireWeights()
            return configuration
        } catch {
            throw reader.error(at: hierarchy?.line ?? servers.first?.entry.line ?? 0, error.message)
        }
    }

    private static func number(
        after dot: Character, _ entry: Entry, _ reader: ValueReader
    ) throws(ZooKeeperError) -> Int64 {
        let parts = entry.key.split(separator: dot, maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let number = Int64(parts[1]) else {
            throw reader.bad(entry, "the part after \"\(parts[0]).\" must be a whole number")
        }
        return number
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        var text = drop { $0.isWhitespace }
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return text
    }
}

/// What is odd about a list, although it can be used.
extension ServerList {
    mutating func warn(_ configuration: EnsembleConfiguration, _ reader: inout ValueReader) {
        let line = servers.first?.entry.line ?? 0
        let voters = configuration.voters.count
        if voters <= 2, !configuration.isHierarchical {
            let text = voters == 1 ? "a single voter" : "two voters"
            reader.warn(line, "\(text): the ensemble stops when a server fails; three voters survive that")
        } else if voters % 2 == 0, !configuration.isHierarchical {
            reader.warn(line, "\(voters) voters survive as many failures as \(voters - 1) do")
        }
        // Each with each: an ensemble has at most 1,024 members.
        for (number, server) in servers.enumerated() {
            let earlier = servers[..<number]
            let id = server.member.id
            if let other = earlier.first(where: {
                $0.member.addresses.contains(where: server.member.addresses.contains)
            }) {
                reader.warn(server.entry.line, "server.\(id) has an address of server.\(other.member.id)")
            }
            // Servers make session ids of the lowest byte of their number, the time and a counter.
            if let other = earlier.first(where: { $0.member.id.rawValue & 0xFF == id.rawValue & 0xFF }) {
                let text = "the ids \(other.member.id) and \(id) end in the same byte"
                reader.warn(server.entry.line, text + ": sessions of the two servers can collide")
            }
        }
    }
}
