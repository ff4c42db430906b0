import ConclaveConsensus
import ConclaveCore
import ConclaveServer
import TestLanes
import Testing

@Suite("Which member of an ensemble a server is", .live)
struct EnsembleIdentityTests {
    private let limits = "dataDir=/d\ninitLimit=10\nsyncLimit=5\n"

    /// Parses a file with three servers, the first of them with `first` behind its ports.
    private func configuration(_ keys: String, first: String = "") throws -> ServerConfiguration {
        let list = "server.1=a:2888:3888\(first)\nserver.2=b:2888:3888:observer\nserver.3=localhost:2888:3888\n"
        let more = "server.255=d:2888:3888\nserver.300=e:2888:3888\n"
        return try ServerConfiguration.parse(text: limits + list + more + keys, file: "zoo.cfg").configuration
    }

    private func message(_ configuration: ServerConfiguration, _ id: Int64) -> String? {
        var configuration = configuration
        do {
            _ = try configuration.identify(as: ServerID(rawValue: id))
            return nil
        } catch {
            return error.message
        }
    }

    @Test("The client's port and address come from the list, from clientPort, or from both if they agree")
    func clientAddress() throws {
        var listed = try configuration("", first: ";2181")
        #expect(try listed.identify(as: ServerID(rawValue: 1)).isEmpty)
        #expect(listed.clientPort == 2181 && listed.clientAddress == "0.0.0.0")
        #expect(listed.ensemble?.me?.id == ServerID(rawValue: 1) && listed.ensemble?.servesClients == true)

        var chosen = try configuration("clientPort=2182\nclientPortAddress=10.0.0.1")
        #expect(try chosen.identify(as: ServerID(rawValue: 1)).isEmpty)
        #expect(chosen.clientPort == 2182 && chosen.clientAddress == "10.0.0.1")
        // What only the main file says is not announced to others.
        #expect(chosen.ensemble?.me?.clientPort == nil)

        var both = try configuration("clientPort=2181\nclientPortAddress=0.0.0.0", first: ";10.0.0.1:2181")
        #expect(try both.identify(as: ServerID(rawValue: 1)).isEmpty)
        #expect(both.clientPort == 2181 && both.clientAddress == "10.0.0.1")
    }

    @Test("Contradictions name the line of the list")
    func contradictions() throws {
        let port = try configuration("clientPort=2182", first: ";2181")
        #expect(
            message(port, 1) == "zoo.cfg:4: server.1: the client port 2181 contradicts clientPort=2182")
        #expect(message(port, 2) == nil)
        let host = try configuration("clientPort=2181\nclientPortAddress=10.0.0.2", first: ";10.0.0.1:2181")
        #expect(message(host, 1)?.contains("address 10.0.0.1 contradicts clientPortAddress=10.0.0.2") == true)
    }

    @Test("A server without a client port serves no clients, and says so")
    func noClients() throws {
        var silent = try configuration("")
        #expect(try silent.identify(as: ServerID(rawValue: 3)) == ["server.3 has no clientPort: it serves no clients"])
        #expect(silent.ensemble?.servesClients == false)
    }

    @Test("Listening on loopback only is said when other servers are elsewhere")
    func loopback() throws {
        var remote = try configuration("clientPort=2181")
        let warnings = try remote.identify(as: ServerID(rawValue: 1))
        #expect(warnings.count == 1 && warnings[0].hasPrefix("zoo.cfg:9: clients of other machines cannot connect"))
        var local = try configuration("clientPort=2181")
        #expect(try local.identify(as: ServerID(rawValue: 3)).isEmpty)
    }

    @Test("The role in the list counts, another one in peerType is said")
    func roles() throws {
        var observer = try configuration("clientPort=1\nclientPortAddress=::\npeerType=participant")
        let warnings = try observer.identify(as: ServerID(rawValue: 2))
        #expect(warnings == ["zoo.cfg:11: peerType=participant, but server.2 is listed as observer, which counts"])
        #expect(observer.ensemble?.me?.role == .observer)
    }

    @Test("Servers that are not listed, and ids too large for nodes with a time to live, are refused")
    func refused() throws {
        let plain = try configuration("clientPort=1\nclientPortAddress=::")
        #expect(message(plain, 4) == "this is server 4, but only these are listed: 1, 2, 3, 255, 300")
        #expect(message(plain, 255) == nil && message(plain, 300) == nil)
        let extended = try configuration("clientPort=1\nclientPortAddress=::\nextendedTypesEnabled=true")
        for id: Int64 in [255, 300] { #expect(message(extended, id)?.contains("must not exceed 254") == true) }
        #expect(message(extended, 1) == nil)
    }

    @Test("A server that stands alone is nobody")
    func alone() throws {
        var alone = ServerConfiguration(dataDirectory: "/d")
        #expect(try alone.identify(as: ServerID(rawValue: 1)).isEmpty)
        #expect(try alone.identify().isEmpty)
    }

    @Test("Settings made in a program need no file")
    func program() throws {
        let member = EnsembleMember(
            id: ServerID(rawValue: 7), addresses: [.init(host: "127.0.0.1", quorumPort: 1, electionPort: 2)],
            clientHost: "127.0.0.1", clientPort: 3)
        var configuration = ServerConfiguration(dataDirectory: "/d", clientPort: 0)
        configuration.ensemble = EnsembleSettings(configuration: try EnsembleConfiguration(members: [member]))
        #expect(try configuration.identify(as: member.id).isEmpty)
        #expect(configuration.clientPort == 3 && configuration.clientAddress == "127.0.0.1")
        #expect(configuration.ensemble?.me == member)
        // Set beforehand, it is taken over once.
        configuration.clientPort = 4
        #expect(try configuration.identify().isEmpty && configuration.clientPort == 4)
        var named = ServerConfiguration(dataDirectory: "/d", clientPort: 0)
        named.ensemble = EnsembleSettings(
            configuration: try EnsembleConfiguration(members: [member]), myID: member.id)
        #expect(try named.identify().isEmpty && named.clientPort == 3)
    }

    @Test("A server that cannot tell which member it is does not start")
    func start() async throws {
        do {
            _ = try await ZooKeeperServer.start(try configuration("clientPort=0"))
            Issue.record("must not start")
        } catch let error as ZooKeeperError {
            #expect(error.code == .badConfiguration && "\(error)".contains("/d/myid"))
        }
    }
}
