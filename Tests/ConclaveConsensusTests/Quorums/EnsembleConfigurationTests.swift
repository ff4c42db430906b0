import ConclaveConsensus
import ConclaveCore
import ConclaveWire
import Foundation
import Testing

/// Configurations of ensembles: their text, and which servers are a quorum.
struct EnsembleConfigurationTests {
    private static let capturedTexts: [String] = {
        struct Captured: Decodable {
            let type: String
            let hex: String
        }
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "../../Vectors/election-messages.json")
        // The vectors are part of the repository; without them there is nothing to test.
        let all = try! JSONDecoder().decode([Captured].self, from: Data(contentsOf: file))
        return all.filter { $0.type == "notification" }.map { message in
            let digits = Array(message.hex)
            let bytes = stride(from: 96, to: digits.count, by: 2).map { UInt8(String(digits[$0...$0 + 1]), radix: 16)! }
            return String(decoding: bytes, as: UTF8.self)
        }
    }()

    @Test("Every captured text is printed as it was read")
    func capturedTexts() throws {
        #expect(Self.capturedTexts.count == 9)
        for text in Self.capturedTexts { #expect(try EnsembleConfiguration(text: text).text == text) }
    }

    @Test("Members, roles, addresses, groups and weights are read")
    func fields() throws {
        let configuration = try EnsembleConfiguration(
            text: """
                # a comment
                server.3=[2001:db8::1]:2888:3888:Observer;[::]:2181
                 server.1 = b:2889:3889|a:2888:3888;2181

                version=1ff
                """)
        #expect(configuration.members.map(\.id.rawValue) == [1, 3])
        let first = try #require(configuration.member(server(1)))
        #expect(first.addresses.map(\.host) == ["a", "b"])
        #expect(first.clientHost == "0.0.0.0")
        #expect(first.clientPort == 2181)
        #expect(configuration.observers == [server(3)])
        #expect(configuration.voters == [server(1)])
        #expect(configuration.version == 0x1FF)
        #expect(configuration.member(server(2)) == nil)
        #expect(
            configuration.text
                == "server.1=a:2888:3888|b:2889:3889:participant;0.0.0.0:2181\n"
                + "server.3=[2001:db8::1]:2888:3888:observer;[::]:2181\nversion=1ff")
        #expect(try EnsembleConfiguration(text: configuration.text) == configuration)
    }

    @Test(
        "What is wrong is said with its line",
        arguments: [
            ("server.1=a:1:2\nserver.x=a:1:2", 2), ("server.1=a:1", 1), ("server.1=a:1:1", 1), ("server.1=a:0:1", 1),
            ("server.1=a:1:65536", 1), ("server.1=a:1:2:leader", 1), ("server.1=a:1:2|b:1:2:observer", 1),
            ("server.1=a:1:2;", 1), ("server.1=a:1:2;:5", 1), ("server.1=[a:1:2", 1), ("server.1=[::1]1:2", 1),
            ("server.1=", 1), ("server.1", 1), ("\n\nclientPort=1", 3), ("version=zz", 1), ("version=1\nversion=1", 2),
            ("version=-1", 1), ("group.1=1:x", 1), ("weight.1=many", 1), ("server.1=a:1:2\nserver.1=b:1:2", 0),
            ("server.1=a:1:2\nweight.1=2", 0), ("server.1=a:1:2\nserver.2=a:1:2\ngroup.1=1", 0),
            ("server.1=a:1:2\ngroup.1=1\ngroup.2=1", 0), ("server.1=a:1:2\ngroup.1=1\ngroup.1=2", 0),
            ("server.1=a:1:2\ngroup.1=1\nweight.1=-1", 0), ("server.1=a:1:2\ngroup.1=1\nweight.1=1\nweight.1=1", 0),
            ("server.1=a:1:2\nserver.2=a:1:2\ngroup.1=1:2\nweight.1=9223372036854775807\nweight.2=1", 0),
        ])
    func errors(text: String, line: Int) {
        do {
            _ = try EnsembleConfiguration(text: text)
            Issue.record("\(text) was read")
        } catch {
            #expect(error.line == line, "\(text): \(error)")
        }
    }

    @Test("An ensemble has at most 1,024 servers, each at most 16 addresses")
    func limits() throws {
        let lines = (1...1_024).map { "server.\($0)=h:1:2" }.joined(separator: "\n")
        #expect(try EnsembleConfiguration(text: lines).voters.count == 1_024)
        #expect(throws: EnsembleConfigurationError.self) { try EnsembleConfiguration(text: lines + "\nserver.0=h:1:2") }
        let addresses = Array(repeating: "h:1:2", count: 16).joined(separator: "|")
        #expect(throws: Never.self) { try EnsembleConfiguration(text: "server.1=" + addresses) }
        #expect(throws: EnsembleConfigurationError.self) {
            try EnsembleConfiguration(text: "server.1=\(addresses)|h:1:2")
        }
    }

    @Test("More than half of the voters are a majority, observers count for nothing", arguments: 1...7)
    func majorities(size: Int) throws {
        let configuration = try EnsembleConfiguration(
            text: (1...size).map { "server.\($0)=h:1:2\n" }.joined() + "server.99=h:1:2:observer")
        for set in 0..<(1 << size) {
            let has = { (id: ServerID) in id.rawValue == 99 || set >> (id.rawValue - 1) & 1 == 1 }
            #expect(configuration.isQuorum(has) == (set.nonzeroBitCount * 2 > size))
        }
    }

    @Test("Three groups of three need two of three in two of three")
    func groups() throws {
        let configuration = try EnsembleConfiguration(
            text: (1...9).map { "server.\($0)=h:1:2\n" }.joined() + "group.1=1:2:3\ngroup.2=4:5:6\ngroup.3=7:8:9")
        #expect(configuration.isQuorum { [1, 2, 4, 5].contains($0.rawValue) })
        #expect(!configuration.isQuorum { [1, 2, 3, 4].contains($0.rawValue) })
        for set in 0..<512 {
            let won = (0..<3).count { (set >> ($0 * 3) & 7).nonzeroBitCount >= 2 }
            #expect(configuration.isQuorum { set >> ($0.rawValue - 1) & 1 == 1 } == (won >= 2))
        }
    }

    @Test("A server whose weight is more than half of its only group is a quorum alone")
    func heavyServer() throws {
        let configuration = try EnsembleConfiguration(
            text: "server.1=h:1:2\nserver.2=h:1:2\nserver.3=h:1:2\ngroup.1=1:2:3\nweight.3=3")
        #expect(configuration.isQuorum { $0.rawValue == 3 })
        #expect(!configuration.isQuorum { $0.rawValue != 3 })
        #expect(configuration.weight(of: server(1)) == 1)
        #expect(configuration.weight(of: server(3)) == 3)
        #expect(configuration.weight(of: server(4)) == 0)
        #expect(configuration.text.contains("weight.1=1\nweight.2=1\nweight.3=3\n"))
    }

    @Test("A group without weight is not counted")
    func weightlessGroup() throws {
        let configuration = try EnsembleConfiguration(
            text: "server.1=h:1:2\nserver.2=h:1:2\ngroup.1=1\ngroup.2=2\nweight.2=0")
        #expect(configuration.isQuorum { $0.rawValue == 1 })
        #expect(!configuration.isQuorum { $0.rawValue == 2 })
    }

    @Test("Any two quorums have a server in common")
    func quorumsIntersect() throws {
        let text = (1...6).map { "server.\($0)=h:1:2\n" }.joined()
        for tail in ["", "group.1=1:2:3\ngroup.2=4:5:6\nweight.4=2", "group.1=1:2:3:4:5:6\nweight.1=4"] {
            let configuration = try EnsembleConfiguration(text: text + tail)
            let quorums = (0..<64).filter { set in configuration.isQuorum { set >> ($0.rawValue - 1) & 1 == 1 } }
            #expect(!quorums.isEmpty)
            for first in quorums { for second in quorums { #expect(first & second != 0) } }
        }
    }

    private func server(_ id: Int64) -> ServerID { ServerID(rawValue: id) }
}
