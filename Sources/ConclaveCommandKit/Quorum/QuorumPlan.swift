import ConclaveServer
import ConclaveSystem

/// Which servers `conclave quorum` starts: ports, folders and the configuration file of each.
package struct QuorumPlan: Equatable, Sendable {
    package struct Member: Equatable, Sendable {
        /// Its number, from 1.
        package let id: Int
        package let isObserver: Bool
        package let clientPort: Int
        package let quorumPort: Int
        package let electionPort: Int
        /// Where it keeps its data; its configuration and what it writes to its outputs lie there as well.
        package let directory: String

        package var address: String { "\(ServerConfiguration.loopback):\(clientPort)" }
        package var configurationPath: String { directory + "/zoo.cfg" }
        package var numberPath: String { directory + "/myid" }
        package var logPath: String { directory + "/server.log" }
        /// Its ports with what they are for.
        package var ports: [(number: Int, use: String)] {
            [(clientPort, "clients"), (quorumPort, "followers"), (electionPort, "votes")]
        }
    }

    /// From the first client port to the first ports for followers and for votes: 2181, 2888 and 3888 are the usual ones.
    package static let quorumOffset = 707
    package static let electionOffset = 1707
    package static let maximumServers = 99
    package static let maximumBasePort = 65_535 - electionOffset - maximumServers

    package let members: [Member]

    /// Servers that vote come first.
    ///
    /// - Parameter port: the port of a server for one use, by its number and the port that the rule of this plan gives it.
    package init<Failure: Error>(
        servers: Int, observers: Int, basePort: Int, directory: String,
        port: (_ server: Int, _ number: Int, _ use: String) throws(Failure) -> Int
    ) throws(Failure) {
        var members: [Member] = []
        for id in 1...max(1, servers + observers) {
            let first = basePort + id - 1
            members.append(
                Member(
                    id: id, isObserver: id > servers, clientPort: try port(id, first, "clients"),
                    quorumPort: try port(id, first + Self.quorumOffset, "followers"),
                    electionPort: try port(id, first + Self.electionOffset, "votes"), directory: "\(directory)/\(id)"))
        }
        self.members = members
    }

    /// What clients connect to.
    package var connectString: String { members.map(\.address).joined(separator: ",") }

    /// The configuration file of a server.
    package func configuration(of member: Member) -> String {
        var lines = [
            "# Written by 'conclave quorum' whenever it starts.", "dataDir=" + Self.escaped(member.directory),
            "clientPort=\(member.clientPort)", "clientPortAddress=\(ServerConfiguration.loopback)", "maxClientCnxns=0",
            "# Two seconds of silence, and a server counts as dead.", "tickTime=500", "initLimit=20", "syncLimit=4",
            "minSessionTimeout=1000", "maxSessionTimeout=60000", "leader.maxTimeToWaitForEpoch=1000",
            "4lw.commands.whitelist=*",
        ]
        for other in members {
            let role = other.isObserver ? "observer" : "participant"
            let address = "\(ServerConfiguration.loopback):\(other.quorumPort):\(other.electionPort)"
            lines.append("server.\(other.id)=\(address):\(role)")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Backslashes mean something in such files.
    private static func escaped(_ text: String) -> String {
        text.split(separator: "\\", omittingEmptySubsequences: false).joined(separator: "\\\\")
    }
}
